// The official OpenAI SDK for Node.js against each provider format: Chat Completions and Responses.
import OpenAI from "openai";
import { ANSWER, BASE, FORMATS, KEY, check, done, equal, fails, has, lastId, must, row } from "./kit.mjs";

const client = (options = {}) => new OpenAI({ apiKey: KEY, baseURL: BASE, maxRetries: 0, timeout: 30000, ...options });
const says = (content) => [{ role: "user", content }];
const PARAMETERS = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const SCHEMA = { type: "object", properties: { name: { type: "string" }, ages: { type: "array", items: { type: "integer" } } }, required: ["name", "ages"], additionalProperties: false };
const RESULT = 'It is 21 °C "there"';
const EVENTS = 2000;

function chat(provider) {
  const model = `node-openai-${provider}`;
  const tools = [{ type: "function", function: { name: "get_weather", description: "Weather", parameters: PARAMETERS } }];
  const title = `chat to ${provider}`;
  const create = (content, o = {}) => client().chat.completions.create({ model, messages: says(content), ...o });

  check(`${title}: a whole answer`, async () => {
    const a = await create("Hello");
    has(a.choices[0].message.content, ANSWER, "content");
    equal([a.model, a.choices[0].finish_reason], [model, "stop"], "model and end");
    must(a.usage.total_tokens === a.usage.prompt_tokens + a.usage.completion_tokens && a.usage.total_tokens > 0, "usage");
    equal(a._request_id, lastId(), "request id");
  });
  check(`${title}: a streamed answer`, async () => {
    let text = "";
    let usage;
    for await (const c of await create("Hello", { stream: true, stream_options: { include_usage: true } })) {
      text += c.choices[0]?.delta.content ?? "";
      usage = c.usage ?? usage;
    }
    has(text, ANSWER, "text");
    must(usage.total_tokens > 0, "usage");
  });
  check(`${title}: the .stream() helper`, async () => {
    const stream = client().chat.completions.stream({ model, messages: says("Hello") });
    let deltas = "";
    stream.on("content", (delta) => (deltas += delta));
    const a = await stream.finalChatCompletion();
    has(a.choices[0].message.content, ANSWER, "content");
    equal(deltas, a.choices[0].message.content, "deltas");
  });
  for (const stream of [false, true])
    check(`${title}: a loop of tools by runTools()${stream ? ", streamed" : ""}`, async () => {
      const asked = [];
      const runner = client().chat.completions.runTools({
        model, stream, messages: says("[[sim tool=2]] weather?"),
        tools: [{ type: "function", function: { name: "get_weather", parameters: PARAMETERS, parse: JSON.parse, function: (args) => (asked.push(args.city), RESULT) } }],
      });
      const text = await runner.finalContent();
      equal(asked, ["Paris", "Paris"], "calls");
      has(text, `The tool said: ${RESULT} and ${RESULT}`, "content");
    });
  for (const stream of [false, true])
    check(`${title}: thinking goes back with its calls${stream ? ", streamed" : ""}`, async () => {
      const body = { model, tools, reasoning_effort: "low", messages: says("[[sim tool=1,think=2]] weather?") };
      const a = stream ? await client().chat.completions.stream(body).finalChatCompletion() : await client().chat.completions.create(body);
      const { message } = a.choices[0];
      const seal = message.tool_calls[0].extra_content?.google.thought_signature;
      if (provider !== "openai-chat") must(seal, "no signature");
      if (provider !== "openai-responses") has(message.reasoning_content, "Let me think", "thinking"); // which is asked for no summary
      const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: RESULT };
      const next = await client().chat.completions.create({ ...body, messages: [...body.messages, message, result] });
      has(next.choices[0].message.content, `The tool said: ${RESULT}`, "content");
      // The helper keeps the last piece of reasoning_content only, which no signature fits any more.
      if (!seal || (stream && provider === "anthropic")) return;
      const echo = await client().chat.completions.create({ ...body, messages: [...says("[[sim echo]]"), message, result] });
      has(echo.choices[0].message.content, /^aip1\.[^.]*\.[^.]*\./.test(seal) ? seal.split(".").pop() : seal, "what the provider got");
    });
  check(`${title}: .parse() of structured output`, async () => {
    const a = await client().chat.completions.parse({
      model, messages: says("Who?"), response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema: SCHEMA } },
    });
    const person = JSON.parse(a.choices[0].message.content);
    must(typeof person.name === "string" && Array.isArray(person.ages), a.choices[0].message.content);
  });
  check(`${title}: a stream of ${EVENTS} events`, async () => {
    let n = 0;
    let text = "";
    for await (const c of await create(`[[sim tokens=${EVENTS}]]`, { stream: true })) {
      if (c.choices[0]?.delta.content) n++;
      text += c.choices[0]?.delta.content ?? "";
    }
    equal(n, EVENTS, "events");
    must(text.length > EVENTS, "text");
  });
  check(`${title}: a stream that is broken off is client_gone`, async () => {
    let n = 0;
    for await (const c of await create("[[sim tokens=1000,pace=20]]", { stream: true })) if (c && ++n === 3) break;
    has(await row(lastId(), "status, cost > 0"), "client_gone 1", "usage row");
  });
  errors(title, `${model}-errors`, (m, content, o, options) => client(options).chat.completions.create({ model: m, messages: says(content), ...o }));
}

// Chat and Responses have the same classes.
function errors(title, model, ask) {
  const CLASSES = {
    400: [OpenAI.BadRequestError, 400],
    413: [OpenAI.APIError, 413],
    429: [OpenAI.RateLimitError, 429],
    500: [OpenAI.InternalServerError, null],
  };
  for (const [status, [type, wanted]] of Object.entries(CLASSES))
    for (const stream of [false, true])
      check(`${title}: status ${status} is ${type.name}${stream ? ", streamed" : ""}`, async () => {
        const mayRetry = status >= 429;
        const error = await fails(() => ask(model, `[[sim status=${status},retry_after=1]]`, { stream }, { maxRetries: mayRetry ? 0 : 2 }), type);
        if (wanted) equal(error.status, wanted, "status");
        must(error.requestID, "no request id");
      });
  check(`${title}: an error inside the stream`, async () => {
    let last;
    const read = async () => {
      for await (const c of await ask(model, "[[sim tokens=20,error_in=3]]", { stream: true })) last = c;
    };
    if (title.startsWith("chat")) return fails(read, OpenAI.APIError);
    await read();
    equal([last.type, last.response.status], ["response.failed", "failed"], "the last event");
    must(last.response.error.message, "no message");
  });
}

function responses(provider) {
  const model = `node-openai-${provider}`;
  const tools = [{ type: "function", name: "get_weather", description: "Weather", parameters: PARAMETERS, strict: true }];
  const title = `responses to ${provider}`;
  const create = (input, o = {}) => client().responses.create({ model, input, ...o });

  check(`${title}: a whole answer`, async () => {
    const a = await create("Hello");
    has(a.output_text, ANSWER, "text");
    equal([a.model, a.status], [model, "completed"], "model and end");
    must(a.usage.total_tokens > 0, "usage");
  });
  check(`${title}: a streamed answer`, async () => {
    let text = "";
    const types = [];
    for await (const e of await create(says("Hello"), { stream: true, store: false })) {
      types.push(e.type);
      if (e.type === "response.output_text.delta") text += e.delta;
    }
    has(text, ANSWER, "text");
    equal([types[0], types.at(-1)], ["response.created", "response.completed"], "first and last event");
  });
  check(`${title}: the .stream() helper`, async () => has((await client().responses.stream({ model, input: "Hello" }).finalResponse()).output_text, ANSWER, "text"));
  for (const stream of [false, true])
    check(`${title}: a loop of tools with reasoning${stream ? ", streamed" : ""}`, async () => {
      const body = { model, tools, store: false, include: ["reasoning.encrypted_content"], reasoning: { effort: "low", summary: "auto" } };
      const ask = (input) => (stream ? client().responses.stream({ ...body, input }).finalResponse() : client().responses.create({ ...body, input }));
      const a = await ask(says("[[sim tool=2,think=2]] weather?"));
      const calls = a.output.filter((i) => i.type === "function_call");
      equal(calls.map((c) => JSON.parse(c.arguments).city), ["Paris", "Paris"], "calls");
      const seal = a.output.find((i) => i.type === "reasoning" && i.encrypted_content)?.encrypted_content;
      if (provider !== "openai-chat") must(seal, "no encrypted reasoning");
      const output = a.output.map(({ parsed_arguments, ...item }) => item);
      const results = calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: RESULT }));
      has((await ask([...says("weather?"), ...output, ...results])).output_text, `The tool said: ${RESULT} and ${RESULT}`, "text");
      if (!seal || stream) return;
      const echo = await client().responses.create({ ...body, input: [...says("[[sim echo]]"), ...output, ...results] });
      has(echo.output_text, seal.startsWith("aip1.") ? seal.split(".").pop() : seal, "what the provider got");
    });
  check(`${title}: .parse() of structured output`, async () => {
    const a = await client().responses.parse({ model, input: "Who?", text: { format: { type: "json_schema", name: "person", strict: true, schema: SCHEMA } } });
    must(Array.isArray(JSON.parse(a.output_text).ages), a.output_text);
  });
  check(`${title}: a stream of ${EVENTS} events`, async () => {
    let n = 0;
    let last;
    for await (const e of await create(`[[sim tokens=${EVENTS}]]`, { stream: true })) {
      if (e.type === "response.output_text.delta") n++;
      last = e;
    }
    equal(n, EVENTS, "events");
    must(last.response.usage.output_tokens >= EVENTS, "tokens");
  });
  check(`${title}: a stream that is aborted is client_gone`, async () => {
    const stream = await create("[[sim tokens=1000,pace=20]]", { stream: true });
    let n = 0;
    for await (const e of stream) if (e.type === "response.output_text.delta" && ++n === 3) stream.controller.abort();
    has(await row(lastId(), "status, cost > 0"), "client_gone 1", "usage row");
  });
  errors(title, `${model}-errors`, (m, input, o, options) => client(options).responses.create({ model: m, input, ...o }));
}

for (const provider of FORMATS) {
  chat(provider);
  responses(provider);
}
check("responses: an answer is kept, continued and deleted", async () => {
  const model = "node-openai-openai-responses";
  const made = await client().responses.create({ model, input: "Hello" });
  equal((await client().responses.retrieve(made.id)).output_text, made.output_text, "kept");
  has((await client().responses.create({ model, input: "And?", previous_response_id: made.id })).output_text, ANSWER, "continued");
  await client().responses.delete(made.id);
  await fails(() => client({ maxRetries: 2 }).responses.retrieve(made.id), OpenAI.NotFoundError);
});
check("responses: an unknown model is NotFoundError, not retried", () => fails(() => client({ maxRetries: 2 }).responses.create({ model: "none", input: "x" }), OpenAI.NotFoundError));
check("responses: an unknown key is AuthenticationError, not retried", () =>
  fails(() => client({ maxRetries: 2, apiKey: "sk-aip-sdk-nobody" }).responses.create({ model: "gpt-5", input: "x" }), OpenAI.AuthenticationError));
await done("openai for Node.js");
