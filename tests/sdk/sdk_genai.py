"""The official Google Gen AI SDK for Python against each provider format."""
import base64

from google import genai
from google.genai import errors, types
from kit import ANSWER, BASE, EVENTS, FORMATS, KEY, RESULT, ROOT, check, done, equal, fails, has, last_id, payload, row
from pydantic import BaseModel


clients = []  # one that is collected closes its connections, also those of an answer that is still read


class Person(BaseModel):
    name: str
    ages: list[int]


def client(key=KEY, **options):
    clients.append(genai.Client(api_key=key, http_options=types.HttpOptions(**({"base_url": ROOT + "/v1beta"} | options))))
    return clients[-1]


def generate(provider):
    model = "python-genai-" + provider
    title = "generateContent to " + provider
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(
        name="get_weather", description="Weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}})])

    @check(title + ": a whole answer")
    def _():
        answer = client().models.generate_content(model=model, contents="Hello", config={"system_instruction": "Be brief."})
        has(answer.text, ANSWER, "text")
        equal(answer.candidates[0].finish_reason, types.FinishReason.STOP, "end")
        assert answer.usage_metadata.total_token_count > 0

    @check(title + ": a streamed answer")
    def _():
        chunks = list(client().models.generate_content_stream(model=model, contents="Hello"))
        has("".join(chunk.text or "" for chunk in chunks), ANSWER, "text")
        equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP, "end")

    @check(title + ": a chat of several turns")
    def _():
        one = client().chats.create(model=model)
        has(one.send_message("One").text, "You said: One", "text")
        has("".join(chunk.text or "" for chunk in one.send_message_stream("Two")), "You said: Two", "text")
        has(one.send_message("[[sim echo]]").text, "You said: One", "what the provider got")

    @check(title + ": a function that the SDK calls by itself")
    def _():
        asked = []

        def get_weather(city: str) -> str:
            """Weather of a city."""
            asked.append(city)
            return RESULT
        answer = client().models.generate_content(model=model, contents="[[sim tool=1]] weather?", config={"tools": [get_weather]})
        equal(asked, ["Paris"], "calls")
        has(answer.text, "The tool said", "text")

    @check(title + ": a loop of functions with thoughts")
    def _():
        config = types.GenerateContentConfig(tools=[tool], thinking_config=types.ThinkingConfig(include_thoughts=True))

        def ask(contents):
            return client().models.generate_content(model=model, contents=contents, config=config)

        def user(text):
            return types.Content(role="user", parts=[types.Part(text=text)])

        said = ask([user("[[sim tool=2,think=2]] weather?")]).candidates[0].content
        calls = [part.function_call for part in said.parts if part.function_call]
        equal([call.args["city"] for call in calls], ["Paris", "Paris"], "calls")
        seals = [part.thought_signature for part in said.parts if part.thought_signature]
        assert seals or provider == "openai-chat", "no signature"
        results = types.Content(role="user", parts=[types.Part(function_response=types.FunctionResponse(
            name=call.name, id=call.id, response={"output": RESULT})) for call in calls])
        has(ask([user("weather?"), said, results]).text, "The tool said: %s and %s" % (RESULT, RESULT), "text")
        if seals:
            seal = seals[0]
            wanted = payload(seal.decode()) if seal.startswith(b"aip1.") else base64.b64encode(seal).decode()
            has(ask([user("[[sim echo]]"), said, results]).text, wanted, "what the provider got")

    @check(title + ": structured output")
    def _():
        answer = client().models.generate_content(
            model=model, contents="Who?", config={"response_mime_type": "application/json", "response_schema": Person})
        assert isinstance(answer.parsed, Person), answer.text

    @check(title + ": count_tokens")
    def _():
        assert client().models.count_tokens(model=model, contents="Hello there").total_tokens > 0

    @check(title + ": a stream of %d events" % EVENTS)
    def _():
        stream = client().models.generate_content_stream(model=model, contents="[[sim tokens=%d]]" % EVENTS)
        equal(sum(1 for chunk in stream if chunk.text), EVENTS, "events")

    @check(title + ": a stream that is broken off is client_gone")
    def _():
        one = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=ROOT))
        stream = one.models.generate_content_stream(model=model, contents="[[sim tokens=1000,pace=20]]")
        for n, _chunk in enumerate(stream):
            if n == 3:
                break
        request = last_id()
        stream.close()
        one.close()
        equal(row(request, "status, cost > 0"), "client_gone 1", "usage row")

    for status, word in {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}.items():
        kind = errors.ClientError if status < 500 else errors.ServerError

        @check("%s: status %d is %s" % (title, status, kind.__name__))
        def _(status=status, word=word, kind=kind):
            contents = "[[sim status=%d,retry_after=1]]" % status
            for call in (lambda: client().models.generate_content(model=model + "-errors", contents=contents),
                         lambda: list(client().models.generate_content_stream(model=model + "-errors", contents=contents))):
                error = fails(call, kind)
                equal((error.code, error.status), (status, word), "code and status")

    @check(title + ": an error inside the stream is APIError")
    def _():
        fails(lambda: list(client().models.generate_content_stream(
            model=model + "-errors", contents="[[sim tokens=20,error_in=3]]")), errors.APIError)


for each in FORMATS:
    generate(each)

MODEL = "python-genai-gemini"
for case, options in {"the host": {"base_url": ROOT}, "a base of /v1": {"base_url": BASE},
                      "a base of /v1 and v1beta": {"base_url": BASE, "api_version": "v1beta"},
                      "a base of /v1beta, and it again": {"base_url": ROOT + "/v1beta", "api_version": "v1beta"}}.items():
    @check("base URL: " + case)
    def _(options=options):
        has(client(**options).models.generate_content(model=MODEL, contents="Hello").text, ANSWER, "text")
        equal(client(**options).models.get(model=MODEL).name, "models/" + MODEL, "model")


@check("models.list")
def _():
    names = [model.name for model in client().models.list(config={"page_size": 7})]
    assert "models/" + MODEL in names and len(set(names)) == len(names), names


for case, key, name, codes in (("an unknown key", "sk-aip-sdk-nobody", MODEL, (400, 401)), ("an unknown model", KEY, "none", (404,)),
                               ("a model that the key may not use", "sk-aip-sdk-limited", MODEL, (403,)),
                               ("no credit", "sk-aip-sdk-poor", MODEL, (402, 429))):
    @check(case + " is ClientError, told once")
    def _(key=key, name=name, codes=codes):
        assert fails(lambda: client(key).models.generate_content(model=name, contents="x"), errors.ClientError).code in codes


done("google-genai for Python")
