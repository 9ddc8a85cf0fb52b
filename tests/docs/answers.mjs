// openapi.json is a valid OpenAPI document, and what the gateway answers fits it. BASE, KEY; OPENAPI: the file.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { Validator } from "@seriousme/openapi-schema-validator";

const { BASE, KEY, OPENAPI } = process.env;
const doc = JSON.parse(readFileSync(OPENAPI, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
ajv.addSchema(doc, "doc");
let passed = 0, failed = 0;
function tell(name, problem) {
  if (problem) failed++; else passed++;
  console.log(`${problem ? "FAIL" : "PASS"} openapi: ${name}${problem ? "\n     " + problem.slice(0, 600) : ""}`);
}

const lint = await new Validator().validate(structuredClone(doc));
tell("the document is valid OpenAPI 3.1", lint.valid ? "" : JSON.stringify(lint.errors));

const resolve = (o) => (o && o.$ref ? o.$ref.slice(2).split("/").reduce((at, k) => at[k.replace(/~1/g, "/")], doc) : o);
const hello = [{ role: "user", content: "Hello" }], contents = [{ role: "user", parts: [{ text: "Hello" }] }];
const openai = { Authorization: `Bearer ${KEY}` }, anthropic = { "x-api-key": KEY, "anthropic-version": "2023-06-01" }, gemini = { "x-goog-api-key": KEY };
const chat = { model: "gpt-5", messages: hello }, message = { model: "claude-sonnet-4-6", max_tokens: 64, messages: hello };

// path of the document, method, real path, headers, body, status
const calls = [
  ["/v1/chat/completions", "post", "", { ...openai, "x-aipass-cost": "include" }, chat, 200],
  ["/v1/chat/completions", "post", "", openai, { ...chat, stream: true }, 200],
  ["/v1/chat/completions", "post", "", openai, { ...chat, model: "claude-sonnet-4-6" }, 200],
  ["/v1/chat/completions", "post", "", openai, { model: "gpt-5" }, 400],
  ["/v1/chat/completions", "post", "", { Authorization: "Bearer sk-aip-no" }, chat, 401],
  ["/v1/chat/completions", "post", "", openai, { ...chat, model: "nobody" }, 404],
  ["/v1/completions", "post", "", openai, { model: "gpt-5", prompt: "Hello" }, 200],
  ["/v1/responses", "post", "", openai, { model: "gpt-5", input: "Hello", store: false }, 200],
  ["/v1/responses", "post", "", openai, { model: "gpt-5", input: "Hello", store: false, stream: true }, 200],
  ["/v1/responses/{id}", "get", "/v1/responses/resp_none", openai, null, 404],
  ["/v1/responses/{id}", "delete", "/v1/responses/resp_none", openai, null, 404],
  ["/v1/messages", "post", "", anthropic, message, 200],
  ["/v1/messages", "post", "", anthropic, { ...message, stream: true }, 200],
  ["/v1/messages", "post", "", anthropic, { ...message, model: "gpt-5" }, 200],
  ["/v1/messages", "post", "", { "x-api-key": "sk-aip-no" }, message, 401],
  ["/v1/messages/count_tokens", "post", "", anthropic, { model: "gpt-5", messages: hello }, 200],
  ["/v1/api/hello", "get", "", {}, null, 200],
  ["/v1beta/models/{model}:generateContent", "post", "/v1beta/models/gemini-2.5-pro:generateContent", gemini, { contents }, 200],
  ["/v1beta/models/{model}:generateContent", "post", "/v1beta/models/gpt-5:generateContent", gemini, { contents }, 200],
  ["/v1beta/models/{model}:generateContent", "post", "/v1beta/models/nobody:generateContent", gemini, { contents }, 404],
  ["/v1beta/models/{model}:streamGenerateContent", "post", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", gemini, { contents }, 200],
  ["/v1beta/models/{model}:countTokens", "post", "/v1beta/models/gpt-5:countTokens", gemini, { contents }, 200],
  ["/v1/models", "get", "", openai, null, 200],
  ["/v1/models", "get", "", anthropic, null, 200],
  ["/v1/models", "get", "", gemini, null, 200],
  ["/v1/models/{model}", "get", "/v1/models/gpt-5", openai, null, 200],
  ["/v1/models/{model}", "get", "/v1/models/nobody", anthropic, null, 404],
  ["/v1/usage", "get", "", openai, null, 200],
  ["/v1/redeem", "post", "", openai, { code: "AIP-NONE" }, 404],
  ["/v1/site", "get", "", {}, null, 200],
  ["/healthz", "get", "", {}, null, 200],
  ["/readyz", "get", "", {}, null, 200],
];

function fit(schema, data) {
  const text = JSON.stringify(schema).replaceAll('"#/', '"doc#/');
  const validate = ajv.compile(JSON.parse(text));
  return validate(data) ? "" : JSON.stringify(validate.errors.slice(0, 3)) + " " + JSON.stringify(data).slice(0, 200);
}

for (const [path, method, real, headers, body, status] of calls) {
  const name = `${method} ${real || path} ${body?.stream ? "streamed " : ""}${body?.model ?? ""} ${status}`;
  try {
    const operation = doc.paths[path][method];
    if (body && status === 200) {
      const wrong = fit(operation.requestBody.content["application/json"].schema, body);
      if (wrong) { tell(`${name}: the request`, wrong); continue; }
    }
    const answer = await fetch(BASE + (real || path), { method: method.toUpperCase(), headers: { ...headers, ...(body ? { "content-type": "application/json" } : {}) }, body: body ? JSON.stringify(body) : undefined });
    const text = await answer.text();
    if (answer.status !== status) { tell(name, `${answer.status}: ${text}`); continue; }
    const response = resolve(operation.responses[status] ?? operation.responses.default);
    const kind = answer.headers.get("content-type").split(";")[0];
    const schema = response.content[kind]?.schema;
    const items = kind === "text/event-stream" ? text.split("\n").filter((l) => l.startsWith("data: {")).map((l) => JSON.parse(l.slice(6))) : [JSON.parse(text)];
    tell(name, !schema ? `no schema for ${kind}` : items.length === 0 ? "no events" : items.map((d) => fit(schema, d)).find(Boolean) ?? "");
  } catch (e) { tell(name, e.stack); }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
