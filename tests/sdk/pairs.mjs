// Every answer of the gateway, for each client format and each provider format, whole and streamed, against the closed schemas of
// tests/schemas: a member that neither the format nor our documentation knows is a fault. Whole and streamed answers say the same.
import { checkError, checkStream, checkWhole, parseEvents, validate, DIALECTS, STATUSES } from "./schemas.mjs";
import { ANSWER, FORMATS, KEY, ROOT, check, done, equal, has, must, row } from "./kit.mjs";

const CLIENTS = { chat: "openai-chat", responses: "openai-responses", messages: "anthropic", gemini: "gemini" };

async function send(client, path, body, headers = {}) {
  const response = await fetch(ROOT + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}`, ...DIALECTS[client].headers, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(30000),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function ask(client, provider, controls, o, purpose = "") {
  const dialect = DIALECTS[client];
  const headers = { "x-aipass-cost": "include" };
  const options = { model: `pairs-${provider}${purpose}`, prompt: `${controls ? `[[sim ${controls}]] ` : ""}Hello`, ...o };
  return send(client, dialect.path(options), dialect.body(options), headers);
}

function fits(faults, reply) {
  must(faults.length === 0, `${faults.join("; ")} in ${reply.text.slice(-1500)}`);
}

function answered(reply, client, isStream) {
  must(reply.status === 200, `status ${reply.status}: ${reply.text.slice(0, 600)}`);
  fits(isStream ? checkStream(client, reply.text) : checkWhole(client, reply.text), reply);
  return digest[client](isStream ? documents(reply.text) : [JSON.parse(reply.text)], isStream);
}

function documents(text) {
  if (text.trimStart().startsWith("[")) return JSON.parse(text);
  return parseEvents(text).events.filter((e) => e.data && e.data !== "[DONE]").map((e) => JSON.parse(e.data));
}

// ---- what an answer says, whatever its format and form ----

const nothing = () => ({ text: "", thinking: "", refusal: "", calls: [], images: 0, finish: null, input: null, output: null, cost: null });

const digest = {
  chat(docs, isStream) {
    const said = nothing();
    for (const d of docs) {
      for (const c of d.choices) {
        const m = isStream ? c.delta : c.message;
        said.text += m.content ?? "";
        said.thinking += m.reasoning_content ?? "";
        said.refusal += m.refusal ?? "";
        said.images += m.images?.length ?? 0;
        for (const [i, t] of (m.tool_calls ?? []).entries()) {
          const call = (said.calls[isStream ? t.index : i] ??= { name: "", args: "", sealed: false });
          call.name += t.function?.name ?? t.custom?.name ?? "";
          call.args += t.function?.arguments ?? t.custom?.input ?? "";
          call.sealed ||= t.extra_content !== undefined;
        }
        said.finish = c.finish_reason ?? said.finish;
      }
      if (d.usage) Object.assign(said, { input: d.usage.prompt_tokens, output: d.usage.completion_tokens, cost: d.usage.cost });
    }
    return said;
  },
  responses(docs, isStream) {
    const said = nothing();
    const last = isStream ? docs.at(-1).response : docs[0];
    for (const item of last.output) {
      if (item.type === "message") for (const p of item.content) p.type === "refusal" ? (said.refusal += p.refusal) : (said.text += p.text);
      if (item.type === "reasoning") said.thinking += [...item.summary, ...(item.content ?? [])].map((p) => p.text).join("");
      if (item.type === "image_generation_call") said.images++;
      if (item.call_id) said.calls.push({ name: item.name, args: item.arguments ?? item.input, sealed: false });
    }
    said.finish = last.status + (last.incomplete_details?.reason ?? "");
    if (last.usage) Object.assign(said, { input: last.usage.input_tokens, output: last.usage.output_tokens, cost: last.usage.cost });
    if (isStream) {
      const sum = (type) => docs.filter((d) => d.type === type).map((d) => d.delta).join("");
      equal(sum("response.output_text.delta"), said.text, "the deltas of the text");
      equal(sum("response.function_call_arguments.delta") + sum("response.custom_tool_call_input.delta"), said.calls.map((c) => c.args).join(""), "the deltas of arguments");
    }
    return said;
  },
  messages(docs, isStream) {
    const said = nothing();
    const blocks = isStream ? [] : docs[0].content;
    const seals = [];
    const end = isStream ? docs.find((d) => d.type === "message_delta") : docs[0];
    if (isStream)
      for (const d of docs) {
        if (d.type === "content_block_start") blocks[d.index] = { ...d.content_block, json: "" };
        if (d.type === "content_block_delta") {
          const b = blocks[d.index];
          if (d.delta.type === "text_delta") b.text += d.delta.text;
          if (d.delta.type === "thinking_delta") b.thinking += d.delta.thinking;
          if (d.delta.type === "signature_delta") b.signature += d.delta.signature;
          if (d.delta.type === "input_json_delta") b.json += d.delta.partial_json;
        }
      }
    for (const b of blocks) {
      said.text += b.text ?? "";
      said.thinking += b.thinking ?? "";
      if (b.type === "thinking") seals.push(b.signature);
      if (b.type === "tool_use") said.calls.push({ name: b.name, args: JSON.stringify(b.json ? JSON.parse(b.json) : b.input), sealed: false });
    }
    must(seals.every((s) => s), "a thinking block without signature");
    const reason = isStream ? end.delta : end;
    said.finish = reason.stop_reason;
    Object.assign(said, { input: end.usage.input_tokens, output: end.usage.output_tokens, cost: end.usage.cost });
    return said;
  },
  gemini(docs) {
    const said = nothing();
    for (const d of docs) {
      for (const c of d.candidates ?? []) {
        for (const p of c.content?.parts ?? []) {
          if (p.text !== undefined) said[p.thought ? "thinking" : "text"] += p.text;
          if (p.functionCall) said.calls.push({ name: p.functionCall.name, args: JSON.stringify(p.functionCall.args), sealed: p.thoughtSignature !== undefined });
          if (p.inlineData) said.images++;
        }
        said.finish = c.finishReason ?? said.finish;
      }
      said.finish ??= d.promptFeedback?.blockReason ?? null;
      const u = d.usageMetadata;
      if (u) Object.assign(said, { input: u.promptTokenCount, output: u.candidatesTokenCount ?? said.output, cost: u.cost ?? null });
    }
    return said;
  },
};

// ---- answers ----

// Name, controls, what is asked, and optionally: the provider formats that can do it; how each client hears of the end.
const ENDS = {
  stop: { chat: "stop", responses: "completed", messages: "end_turn", gemini: "STOP" },
  tool: { chat: "tool_calls", responses: "completed", messages: "tool_use", gemini: "STOP" },
  length: { chat: "length", responses: "incompletemax_output_tokens", messages: "max_tokens", gemini: "MAX_TOKENS" },
};
const WAYS = [
  { name: "text", end: "stop" },
  { name: "one call", controls: "tool=1", o: { tools: true }, end: "tool" },
  { name: "three calls behind thinking and a sentence", controls: "tool=3,preface,think=2", o: { tools: true, thinking: true }, end: "tool" },
  { name: "thinking", controls: "think=3", o: { thinking: true }, end: "stop" },
  { name: "thinking that was not asked for", controls: "think=4", end: "stop" },
  { name: "redacted thinking", controls: "think=1,redacted", o: { thinking: true }, providers: ["anthropic"], end: "stop" },
  { name: "a refusal", controls: "refusal" },
  { name: "the token limit", controls: "huge=4000,chunk=10", o: { max: 16 }, end: "length" },
  { name: "a call cut by the token limit", controls: "tool=1,finish=LENGTH", o: { tools: true } },
  { name: "a stop sequence", o: { stops: ["demo"] }, clients: ["chat", "messages", "gemini"] },
  { name: "a schema", o: { schema: true }, end: "stop" },
  { name: "caches, reasoning and searches", controls: "prompt=1000,completion=50,cached=600,cache_write=30,cache_write_long=20,reasoning=9,searches=2", end: "stop" },
  { name: "usage of zero", controls: "usage=zero", end: "stop" },
  { name: "usage at the end", controls: "usage=finish,completion=20", end: "stop" },
  { name: "no usage", controls: "usage=none", end: "stop", providers: ["openai-chat", "openai-responses", "gemini"] },
  { name: "one chunk", controls: "tokens=1", end: "stop" },
  { name: "no content", controls: "tokens=0", end: "stop" },
  { name: "three bytes at a time", controls: "drip,tool=2,preface", o: { tools: true }, end: "tool" },
  { name: "a content filter", controls: "finish=FILTER" },
  { name: "a pause", controls: "finish=pause_turn", providers: ["anthropic"] },
  { name: "pictures", controls: "image=2", providers: ["gemini"], end: "stop" },
  { name: "a blocked prompt", controls: "blocked", providers: ["gemini"] },
  { name: "a broken call", controls: "finish=MALFORMED_FUNCTION_CALL", o: { tools: true }, providers: ["gemini"] },
  { name: "arguments that are no JSON", controls: "tool=1,text=oops", o: { tools: true }, providers: ["openai-chat", "openai-responses"], clients: ["chat", "responses", "gemini"] },
  { name: "arguments in many characters", controls: 'tool=1,text={"city":"Zürich %5C"quoted%5C" 東京"}', o: { tools: true }, end: "tool" },
  { name: "a free tool", controls: "tool=1", o: { custom: true }, clients: ["chat", "responses"], end: "tool" },
];
const LENGTH = { "openai-chat": "length", "openai-responses": "max_output_tokens", anthropic: "max_tokens", gemini: "MAX_TOKENS" };
const FILTER = { "openai-chat": "content_filter", "openai-responses": "content_filter", anthropic: "refusal", gemini: "SAFETY" };

const canSay = (way, provider, client) => (way.providers ?? FORMATS).includes(provider) && (way.clients ?? Object.keys(CLIENTS)).includes(client);

async function answers(client, provider, way) {
  // The simulator's own count is of the request's bytes, which differ.
  const usage = way.o?.max || /usage=|prompt=/.test(way.controls) ? "" : "prompt=100,completion=20,";
  const controls = (usage + (way.controls ?? "")).replace("LENGTH", LENGTH[provider]).replace("FILTER", FILTER[provider]).replace(/,$/, "");
  const whole = answered(await ask(client, provider, controls, { ...way.o }), client, false);
  const stream = answered(await ask(client, provider, controls, { ...way.o, stream: true }), client, true);
  // Usage that nobody told, or not in time, is an estimate, of each form by itself.
  if (/^(no usage|usage at the end|the token limit|a stop sequence)$/.test(way.name)) for (const said of [whole, stream]) Object.assign(said, { input: 0, output: 0, cost: 0 });
  equal(stream, whole, "streamed and whole differ");
  if (way.end) equal(whole.finish, ENDS[way.end][client], "the end");
  if (way.name === "text") has(whole.text, ANSWER, "text");
  if (client === "gemini") equal(answered(await ask(client, provider, controls, { ...way.o, stream: true, array: true }), client, true).text, stream.text, "the array");
  return whole;
}

function answerChecks(client, provider) {
  for (const way of WAYS.filter((w) => canSay(w, provider, client))) check(`${client} to ${provider}: ${way.name}`, () => answers(client, provider, way));
  for (const stream of [false, true])
    check(`${client} to ${provider}: the cost in the answer is the usage row's${stream ? ", streamed" : ""}`, async () => {
      const reply = await ask(client, provider, "prompt=1000,completion=50,cached=600", { stream });
      const said = answered(reply, client, stream);
      equal(said.cost, 0.00096, "cost");
      equal(await row(reply.headers.get("x-request-id"), "status, client_format, provider_format, cost"), `ok ${CLIENTS[client]} ${provider} 0.000960000`, "row");
    });
  check(`${client} to ${provider}: a loop of tools with thinking`, async () => {
    const first = await ask(client, provider, "tool=2,think=2", { tools: true, thinking: true });
    answered(first, client, false);
    const messages = DIALECTS[client].loop(JSON.parse(first.text), (i) => `It is ${20 + i} °C "there"`);
    const reply = await ask(client, provider, "", { tools: true, thinking: true, messages });
    has(answered(reply, client, false).text, 'The tool said: It is 20 °C "there" and It is 21 °C "there"', "text");
  });
}

// ---- errors ----

function refused(reply, client) {
  must(reply.status >= 400, `status ${reply.status}: ${reply.text.slice(0, 300)}`);
  fits(checkError(client, reply.text), reply);
  has(reply.headers.get("content-type"), "application/json", "content-type");
}

function errorChecks(client, provider) {
  for (const status of STATUSES)
    for (const stream of [false, true])
      check(`${client} to ${provider}: status ${status}${stream ? ", streamed" : ""}`, async () => {
        const reply = await ask(client, provider, `status=${status},retry_after=1`, { stream, array: stream }, "-errors");
        refused(reply, client);
        if (status === 400) equal(reply.status, 400, "status");
        if (status === 401) must(reply.status >= 500, `a refusal of our key became ${reply.status}`);
      });
  for (const controls of ["cut=2", "eof=2", "malformed=1", "error_in=1", "reset=head"])
    check(`${client} to ${provider}: ${controls}, whole`, async () => {
      const reply = await ask(client, provider, controls, {}, "-errors");
      if (reply.status === 200) answered(reply, client, false); // what breaks streams may leave whole answers whole
      else refused(reply, client);
    });
  for (const controls of ["cut=3", "eof=3", "malformed=2", "error_in=3", "error_in=3,error_status=429", "reset=4", "error_in=0"])
    check(`${client} to ${provider}: ${controls}, streamed`, async () => {
      const reply = await ask(client, provider, `tokens=20,${controls}`, { stream: true }, "-errors");
      if (reply.status !== 200) return refused(reply, client);
      fits(checkStream(client, reply.text), reply);
      const last = documents(reply.text).at(-1);
      must(last.error || last.type === "error" || last.type === "response.failed", `ends with ${JSON.stringify(last)}`);
    });
}

// What the gateway itself refuses.
function ownErrors(client) {
  const dialect = DIALECTS[client];
  const o = { model: "pairs-gemini" };
  const path = dialect.path(o);
  const refusals = {
    "no key": [401, () => send(client, path, dialect.body(o), { authorization: "" })],
    "an unknown key": [401, () => send(client, path, dialect.body(o), { authorization: "Bearer sk-aip-sdk-nobody" })],
    "no credit": [null, () => send(client, path, dialect.body(o), { authorization: "Bearer sk-aip-sdk-poor" })],
    "a model that is not allowed": [403, () => send(client, path, dialect.body(o), { authorization: "Bearer sk-aip-sdk-limited" })],
    "an unknown model": [404, () => send(client, dialect.path({ model: "none" }), dialect.body({ model: "none" }))],
    "a body that is no JSON": [400, () => send(client, path, '{"model":')],
    "an empty body": [400, () => send(client, path, "")],
    "a body of another kind": [400, () => send(client, path, { model: "pairs-gemini", messages: "x", input: 7, contents: "y" })],
    "no tool of that name": [400, () => send(client, path, { ...dialect.body(o), tool_choice: 5, toolConfig: 5, tools: [5] })],
  };
  for (const [name, [status, call]] of Object.entries(refusals))
    check(`${client}: ${name}`, async () => {
      const reply = await call();
      refused(reply, client);
      if (status) equal(reply.status, status, "status");
    });
}

// ---- what is counted, listed and embedded ----

for (const provider of FORMATS) {
  check(`count_tokens by ${provider}`, async () => {
    const reply = await send("messages", "/v1/messages/count_tokens", { model: `pairs-${provider}`, messages: [{ role: "user", content: "Hello there" }] });
    equal(reply.status, 200, "status");
    fits(validate("anthropic#/$defs/CountTokens", JSON.parse(reply.text)), reply);
  });
  check(`countTokens by ${provider}`, async () => {
    const reply = await send("gemini", `/v1beta/models/pairs-${provider}:countTokens`, { contents: [{ parts: [{ text: "Hello there" }] }] });
    equal(reply.status, 200, "status");
    fits(validate("gemini#/$defs/CountTokensResponse", JSON.parse(reply.text)), reply);
  });
}

for (const client of Object.keys(CLIENTS)) {
  ownErrors(client);
  for (const provider of FORMATS) {
    answerChecks(client, provider);
    errorChecks(client, provider);
  }
}
await done("pairs");
