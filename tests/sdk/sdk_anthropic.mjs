// The official Anthropic SDK for Node.js against each provider format.
import Anthropic from "@anthropic-ai/sdk";
import { ANSWER, BASE, FORMATS, KEY, ROOT, check, done, equal, fails, has, lastId, must, row } from "./kit.mjs";

// The documentation's base URL has the version that the SDK adds once more.
const client = (options = {}) => new Anthropic({ apiKey: KEY, authToken: null, baseURL: BASE, maxRetries: 0, timeout: 30000, ...options });
const says = (content) => [{ role: "user", content }];
const tools = [{ name: "get_weather", description: "Weather", input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }, cache_control: { type: "ephemeral" } }];
const SCHEMA = { type: "object", properties: { name: { type: "string" }, ages: { type: "array", items: { type: "integer" } } }, required: ["name", "ages"], additionalProperties: false };
const RESULT = 'It is 21 °C "there"';
const EVENTS = 2000;
const textOf = (a) => a.content.find((b) => b.type === "text")?.text;

function messages(provider) {
  const model = `node-anthropic-${provider}`;
  const title = `messages to ${provider}`;
  const body = (content, o = {}) => ({ model, max_tokens: 4000, messages: says(content), ...o });
  const create = (content, o) => client().messages.create(body(content, o));

  check(`${title}: a whole answer`, async () => {
    const a = await create("Hello", { system: "Be brief." });
    has(textOf(a), ANSWER, "text");
    equal([a.model, a.stop_reason], [model, "end_turn"], "model and end");
    must(a.usage.input_tokens > 0 && a.usage.output_tokens > 0, "usage");
    equal(a._request_id, lastId(), "request id");
  });
  check(`${title}: a streamed answer`, async () => {
    const types = new Set();
    let text = "";
    for await (const e of await create("Hello", { stream: true })) {
      types.add(e.type);
      if (e.type === "content_block_delta") text += e.delta.text ?? "";
    }
    has(text, ANSWER, "text");
    must(types.has("message_start") && types.has("message_stop"), [...types].join());
  });
  check(`${title}: the .stream() helper`, async () => {
    const stream = client().messages.stream(body("Hello"));
    let deltas = "";
    stream.on("text", (delta) => (deltas += delta));
    const a = await stream.finalMessage();
    equal([deltas, a.stop_reason], [textOf(a), "end_turn"], "deltas and end");
    must(a.usage.input_tokens > 0 && a.usage.output_tokens > 0, "usage");
  });
  for (const stream of [false, true])
    check(`${title}: a loop of tools with thinking${stream ? ", streamed" : ""}`, async () => {
      const o = { tools, thinking: { type: "enabled", budget_tokens: 1024 } };
      const ask = (list) => (stream ? client().messages.stream({ ...body(""), ...o, messages: list }).finalMessage() : client().messages.create({ ...body(""), ...o, messages: list }));
      const a = await ask(says("[[sim tool=2,think=2,preface]] weather?"));
      equal(a.stop_reason, "tool_use", "end");
      const calls = a.content.filter((b) => b.type === "tool_use");
      equal(calls.map((c) => c.input.city), ["Paris", "Paris"], "calls");
      const thinking = a.content.find((b) => b.type === "thinking");
      must(thinking?.signature, "no signature");
      const back = [{ role: "assistant", content: a.content }, { role: "user", content: calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: RESULT })) }];
      has(textOf(await ask([...says("weather?"), ...back])), `The tool said: ${RESULT} and ${RESULT}`, "text");
      if (provider === "openai-chat") return; // which seals nothing
      const seal = thinking.signature;
      const echo = await client().messages.create({ ...body(""), ...o, messages: [...says("[[sim echo]]"), ...back] });
      has(textOf(echo), seal.startsWith("aip1.") ? seal.split(".").pop() : seal, "what the provider got");
    });
  check(`${title}: structured output`, async () => {
    const a = await create("Who?", { output_config: { format: { type: "json_schema", schema: SCHEMA } } });
    must(Array.isArray(JSON.parse(textOf(a)).ages), textOf(a));
  });
  check(`${title}: countTokens`, async () => must((await client().messages.countTokens({ model, messages: says("Hello there") })).input_tokens > 0, "tokens"));
  check(`${title}: a stream of ${EVENTS} events`, async () => {
    let n = 0;
    const stream = client().messages.stream(body(`[[sim tokens=${EVENTS}]]`));
    stream.on("text", () => n++);
    equal((await stream.finalMessage()).usage.output_tokens, EVENTS, "tokens");
    equal(n, EVENTS, "events");
  });
  check(`${title}: a stream that is aborted is client_gone`, async () => {
    const stream = client().messages.stream(body("[[sim tokens=1000,pace=20]]"));
    let n = 0;
    stream.on("text", () => ++n === 3 && stream.abort());
    await fails(() => stream.finalMessage(), Anthropic.APIUserAbortError);
    has(await row(lastId(), "status, cost > 0"), "client_gone 1", "usage row");
  });
  const CLASSES = { 400: [Anthropic.BadRequestError, "invalid_request_error"], 413: [Anthropic.APIError, "request_too_large"], 429: [Anthropic.RateLimitError, "rate_limit_error"], 500: [Anthropic.InternalServerError, null] };
  for (const [status, [type, word]] of Object.entries(CLASSES))
    for (const stream of [false, true])
      check(`${title}: status ${status} is ${type.name}${stream ? ", streamed" : ""}`, async () => {
        const error = await fails(
          () => client({ maxRetries: status >= 429 ? 0 : 2 }).messages.create({ ...body(`[[sim status=${status},retry_after=1]]`, { stream }), model: `${model}-errors` }), type);
        equal(error.error.type, "error", "type of the body");
        if (word) equal(error.error.error.type, word, "type");
        must(error.requestID, "no request id");
      });
  check(`${title}: an error inside the stream is APIError`, () =>
    fails(() => client().messages.stream({ ...body("[[sim tokens=20,error_in=3]]"), model: `${model}-errors` }).finalMessage(), Anthropic.APIError));
}

for (const provider of FORMATS) messages(provider);
const MODEL = "node-anthropic-anthropic";
for (const [name, options] of Object.entries({
  "the host": { baseURL: ROOT },
  "a version twice": { baseURL: BASE },
  "a version three times": { baseURL: `${BASE}/v1` },
  "x-api-key": { apiKey: null, defaultHeaders: { "x-api-key": KEY, Authorization: null } },
  "a token": { apiKey: null, authToken: KEY },
}))
  check(`base URL and key: ${name}`, async () => {
    const c = client(options);
    has(textOf(await c.messages.create({ model: MODEL, max_tokens: 100, messages: says("Hello") })), ANSWER, "text");
    has(textOf(await c.beta.messages.create({ model: MODEL, max_tokens: 100, messages: says("Hello"), betas: ["interleaved-thinking-2025-05-14"] })), ANSWER, "text");
    must((await c.messages.countTokens({ model: MODEL, messages: says("Hello") })).input_tokens > 0, "tokens");
  });
check("models.list and models.retrieve", async () => {
  const ids = [];
  for await (const m of client().models.list({ limit: 7 })) ids.push(m.id);
  must(ids.includes(MODEL) && new Set(ids).size === ids.length, ids.join());
  equal((await client().models.retrieve(MODEL)).id, MODEL, "id");
});
const hello = (o = {}) => client({ maxRetries: 2, ...o }).messages.create({ model: o.model ?? MODEL, max_tokens: 10, messages: says("x") });
check("an unknown key is AuthenticationError, not retried", async () => {
  const error = await fails(() => hello({ apiKey: "sk-aip-sdk-nobody" }), Anthropic.AuthenticationError);
  equal(error.error.error.type, "authentication_error", "type");
});
check("an unknown model is NotFoundError, not retried", () => fails(() => hello({ model: "none" }), Anthropic.NotFoundError));
check("a model that the key may not use is PermissionDeniedError, not retried", () => fails(() => hello({ apiKey: "sk-aip-sdk-limited" }), Anthropic.PermissionDeniedError));
check("no credit is told once", () => fails(() => hello({ apiKey: "sk-aip-sdk-poor" }), Anthropic.APIError));
check("a request without max_tokens is BadRequestError, not retried", () =>
  fails(() => client({ maxRetries: 2 }).messages.create({ model: MODEL, messages: says("x") }), Anthropic.BadRequestError));
await done("anthropic for Node.js");
