// The official OpenAI SDK for Node.js against the gateway. Environment: BASE_URL, TALLY_URL (the demo provider's counters).
import OpenAI from "openai";

const BASE = process.env.BASE_URL;
const messages = [
  { role: "system", content: "You are a helpful AI assistant." },
  { role: "user", content: "Hello from Node.js!" },
];
const ANSWER = "Hello from the demo provider.";
let passed = 0;
let failed = 0;
let sent = 0; // requests of the current test, retries included

function client(key, options = {}) {
  const count = (url, init) => {
    sent++;
    return fetch(url, init);
  };
  return new OpenAI({ apiKey: `sk-aip-sdk-${key}`, baseURL: BASE, maxRetries: 0, timeout: 30000, fetch: count, ...options });
}

function must(condition, text) {
  if (!condition) throw new Error(text);
}

function equal(got, wanted, what) {
  must(got === wanted, `${what}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
}

async function check(name, test) {
  sent = 0;
  try {
    await test();
    passed++;
    console.log(`PASS node: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL node: ${name}: ${error?.constructor?.name}: ${error?.message}`);
  }
}

// The error that the call ends with, of that class, status and code; it was asked for `tries` times.
async function fails(call, { type, status, code, tries = 1 }) {
  let error;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  must(error !== undefined, "no error");
  must(error instanceof type, `wanted ${type.name}, got ${error.constructor.name}: ${error.message}`);
  equal(error.status, status, "status");
  if (code !== undefined) equal(error.code, code, "code");
  must(error.requestID, "no request id");
  equal(sent, tries, "requests sent");
  return error;
}

const ask = (key, model, options) => () => client(key, options).chat.completions.create({ model, messages });
const tally = async () => (await fetch(`${process.env.TALLY_URL}/_tally`)).json();

async function readStream(stream) {
  const seen = { text: "", finish: null, usages: 0, chunks: 0, usage: null };
  for await (const chunk of stream) {
    seen.chunks++;
    seen.text += chunk.choices[0]?.delta?.content ?? "";
    seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
    if (chunk.usage) {
      seen.usages++;
      seen.usage = chunk.usage;
      equal(chunk.choices.length, 0, "choices of the usage chunk");
    }
  }
  return seen;
}

await check("a whole answer", async () => {
  const response = await ask("rich", "gpt-5")();
  must(response.choices[0].message.content.startsWith(ANSWER), response.choices[0].message.content);
  equal(response.choices[0].finish_reason, "stop", "finish_reason");
  equal(response.model, "gpt-5", "model");
  equal(response.usage.total_tokens, response.usage.prompt_tokens + response.usage.completion_tokens, "total_tokens");
  must(/^[0-9A-HJKMNP-TV-Z]{26}$/.test(response._request_id), `request id ${response._request_id}`);
});

await check("a streamed answer has no usage chunk unasked", async () => {
  const seen = await readStream(await client("rich").chat.completions.create({ model: "gpt-5", messages, stream: true }));
  must(seen.text.startsWith(ANSWER), seen.text);
  equal(seen.finish, "stop", "finish_reason");
  equal(seen.usages, 0, "usage chunks");
  must(seen.chunks > 3, `only ${seen.chunks} chunks`);
});

await check("a streamed answer has one usage chunk when asked for", async () => {
  const seen = await readStream(await client("rich").chat.completions.create({
    model: "gpt-5", messages, stream: true, stream_options: { include_usage: true },
  }));
  must(seen.text.startsWith(ANSWER), seen.text);
  equal(seen.usages, 1, "usage chunks");
  must(seen.usage.total_tokens > 0, "no tokens");
});

await check("the .stream() helper", async () => {
  const stream = client("rich").chat.completions.stream({ model: "gpt-5", messages });
  must((await stream.finalContent()).startsWith(ANSWER), "content");
});

await check("a stream that the client breaks off", async () => {
  const stream = await client("rich").chat.completions.create({
    model: "gpt-5", stream: true, messages: [{ role: "user", content: "[[sim tokens=1000,pace=20]]" }],
  });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) break;
  equal(chunks, 3, "chunks");
});

await check("a tool call", async () => {
  const tools = [{ type: "function", function: { name: "lookup", parameters: { type: "object", properties: {} } } }];
  const response = await client("rich").chat.completions.create({ model: "node-tool", messages, tools });
  equal(response.choices[0].finish_reason, "tool_calls", "finish_reason");
  equal(response.choices[0].message.tool_calls[0].function.name, "lookup", "name");
  JSON.parse(response.choices[0].message.tool_calls[0].function.arguments);
});

await check("models.list", async () => {
  const ids = [];
  for await (const model of client("rich").models.list()) ids.push(model.id);
  for (const id of ["gpt-5", "claude-sonnet-4-6", "gemini-2.5-pro", "node/slash"]) must(ids.includes(id), `no ${id} in ${ids}`);
});

await check("models.list of a limited key has its models only", async () => {
  const ids = [];
  for await (const model of client("limited").models.list()) ids.push(model.id);
  equal(ids.join(), "gpt-5", "models");
});

await check("models.retrieve", async () => {
  const model = await client("rich").models.retrieve("gpt-5");
  equal(model.id, "gpt-5", "id");
  equal(model.object, "model", "object");
  equal(model.owned_by, "openai", "owned_by");
});

await check("a model with a slash in its name", async () => {
  equal((await client("rich").models.retrieve("node/slash")).id, "node/slash", "id");
  const response = await ask("rich", "node/slash")();
  equal(response.choices[0].message.content, "from a model with a slash", "content");
});

await check("models.retrieve of an unknown model is NotFoundError", () =>
  fails(() => client("rich").models.retrieve("no-such-model"), { type: OpenAI.NotFoundError, status: 404 }));

await check("400: a request without messages is BadRequestError", () =>
  fails(() => client("rich", { maxRetries: 2 }).chat.completions.create({ model: "gpt-5" }),
    { type: OpenAI.BadRequestError, status: 400, code: "bad_request" }));

await check("400: what the provider refuses is BadRequestError with its own words", async () => {
  const error = await fails(ask("rich", "node-refused", { maxRetries: 2 }), { type: OpenAI.BadRequestError, status: 400, code: "odd_parameter" });
  must(error.message.includes("This parameter is odd"), error.message);
});

for (const key of ["unknown", "disabled", "revoked", "expired", "blocked"])
  await check(`401: a key that is ${key} is AuthenticationError`, () =>
    fails(ask(key, "gpt-5", { maxRetries: 2 }), { type: OpenAI.AuthenticationError, status: 401, code: "invalid_api_key" }));

await check("403: a model that the key may not use is PermissionDeniedError", () =>
  fails(ask("limited", "claude-sonnet-4-6", { maxRetries: 2 }), { type: OpenAI.PermissionDeniedError, status: 403, code: "permission_denied" }));

await check("404: an unknown model is NotFoundError", () =>
  fails(ask("rich", "no-such-model", { maxRetries: 2 }), { type: OpenAI.NotFoundError, status: 404 }));

await check("404: an unknown path is NotFoundError", () =>
  fails(() => client("rich", { maxRetries: 2 }).post("/no/such/path", { body: {} }), { type: OpenAI.NotFoundError, status: 404, code: "not_found" }));

await check("413: a body above 32 MB", () =>
  fails(() => client("rich", { maxRetries: 2 }).chat.completions.create({
    model: "gpt-5", messages: [{ role: "user", content: "x".repeat(32 * 1024 * 1024) }],
  }), { type: OpenAI.APIError, status: 413, code: "request_too_large" }));

await check("429: without credit it is RateLimitError, insufficient_quota, not retried, and no provider is called", async () => {
  const before = await tally();
  await fails(ask("poor", "gpt-5", { maxRetries: 2 }), { type: OpenAI.RateLimitError, status: 429, code: "insufficient_quota" });
  equal((await tally()).requests, before.requests, "provider calls");
});

await check("429: a provider's rate limit is RateLimitError; Retry-After is waited for", async () => {
  const begun = Date.now();
  const error = await fails(ask("rich", "node-rate", { maxRetries: 1 }),
    { type: OpenAI.RateLimitError, status: 429, code: "rate_limit_exceeded", tries: 2 });
  must(Number(error.headers.get("retry-after")) >= 1, "no Retry-After");
  must(Date.now() - begun >= 1000, "did not wait");
});

await check("503: a provider that is down is InternalServerError with Retry-After", async () => {
  const error = await fails(ask("rich", "node-down"), { type: OpenAI.InternalServerError, status: 503, code: "service_unavailable" });
  must(Number(error.headers.get("retry-after")) >= 1, "no Retry-After");
});

for (const model of ["node-broken", "node-cut"])
  await check(`an error inside a stream is APIError (${model})`, async () => {
    const stream = await client("rich").chat.completions.create({ model, messages, stream: true });
    let error;
    try {
      for await (const _ of stream);
    } catch (caught) {
      error = caught;
    }
    must(error instanceof OpenAI.APIError, `wanted APIError, got ${error?.constructor?.name}`);
  });

await check("a doubled version in the base URL works", async () => {
  const response = await ask("rich", "gpt-5", { baseURL: `${BASE}/v1` })();
  must(response.choices[0].message.content.startsWith(ANSWER), "content");
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
