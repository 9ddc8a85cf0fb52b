// Validates answers against the schemas in tests/schemas, closed so that an unknown member is a fault, and streams as a whole.
//
// As a module: import { checkWhole, checkStream, checkError, parseEvents, DIALECTS } from "./schemas.mjs"; each check returns a list of faults.
// As a program:
//   node schemas.mjs FORMAT whole|stream|error FILE            an answer's body as it came ("-": standard input)
//   node schemas.mjs FORMAT whole|stream|error URL [BODY [HEADER: VALUE]...]   asks, then checks
//   node schemas.mjs --provider URL                            the simulator at URL, in all formats, with all its ways to answer
// FORMAT: chat, responses, messages, gemini. SCHEMAS names the folder of the schemas, else ../schemas.
// Prints PASS and FAIL lines for --provider, whose last line is 'N passed, N failed'; status 1 when anything is wrong.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const FOLDER = process.env.SCHEMAS ?? path.join(path.dirname(fileURLToPath(import.meta.url)), "../schemas");

// Forbid what the schemas do not name. $defs used inside allOf stay open: unevaluatedProperties of the whole closes them.
function strict(doc) {
  const open = new Set();
  (function scan(x, inAll) {
    if (!x || typeof x !== "object") return;
    if (Array.isArray(x)) return x.forEach((y) => scan(y, inAll));
    if (inAll && x.$ref) open.add(x.$ref.split("/").pop());
    for (const k in x) scan(x[k], k === "allOf");
  })(doc, false);
  (function walk(x, isOpen) {
    if (!x || typeof x !== "object") return;
    if (Array.isArray(x)) return x.forEach((y) => walk(y, isOpen));
    if (!isOpen) {
      if (x.allOf) x.unevaluatedProperties = false;
      else if (x.properties && x.additionalProperties === undefined) x.additionalProperties = false;
    }
    for (const k in x) {
      const v = x[k];
      if (k === "properties") Object.values(v).forEach((y) => walk(y, false));
      else if (k === "$defs") for (const n in v) walk(v[n], open.has(n));
      else if (k === "allOf") walk(v, true);
      else if (k !== "enum" && k !== "required") walk(v, false);
    }
  })(doc, false);
  return doc;
}

// Members beyond the official schemas that providers send and clients know, and the gateway's own: the cost in usage, signatures of
// thinking in extra_content, pictures in Chat. Each: where the object is found, name, schema; it takes the place of one that is there.
const COUNT = { type: "integer", minimum: 0 };
const COST = { type: "number", minimum: 0 };
const SIGNATURE = {
  type: "object",
  required: ["google"],
  properties: { google: { type: "object", required: ["thought_signature"], properties: { thought_signature: { type: "string", minLength: 1 } } } },
};
const IMAGES = {
  type: "array",
  items: {
    type: "object",
    required: ["type", "image_url"],
    properties: { index: COUNT, type: { const: "image_url" }, image_url: { type: "object", required: ["url"], properties: { url: { type: "string", pattern: "^(data|https?):" } } } },
  },
};
const isChatCall = (o) => o.properties?.id && o.properties?.type && (o.properties.function || o.properties.custom);
const EXTENSIONS = {
  "openai-chat": [
    [(o) => o.properties?.refusal && o.properties?.role, "reasoning_content", { type: ["string", "null"] }],
    [(o) => o.properties?.cached_tokens && o.properties?.audio_tokens, "cache_write_tokens", COUNT],
    [(o) => o.properties?.index && o.properties?.function, "custom", { type: "object", properties: { name: { type: "string" }, input: { type: "string" } } }],
    [(o) => o.properties?.index && o.properties?.function, "type", { enum: ["function", "custom"] }],
    [(o) => o.properties?.prompt_tokens && o.properties?.completion_tokens, "cost", COST],
    [isChatCall, "extra_content", SIGNATURE],
    [(o) => o.properties?.refusal && o.properties?.role, "images", IMAGES],
  ],
  "openai-responses": [
    [(o) => o.properties?.cached_tokens && o.properties?.cache_write_tokens, "cache_write_tokens_details", { type: "object" }],
    [(o) => o.properties?.incomplete_details && o.properties?.output, "tool_usage", { type: "object" }],
    [(o) => o.properties?.input_tokens && o.properties?.output_tokens && o.properties?.total_tokens, "cost", COST],
  ],
  anthropic: [[(o) => o.properties?.output_tokens && o.properties?.cache_read_input_tokens, "cost", COST]],
  gemini: [[(o) => o.properties?.promptTokenCount && o.properties?.totalTokenCount, "cost", COST]],
};

function extend(doc) {
  const rules = EXTENSIONS[doc.$id] ?? [];
  (function walk(x) {
    if (!x || typeof x !== "object") return;
    if (!Array.isArray(x)) for (const [fits, name, schema] of rules) if (fits(x)) x.properties[name] = schema;
    Object.values(x).forEach(walk);
  })(doc);
  return doc;
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
for (const file of fs.readdirSync(FOLDER).filter((f) => f.endsWith(".json"))) ajv.addSchema(strict(extend(JSON.parse(fs.readFileSync(path.join(FOLDER, file))))));

const NAMES = {
  chat: { whole: "openai-chat#/$defs/ChatResponse", event: "openai-chat#/$defs/ChatChunk", error: "openai-chat#/$defs/ErrorBody" },
  responses: { whole: "openai-responses#/$defs/ResponseObject", event: "openai-responses#/$defs/ResponseEvent", error: "openai-responses#/$defs/ErrorBody" },
  messages: { whole: "anthropic#/$defs/Message", event: "anthropic#/$defs/StreamEvent", error: "anthropic#/$defs/ErrorBody" },
  gemini: { whole: "gemini#/$defs/GenerateContentResponse", event: "gemini#/$defs/GenerateContentResponse", error: "gemini#/$defs/ErrorBody" },
};

// validate - faults of a document against "id#/$defs/Name".
export function validate(name, document) {
  const check = ajv.getSchema(name);
  if (!check) return [`no schema ${name}`];
  if (check(document)) return [];
  // Of a union only the branches that fit the document's own type are worth reading.
  return [...new Set(check.errors.map((e) => `${e.instancePath || "/"} ${e.message} ${e.params.additionalProperty ?? e.params.unevaluatedProperty ?? ""}`.trim()))].slice(0, 12);
}

function parse(text, faults, what) {
  try {
    return JSON.parse(text);
  } catch (e) {
    faults.push(`${what} is not JSON: ${e.message}: ${String(text).slice(0, 80)}`);
    return undefined;
  }
}

// checkWhole, checkError - faults of an answer that is not streamed, of an error body.
export function checkWhole(format, text) {
  const faults = [];
  const body = parse(text, faults, "the body");
  return body === undefined ? faults : validate(NAMES[format].whole, body);
}

export function checkError(format, text) {
  const faults = [];
  const body = parse(text, faults, "the body");
  return body === undefined ? faults : validate(NAMES[format].error, Array.isArray(body) && format === "gemini" ? body[0] : body);
}

// parseEvents - the events of a body as [{event, data, extra}], extra: lines that are neither.
export function parseEvents(text) {
  const blocks = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").split("\n\n");
  const last = blocks.pop();
  const events = blocks.filter((b) => b.trim() !== "").map((block) => {
    const e = { event: null, data: null, extra: [] };
    for (const line of block.split("\n").filter((l) => l !== "")) {
      if (line.startsWith("data:")) e.data = (e.data === null ? "" : `${e.data}\n`) + line.slice(5).replace(/^ /, "");
      else if (line.startsWith("event:")) e.event = line.slice(6).trim();
      else e.extra.push(line);
    }
    return e;
  });
  return { events, rest: last };
}

const order = {
  chat(documents, faults) {
    const finished = new Map();
    const opened = new Set();
    const calls = new Map();
    let usage = 0;
    for (const d of documents) {
      if (d.error) continue;
      if (usage) faults.push("a chunk behind the usage chunk");
      if (d.choices.length === 0) usage++;
      if (d.choices.length === 0 && !d.usage) faults.push("a chunk without choices or usage");
      if (d.id !== documents[0].id || d.model !== documents[0].model || d.created !== documents[0].created) faults.push("id, model or created changed");
      for (const c of d.choices) {
        if (finished.get(c.index)) faults.push(`choice ${c.index} goes on behind its finish_reason`);
        if (c.delta.role && opened.has(c.index)) faults.push(`choice ${c.index} names its role again`);
        if (!c.delta.role && !opened.has(c.index)) faults.push(`choice ${c.index} does not begin with its role`);
        opened.add(c.index);
        if (c.finish_reason) finished.set(c.index, c.finish_reason);
        if (c.delta.tool_calls?.length === 0) faults.push("tool_calls is empty");
        for (const t of c.delta.tool_calls ?? []) {
          const known = calls.get(t.index);
          const name = t.function?.name ?? t.custom?.name;
          if (!known && (t.index !== calls.size || !t.id || !name)) faults.push(`tool call ${t.index} begins without id or name, or out of order`);
          if (known && (t.id || name)) faults.push(`tool call ${t.index} names itself again`);
          const args = t.function?.arguments ?? t.custom?.input ?? "";
          calls.set(t.index, { isCustom: !!(known?.isCustom || t.custom), args: (known?.args ?? "") + args });
        }
      }
    }
    if (documents.at(-1)?.error) return;
    for (const index of opened) if (!finished.get(index)) faults.push(`choice ${index} has no finish_reason`);
    if (calls.size > 0 && ![...finished.values()].includes("tool_calls") && ![...finished.values()].includes("length")) faults.push("calls, but finish_reason is not tool_calls");
  },
  responses(documents, faults) {
    const open = new Map();
    const done = [];
    documents.forEach((d, i) => {
      if (d.sequence_number !== i) faults.push(`sequence_number ${d.sequence_number} in place ${i}`);
      if (d.type === "response.output_item.added") {
        if (d.output_index !== open.size + done.length) faults.push(`item ${d.output_index} added out of order`);
        open.set(d.output_index, d.item.id);
      } else if (d.type === "response.output_item.done") {
        if (open.get(d.output_index) !== d.item.id) faults.push(`item ${d.output_index} done, but not added`);
        open.delete(d.output_index);
        done[d.output_index] = d.item;
      } else if (d.item_id !== undefined && open.get(d.output_index) !== d.item_id) {
        faults.push(`${d.type} for an item that is not open`);
      }
    });
    const last = documents.at(-1);
    if (documents[0]?.type !== "response.created" && documents[0]?.type !== "error") faults.push("does not begin with response.created");
    if (!/^response\.(completed|incomplete|failed)$|^error$/.test(last?.type ?? "")) faults.push(`ends with ${last?.type}`);
    if (/^response\.(completed|incomplete)$/.test(last?.type ?? "")) {
      if (open.size > 0) faults.push("an item was not done");
      if (JSON.stringify(last.response.output) !== JSON.stringify(done)) faults.push("the output differs from the done items");
    }
  },
  messages(documents, faults) {
    let index = 0;
    let isOpen = false;
    let json = null;
    let phase = 0; // 0: nothing, 1: started, 2: message_delta, 3: stopped, 4: error
    for (const d of documents) {
      if (phase >= 3) faults.push(`${d.type} behind the end`);
      if (d.type === "message_start" && phase++ !== 0) faults.push("a second message_start");
      if (d.type === "content_block_start") {
        if (isOpen || d.index !== index || phase !== 1) faults.push(`block ${d.index} starts out of order`);
        isOpen = true;
        json = d.content_block.type === "tool_use" ? "" : null;
      } else if (d.type === "content_block_delta") {
        if (!isOpen || d.index !== index) faults.push(`a delta for block ${d.index}, which is not open`);
        if (d.delta.type === "input_json_delta") json += d.delta.partial_json;
      } else if (d.type === "content_block_stop") {
        if (!isOpen || d.index !== index) faults.push(`block ${d.index} stops, but is not open`);
        if (json) parse(json, faults, `the input of block ${d.index}`);
        isOpen = false;
        index++;
      } else if (d.type === "message_delta") {
        if (isOpen || phase !== 1) faults.push("message_delta out of order");
        phase = 2;
      } else if (d.type === "message_stop") {
        if (phase !== 2) faults.push("message_stop without message_delta");
        phase = 3;
      } else if (d.type === "error") {
        phase = 4;
      }
    }
    if (phase < 3) faults.push("no message_stop");
  },
  gemini(documents, faults) {
    const finished = new Set();
    for (const d of documents) {
      for (const c of d.candidates ?? []) {
        const index = c.index ?? 0;
        if (finished.has(index)) faults.push(`candidate ${index} goes on behind its finishReason`);
        if (c.finishReason) finished.add(index);
      }
    }
    const isBlocked = documents.some((d) => d.promptFeedback?.blockReason);
    if (finished.size === 0 && !isBlocked && !documents.some((d) => d.error)) faults.push("no finishReason");
  },
};

function isError(format, d) {
  return format === "messages" || format === "responses" ? false : d.error !== undefined;
}

function checkDocuments(format, documents, faults) {
  documents.forEach((d, i) => {
    const name = isError(format, d) ? NAMES[format].error : NAMES[format].event;
    for (const fault of validate(name, d)) faults.push(`event ${i} (${d.type ?? d.object ?? "data"}): ${fault}`);
    if (isError(format, d) && i !== documents.length - 1) faults.push("the stream goes on behind an error");
  });
  if (documents.length === 0) faults.push("no events");
  else if (faults.length === 0) order[format](documents, faults);
  return faults;
}

// checkStream - faults of a streamed answer, each event and the whole. A Gemini stream may be a JSON array.
export function checkStream(format, text) {
  const faults = [];
  if (format === "gemini" && text.trimStart().startsWith("[")) {
    const list = parse(text, faults, "the body");
    return list === undefined ? faults : checkDocuments(format, list, faults);
  }
  const { events, rest } = parseEvents(text);
  const documents = [];
  const named = format === "messages" || format === "responses";
  if (rest.trim() !== "") faults.push("the last event has no blank line behind it");
  events.forEach((e, i) => {
    if (e.data === null) {
      if (format === "gemini" || e.extra.some((l) => !l.startsWith(":"))) faults.push(`event ${i} has no data`);
      return;
    }
    if (format === "gemini" && (e.event !== null || e.extra.length > 0)) faults.push(`event ${i} has lines beside data:`);
    if (format === "chat" && e.data === "[DONE]") {
      if (i !== events.length - 1) faults.push("[DONE] is not the last event");
      return;
    }
    const d = parse(e.data, faults, `event ${i}`);
    if (d === undefined) return;
    if (d.type === "keepalive") return; // Codex's idle timer knows it, the schema does not
    if (named && e.event !== d.type) faults.push(`event ${i}: event: ${e.event}, type ${d.type}`);
    if (!named && e.event !== null) faults.push(`event ${i} has a name`);
    documents.push(d);
  });
  if (format === "chat" && events.at(-1)?.data !== "[DONE]" && !documents.at(-1)?.error) faults.push("no [DONE]");
  return checkDocuments(format, documents, faults);
}

const CHECKS = { whole: checkWhole, stream: checkStream, error: checkError };

// ---- the simulator's own answers ----

const TOOL = { name: "get_weather", description: "Weather", schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } };
export const SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, ages: { type: "array", items: { type: "integer" } }, kind: { type: "string", enum: ["a", "b"] } },
  required: ["name", "ages", "kind"],
  additionalProperties: false,
};

// Per format: path, headers, a body for what is asked. o: model, prompt, messages (instead of the prompt), stream, tools, custom, schema,
// thinking, stops, max. loop: the messages that go on behind an answer's calls.
export const DIALECTS = {
  chat: {
    path: () => "/v1/chat/completions",
    body: (o) => ({
      model: o.model ?? "m",
      messages: o.messages ?? [{ role: "user", content: o.prompt ?? "Hello" }],
      ...(o.stream && { stream: true, stream_options: { include_usage: true } }),
      ...(o.tools && { tools: [{ type: "function", function: { name: TOOL.name, parameters: TOOL.schema } }] }),
      ...(o.custom && { tools: [{ type: "custom", custom: { name: "py" } }] }),
      ...(o.schema && { response_format: { type: "json_schema", json_schema: { name: "s", schema: SCHEMA } } }),
      ...(o.stops && { stop: o.stops }),
      ...(o.max && { max_completion_tokens: o.max }),
    }),
    text: (a) => a.choices[0].message.content,
    loop: (a, say) => [
      { role: "user", content: "Hello" },
      { ...a.choices[0].message, refusal: undefined, annotations: undefined },
      ...a.choices[0].message.tool_calls.map((c, i) => ({ role: "tool", tool_call_id: c.id, content: say(i) })),
    ],
    wrong: (a) => [{ role: "user", content: "Hello" }, { role: "tool", tool_call_id: "none", content: "x" }],
  },
  responses: {
    path: () => "/v1/responses",
    body: (o) => ({
      model: o.model ?? "m",
      input: o.messages ?? o.prompt ?? "Hello",
      ...(o.stream && { stream: true }),
      ...(o.tools && { tools: [{ type: "function", name: TOOL.name, parameters: TOOL.schema, strict: false }] }),
      ...(o.custom && { tools: [{ type: "custom", name: "py" }] }),
      ...(o.schema && { text: { format: { type: "json_schema", name: "s", schema: SCHEMA } } }),
      ...(o.thinking && { reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"], store: false }),
      ...(o.max && { max_output_tokens: o.max }),
    }),
    text: (a) => a.output.find((i) => i.type === "message").content[0].text,
    loop: (a, say) => [
      { role: "user", content: "Hello" },
      ...a.output,
      ...a.output.filter((i) => i.call_id).map((c, i) => ({ type: c.type + "_output", call_id: c.call_id, output: say(i) })),
    ],
    wrong: () => [{ type: "function_call_output", call_id: "none", output: "x" }],
  },
  messages: {
    path: () => "/v1/messages",
    headers: { "anthropic-version": "2023-06-01" },
    body: (o) => ({
      model: o.model ?? "claude-sonnet-4-5",
      max_tokens: o.max ?? 2048,
      messages: o.messages ?? [{ role: "user", content: o.prompt ?? "Hello" }],
      ...(o.stream && { stream: true }),
      ...(o.tools && { tools: [{ name: TOOL.name, input_schema: TOOL.schema }] }),
      ...(o.schema && { output_config: { format: { type: "json_schema", schema: SCHEMA } } }),
      ...(o.thinking && { thinking: { type: "enabled", budget_tokens: 1024 } }),
      ...(o.stops && { stop_sequences: o.stops }),
    }),
    text: (a) => a.content.find((b) => b.type === "text").text,
    loop: (a, say) => [
      { role: "user", content: "Hello" },
      { role: "assistant", content: a.content },
      { role: "user", content: a.content.filter((b) => b.type === "tool_use").map((b, i) => ({ type: "tool_result", tool_use_id: b.id, content: say(i) })) },
    ],
    wrong: () => [{ role: "user", content: "Hello" }, { role: "assistant", content: [{ type: "thinking", thinking: "x", signature: "bWFkZSB1cA==" }] }, { role: "user", content: "x" }],
  },
  gemini: {
    path: (o) => `/v1beta/models/${o.model ?? "gemini-3-pro"}:${o.stream ? `streamGenerateContent${o.array ? "" : "?alt=sse"}` : "generateContent"}`,
    body: (o) => ({
      contents: o.messages ?? [{ role: "user", parts: [{ text: o.prompt ?? "Hello" }] }],
      ...(o.tools && { tools: [{ functionDeclarations: [{ name: TOOL.name, parametersJsonSchema: TOOL.schema }] }] }),
      generationConfig: {
        ...(o.schema && { responseMimeType: "application/json", responseJsonSchema: SCHEMA }),
        ...(o.thinking && { thinkingConfig: { includeThoughts: true } }),
        ...(o.stops && { stopSequences: o.stops }),
        ...(o.max && { maxOutputTokens: o.max }),
      },
    }),
    text: (a) => a.candidates[0].content.parts.find((p) => p.text !== undefined && !p.thought).text,
    loop: (a, say) => [
      { role: "user", parts: [{ text: "Hello" }] },
      a.candidates[0].content,
      {
        role: "user",
        parts: a.candidates[0].content.parts.filter((p) => p.functionCall).map((p, i) => ({ functionResponse: { name: p.functionCall.name, id: p.functionCall.id, response: { output: say(i) } } })),
      },
    ],
    wrong: () => [
      { role: "user", parts: [{ text: "Hello" }] },
      { role: "model", parts: [{ functionCall: { name: "f", args: {} } }] },
      { role: "user", parts: [{ functionResponse: { name: "f", response: { output: "x" } } }] },
    ],
  },
};

// What is asked of each format, whole and streamed.
const WAYS = [
  ["text", "", {}],
  ["one call", "tool=1", { tools: true }],
  ["three calls behind a sentence", "tool=3,preface,think=2", { tools: true }],
  ["thinking", "", { thinking: true }],
  ["hidden thinking", "think=4", {}],
  ["a refusal", "refusal", {}],
  ["the token limit", "", { max: 16 }, "tokens"],
  ["a schema", "", { schema: true }],
  ["caches, reasoning and searches", "prompt=1000,completion=50,cached=600,cache_write=30,cache_write_long=20,reasoning=9,searches=2", {}],
  ["usage of zero", "usage=zero", {}],
  ["usage at the end", "usage=finish", {}],
  ["one chunk", "tokens=1", {}],
  ["no content", "tokens=0", {}],
];
const ONLY = [
  ["chat", "a custom tool", "tool=2", { custom: true }],
  ["responses", "a custom tool", "tool=2", { custom: true }],
  ["responses", "an incomplete answer", "finish=content_filter", {}],
  ["responses", "a failed answer", "finish=failed", {}],
  ["messages", "redacted thinking", "think=1,redacted", {}],
  ["gemini", "pictures", "image=2", {}],
  ["gemini", "a blocked prompt", "blocked", {}],
  ["gemini", "arguments that are no JSON", "tool=1,text=oops", { tools: true }],
];
const REASONS = {
  chat: "stop length tool_calls content_filter",
  messages: "end_turn max_tokens stop_sequence tool_use pause_turn refusal model_context_window_exceeded",
  gemini: "STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII MALFORMED_FUNCTION_CALL IMAGE_SAFETY UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MALFORMED_RESPONSE NO_IMAGE CONTINUATION",
};
export const STATUSES = [400, 401, 402, 403, 404, 409, 413, 429, 500, 503, 504, 529];

async function ask(base, format, controls, o) {
  const d = DIALECTS[format];
  const response = await fetch(base + d.path(o), {
    method: "POST",
    headers: { "content-type": "application/json", "x-sim": controls, ...d.headers },
    body: JSON.stringify(d.body(o)),
    signal: AbortSignal.timeout(20000),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function provider(base) {
  let passed = 0;
  let failed = 0;
  const report = (name, faults) => {
    if (faults.length === 0) passed++;
    else failed++;
    if (faults.length > 0) console.log(`FAIL ${name}\n    ${faults.slice(0, 6).join("\n    ")}`);
  };
  const check = async (name, test) => {
    try {
      report(name, (await test()) ?? []);
    } catch (e) {
      report(name, [e.stack]);
    }
  };
  const expect = (reply, status, faults) => (reply.status === status ? faults : [`status ${reply.status}: ${reply.text.slice(0, 200)}`]);
  for (const format of Object.keys(DIALECTS)) {
    const d = DIALECTS[format];
    const ways = [...WAYS, ...ONLY.filter(([f]) => f === format).map((w) => w.slice(1)), ...(REASONS[format]?.split(" ") ?? []).map((r) => [`finish ${r}`, `finish=${r}`, {}])];
    for (const [name, controls, o] of ways) {
      await check(`${format}: ${name}`, async () => {
        const reply = await ask(base, format, controls, o);
        return expect(reply, 200, checkWhole(format, reply.text));
      });
      for (const array of format === "gemini" ? [false, true] : [false])
        for (const how of ["", "drip", ...(format === "gemini" ? [] : ["split"])])
          await check(`${format}: ${name}, streamed ${how}${array ? " as an array" : ""}`, async () => {
            const reply = await ask(base, format, [controls, how].filter(Boolean).join(","), { ...o, stream: true, array });
            return expect(reply, 200, checkStream(format, reply.text));
          });
    }
    for (const status of STATUSES)
      for (const stream of [false, true])
        await check(`${format}: status ${status}`, async () => {
          const reply = await ask(base, format, `status=${status},retry_after=7`, { stream, array: stream });
          const faults = expect(reply, status, checkError(format, reply.text));
          if (reply.headers.get("retry-after") !== "7") faults.push("no Retry-After");
          return faults;
        });
    await check(`${format}: an error inside the stream`, async () => {
      const reply = await ask(base, format, "error_in=3", { stream: true });
      return expect(reply, 200, checkStream(format, reply.text));
    });
    for (const [name, controls] of [["cut", "cut=3"], ["cut properly", "eof=3"], ["malformed event", "malformed=2"], ["no end", "nodone,nofinish"]])
      await check(`${format}: ${name} is seen`, async () => {
        let text = "";
        try {
          text = (await ask(base, format, controls, { stream: true })).text;
        } catch {
          return []; // the body was cut
        }
        return checkStream(format, text).length > 0 ? [] : ["the check did not see it"];
      });
    await check(`${format}: the loop ends with what the tool said`, async () => {
      const call = await ask(base, format, "tool=2", { tools: true, thinking: true });
      const answer = JSON.parse(call.text);
      const messages = d.loop(answer, (i) => `It is ${20 + i} °C "there"`);
      const reply = await ask(base, format, "tool=2", { tools: true, thinking: true, messages });
      if (reply.status !== 200) return [`status ${reply.status}: ${reply.text.slice(0, 300)}`];
      const text = d.text(JSON.parse(reply.text));
      const wanted = 'Hello from the demo provider. The tool said: It is 20 °C "there" and It is 21 °C "there"';
      return text === wanted ? checkWhole(format, reply.text) : [`said ${text}`];
    });
    await check(`${format}: a schema gives JSON that fits it`, async () => {
      const reply = await ask(base, format, "", { schema: true });
      const fits = ajv.compile(SCHEMA);
      return fits(JSON.parse(d.text(JSON.parse(reply.text)))) ? [] : [ajv.errorsText(fits.errors)];
    });
    if (format !== "responses")
      for (const [controls, wanted] of [["", "Hello from the "], ["nostop", "Hello from the demo provider. You said: Hello"]])
        await check(`${format}: stop sequence ${controls}`, async () => {
          const reply = await ask(base, format, controls, { stops: ["demo"] });
          const text = d.text(JSON.parse(reply.text));
          return text === wanted ? checkWhole(format, reply.text) : [`said ${text}`];
        });
    await check(`${format}: a wrong history is refused`, async () => {
      const reply = await ask(base, format, "", { messages: d.wrong() });
      return expect(reply, 400, checkError(format, reply.text));
    });
    await check(`${format}: the channel's own headers are sent when asked for`, async () => {
      const reply = await ask(base, format, "secrets", {});
      const names = ["set-cookie", "openai-organization", "anthropic-ratelimit-unified-status", "x-codex-plan-type"];
      return names.filter((n) => !reply.headers.has(n));
    });
  }
  await check("a misspelt member is seen", async () => {
    const reply = await ask(base, "chat", "", {});
    return checkWhole("chat", reply.text.replace('"refusal"', '"refusals"')).length > 0 ? [] : ["it was not"];
  });
  await smallCalls(base, check);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0;
}

async function smallCalls(base, check) {
  const post = async (where, body, headers) => (await fetch(base + where, { method: "POST", headers, body: JSON.stringify(body) })).json();
  const anthropic = { "anthropic-version": "2026-10-21" };
  const content = { parts: [{ text: "Hello" }] };
  await check("messages: count_tokens", async () =>
    validate("anthropic#/$defs/CountTokens", await post("/v1/v1/messages/count_tokens?beta=true", { model: "m", messages: [{ role: "user", content: "Hello" }] }, anthropic)));
  await check("gemini: countTokens", async () => validate("gemini#/$defs/CountTokensResponse", await post("/v1/models/m:countTokens", { contents: [content] })));
  await check("gemini: embedContent", async () => validate("gemini#/$defs/EmbedContentResponse", await post("/v1/v1beta/models/m:embedContent", { content })));
  await check("gemini: batchEmbedContents", async () => {
    const reply = await post("/models/m:batchEmbedContents", { requests: [1, 2].map(() => ({ model: "models/m", content, outputDimensionality: 3 })) });
    return reply.embeddings?.length === 2 && reply.embeddings[0].values.length === 3 ? validate("gemini#/$defs/BatchEmbedContentsResponse", reply) : [JSON.stringify(reply)];
  });
  await check("responses: an answer is kept until it is deleted", async () => {
    const made = await post("/v1/responses", { model: "m", input: "Hello" });
    const kept = await (await fetch(`${base}/v1/responses/${made.id}`)).json();
    const next = await post("/v1/responses", { model: "m", input: "And?", previous_response_id: made.id });
    const gone = await (await fetch(`${base}/v1/responses/${made.id}`, { method: "DELETE" })).json();
    const status = (await fetch(`${base}/v1/responses/${made.id}`)).status;
    if (JSON.stringify(kept) !== JSON.stringify(made) || !gone.deleted || status !== 404) return ["not the same, or not deleted"];
    return validate("openai-responses#/$defs/ResponseObject", next);
  });
  await check("responses: compact and input_tokens", async () => {
    const compact = await post("/v1/responses/compact", { model: "m", input: "Hello" });
    const next = await post("/v1/responses", { model: "m", input: [...compact.output, { role: "user", content: "And?" }] });
    const count = await post("/v1/responses/input_tokens", { model: "m", input: "Hello" });
    return compact.object === "response.compaction" && next.status === "completed" && count.input_tokens > 0 ? [] : [JSON.stringify([compact, next, count])];
  });
}

// ---- the program ----

async function main(args) {
  if (args[0] === "--provider") return provider(args[1]);
  const [format, kind, source, body, ...headers] = args;
  if (!NAMES[format] || !CHECKS[kind] || !source) {
    console.error("usage: schemas.mjs chat|responses|messages|gemini whole|stream|error FILE|-|URL [BODY [HEADER: VALUE]...]; schemas.mjs --provider URL");
    return false;
  }
  let text;
  if (/^https?:/.test(source)) {
    const pairs = headers.map((h) => [h.slice(0, h.indexOf(":")), h.slice(h.indexOf(":") + 1).trim()]);
    const response = await fetch(source, { method: "POST", headers: [["content-type", "application/json"], ...pairs], body, signal: AbortSignal.timeout(60000) });
    text = await response.text();
  } else {
    text = fs.readFileSync(source === "-" ? 0 : source, "utf8");
  }
  const faults = CHECKS[kind](format, text);
  console.log(faults.length === 0 ? "valid" : faults.join("\n"));
  return faults.length === 0;
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
