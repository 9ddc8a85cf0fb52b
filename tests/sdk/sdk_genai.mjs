// The official Google Gen AI SDK for Node.js against each provider format.
import { ApiError, GoogleGenAI } from "@google/genai";
import { ANSWER, BASE, FORMATS, KEY, ROOT, check, done, equal, fails, has, lastId, must, row } from "./kit.mjs";

// The documentation's base URL, to which the SDK adds a version of its own.
const client = (httpOptions = {}, apiKey = KEY) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: `${ROOT}/v1beta`, ...httpOptions } });
const PARAMETERS = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ functionDeclarations: [{ name: "get_weather", description: "Weather", parametersJsonSchema: PARAMETERS }] }];
const SCHEMA = { type: "object", properties: { name: { type: "string" }, ages: { type: "array", items: { type: "integer" } } }, required: ["name", "ages"] };
const RESULT = 'It is 21 °C "there"';
const EVENTS = 2000;

function generate(provider) {
  const model = `node-genai-${provider}`;
  const title = `generateContent to ${provider}`;
  const whole = (contents, config, m = model) => client().models.generateContent({ model: m, contents, config });
  const streamed = (contents, config, m = model) => client().models.generateContentStream({ model: m, contents, config });

  check(`${title}: a whole answer`, async () => {
    const a = await whole("Hello", { systemInstruction: "Be brief.", temperature: 0.5 });
    has(a.text, ANSWER, "text");
    equal(a.candidates[0].finishReason, "STOP", "end");
    must(a.usageMetadata.totalTokenCount > 0 && a.modelVersion, "usage and model");
  });
  check(`${title}: a streamed answer`, async () => {
    let text = "";
    let last;
    for await (const c of await streamed("Hello")) {
      text += c.text ?? "";
      last = c;
    }
    has(text, ANSWER, "text");
    equal(last.candidates[0].finishReason, "STOP", "end");
    must(last.usageMetadata.totalTokenCount > 0, "usage");
  });
  check(`${title}: a chat of several turns`, async () => {
    const chat = client().chats.create({ model });
    has((await chat.sendMessage({ message: "One" })).text, "You said: One", "text");
    let text = "";
    for await (const c of await chat.sendMessageStream({ message: "Two" })) text += c.text ?? "";
    has(text, "You said: Two", "text");
    has((await chat.sendMessage({ message: "[[sim echo]]" })).text, "You said: One", "what the provider got");
  });
  for (const stream of [false, true])
    check(`${title}: a loop of functions with thoughts${stream ? ", streamed" : ""}`, async () => {
      const config = { tools, thinkingConfig: { includeThoughts: true } };
      const ask = async (contents) => {
        if (!stream) return (await whole(contents, config)).candidates[0].content.parts;
        const parts = [];
        for await (const c of await streamed(contents, config)) parts.push(...(c.candidates?.[0].content?.parts ?? []));
        return parts;
      };
      const question = (text) => ({ role: "user", parts: [{ text }] });
      const parts = await ask([question("[[sim tool=2,think=2]] weather?")]);
      const calls = parts.filter((p) => p.functionCall);
      equal(calls.map((c) => c.functionCall.args.city), ["Paris", "Paris"], "calls");
      const seal = parts.find((p) => p.thoughtSignature)?.thoughtSignature;
      if (provider !== "openai-chat") must(seal, "no signature");
      const results = { role: "user", parts: calls.map(({ functionCall: f }) => ({ functionResponse: { name: f.name, id: f.id, response: { output: RESULT } } })) };
      const textOf = (list) => list.filter((p) => !p.thought).map((p) => p.text ?? "").join("");
      has(textOf(await ask([question("weather?"), { role: "model", parts }, results])), `The tool said: ${RESULT} and ${RESULT}`, "text");
      if (!seal || stream) return;
      const envelope = Buffer.from(seal, "base64").toString();
      const got = textOf(await ask([question("[[sim echo]]"), { role: "model", parts }, results]));
      has(got, envelope.startsWith("aip1.") ? envelope.split(".").pop() : seal, "what the provider got");
    });
  check(`${title}: structured output`, async () => {
    const a = await whole("Who?", { responseMimeType: "application/json", responseJsonSchema: SCHEMA });
    must(Array.isArray(JSON.parse(a.text).ages), a.text);
  });
  check(`${title}: countTokens`, async () => must((await client().models.countTokens({ model, contents: "Hello there" })).totalTokens > 0, "tokens"));
  check(`${title}: a stream of ${EVENTS} events`, async () => {
    let n = 0;
    for await (const c of await streamed(`[[sim tokens=${EVENTS}]]`)) if (c.text) n++;
    equal(n, EVENTS, "events");
  });
  check(`${title}: a stream that is aborted is client_gone`, async () => {
    const abort = new AbortController();
    let n = 0;
    try {
      for await (const c of await streamed("[[sim tokens=1000,pace=20]]", { abortSignal: abort.signal })) if (c.text && ++n === 3) abort.abort();
    } catch (error) {
      must(abort.signal.aborted, error.message);
    }
    equal(n >= 3 && n < 50, true, "events");
    has(await row(lastId(), "status, cost > 0"), "client_gone 1", "usage row");
  });
  const WORDS = { 400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE" };
  for (const [status, word] of Object.entries(WORDS))
    for (const ask of [whole, streamed])
      check(`${title}: status ${status} is ApiError${ask === streamed ? ", streamed" : ""}`, async () => {
        const error = await fails(() => ask(`[[sim status=${status},retry_after=1]]`, {}, `${model}-errors`), ApiError);
        equal(error.status, Number(status), "status");
        const body = JSON.parse(error.message).error;
        equal([body.code, body.status], [Number(status), word], "body");
      });
  check(`${title}: an error inside the stream is ApiError`, () =>
    fails(async () => {
      for await (const c of await streamed("[[sim tokens=20,error_in=3]]", {}, `${model}-errors`)) must(c, "nothing");
    }, ApiError));
}

for (const provider of FORMATS) generate(provider);
const MODEL = "node-genai-gemini";
for (const [name, options] of Object.entries({
  "the host": { baseUrl: ROOT },
  "a base of /v1": { baseUrl: BASE },
  "a base of /v1 and v1beta": { baseUrl: BASE, apiVersion: "v1beta" },
  "a base of /v1beta": { baseUrl: `${ROOT}/v1beta` },
  "a base of /v1beta, and it again": { baseUrl: `${ROOT}/v1beta`, apiVersion: "v1beta" },
  "a base of /v1beta and no version": { baseUrl: `${ROOT}/v1beta`, apiVersion: "" },
}))
  check(`base URL: ${name}`, async () => {
    const c = client(options);
    has((await c.models.generateContent({ model: MODEL, contents: "Hello" })).text, ANSWER, "text");
    let text = "";
    for await (const k of await c.models.generateContentStream({ model: MODEL, contents: "Hello" })) text += k.text ?? "";
    has(text, ANSWER, "text");
    equal((await c.models.get({ model: MODEL })).name, `models/${MODEL}`, "model");
  });
check("models.list", async () => {
  const names = [];
  for await (const m of await client({ apiVersion: "v1beta" }).models.list({ config: { pageSize: 7 } })) names.push(m.name);
  must(names.includes(`models/${MODEL}`) && new Set(names).size === names.length, names.join());
});
for (const [name, key, model, status] of [
  ["an unknown key", "sk-aip-sdk-nobody", MODEL, [400, 401]],
  ["an unknown model", KEY, "none", [404]],
  ["a model that the key may not use", "sk-aip-sdk-limited", MODEL, [403]],
  ["no credit", "sk-aip-sdk-poor", MODEL, [402, 429]],
])
  check(`${name} is told once`, async () => {
    const error = await fails(() => client({}, key).models.generateContent({ model, contents: "x" }), ApiError);
    must(status.includes(error.status), `status ${error.status}`);
  });
await done("google-genai for Node.js");
