"""The official Anthropic SDK for Python against each provider format."""
import anthropic
from kit import ANSWER, BASE, EVENTS, FORMATS, KEY, RESULT, ROOT, check, done, equal, fails, has, last_id, payload, row
from pydantic import BaseModel

TOOLS = [{"name": "get_weather", "description": "Weather",
          "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]
STATUSES = {400: anthropic.BadRequestError, 413: anthropic.APIStatusError, 429: anthropic.RateLimitError, 500: anthropic.APIStatusError}


class Person(BaseModel):
    name: str
    ages: list[int]


def client(retries=0, base=BASE, **options):
    return anthropic.Anthropic(**({"api_key": KEY} | options), base_url=base, max_retries=retries, timeout=30)


def says(content):
    return [{"role": "user", "content": content}]


def text_of(answer):
    return "".join(block.text for block in answer.content if block.type == "text")


def messages(provider):
    model = "python-anthropic-" + provider
    title = "messages to " + provider

    def create(content, retries=0, name=model, **options):
        return client(retries).messages.create(model=name, max_tokens=4000, messages=says(content), **options)

    @check(title + ": a whole answer")
    def _():
        answer = create("Hello", system="Be brief.")
        has(text_of(answer), ANSWER, "text")
        equal((answer.model, answer.stop_reason, answer._request_id), (model, "end_turn", last_id()), "model, end and id")
        assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0

    @check(title + ": the .stream() helper")
    def _():
        with client().messages.stream(model=model, max_tokens=4000, messages=says("Hello")) as stream:
            deltas = "".join(stream.text_stream)
            equal(text_of(stream.get_final_message()), deltas, "deltas")
        has(deltas, ANSWER, "text")

    for is_stream in (False, True):
        @check(title + ": a loop of tools with thinking" + (", streamed" if is_stream else ""))
        def _(is_stream=is_stream):
            options = {"model": model, "max_tokens": 4000, "tools": TOOLS, "thinking": {"type": "enabled", "budget_tokens": 1024}}

            def ask(history):
                if not is_stream:
                    return client().messages.create(messages=history, **options)
                with client().messages.stream(messages=history, **options) as stream:
                    return stream.get_final_message()

            answer = ask(says("[[sim tool=2,think=2]] weather?"))
            calls = [block for block in answer.content if block.type == "tool_use"]
            equal([call.input["city"] for call in calls], ["Paris", "Paris"], "calls")
            seal = [block.signature for block in answer.content if block.type == "thinking"][0]
            back = [{"role": "assistant", "content": answer.content},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]}]
            has(text_of(ask(says("weather?") + back)), "The tool said: %s and %s" % (RESULT, RESULT), "text")
            if provider != "openai-chat":  # which seals nothing
                echo = client().messages.create(messages=says("[[sim echo]]") + back, **options)
                has(text_of(echo), payload(seal), "what the provider got")

    @check(title + ": .parse() of structured output")
    def _():
        answer = client().messages.parse(model=model, max_tokens=4000, messages=says("Who?"), output_format=Person)
        assert isinstance(answer.parsed_output, Person), answer

    @check(title + ": count_tokens")
    def _():
        assert client().messages.count_tokens(model=model, messages=says("Hello there")).input_tokens > 0

    @check(title + ": a stream of %d events" % EVENTS)
    def _():
        with client().messages.stream(model=model, max_tokens=4000, messages=says("[[sim tokens=%d]]" % EVENTS)) as stream:
            equal(sum(1 for _ in stream.text_stream), EVENTS, "events")
            assert stream.get_final_message().usage.output_tokens >= EVENTS

    @check(title + ": a stream that is broken off is client_gone")
    def _():
        with client().messages.stream(model=model, max_tokens=4000, messages=says("[[sim tokens=1000,pace=20]]")) as stream:
            request = last_id()
            for n, _text in enumerate(stream.text_stream):
                if n == 3:
                    break
        equal(row(request, "status, cost > 0"), "client_gone 1", "usage row")

    for status, kind in STATUSES.items():
        for is_stream in (False, True):
            @check("%s: status %d is %s%s" % (title, status, kind.__name__, ", streamed" if is_stream else ""))
            def _(status=status, kind=kind, is_stream=is_stream):
                error = fails(lambda: create("[[sim status=%d,retry_after=1]]" % status, 0 if status >= 429 else 2, model + "-errors",
                                             stream=is_stream), kind)
                equal(error.body["type"], "error", "type of the body")
                assert error.request_id

    @check(title + ": an error inside the stream is APIError")
    def _():
        fails(lambda: list(create("[[sim tokens=20,error_in=3]]", 0, model + "-errors", stream=True)), anthropic.APIError)


for each in FORMATS:
    messages(each)

MODEL = "python-anthropic-anthropic"
for case, (base, options) in {
        "the host": (ROOT, {}), "a version twice": (BASE, {}), "a version three times": (BASE + "/v1", {}),
        "a token": (BASE, {"api_key": None, "auth_token": KEY})}.items():
    @check("base URL and key: " + case)
    def _(base=base, options=options):
        one = client(0, base, **options)
        has(text_of(one.messages.create(model=MODEL, max_tokens=100, messages=says("Hello"))), ANSWER, "text")
        assert one.messages.count_tokens(model=MODEL, messages=says("Hello")).input_tokens > 0
        equal(one.models.retrieve(MODEL).id, MODEL, "id")


@check("models.list")
def _():
    ids = [model.id for model in client().models.list(limit=7)]
    assert MODEL in ids and len(set(ids)) == len(ids), ids


for case, key, name, kind in (("an unknown key", "sk-aip-sdk-nobody", MODEL, anthropic.AuthenticationError),
                              ("an unknown model", KEY, "none", anthropic.NotFoundError),
                              ("a model that the key may not use", "sk-aip-sdk-limited", MODEL, anthropic.PermissionDeniedError),
                              ("no credit", "sk-aip-sdk-poor", MODEL, anthropic.APIStatusError)):
    @check("%s is %s, not retried" % (case, kind.__name__))
    def _(key=key, name=name, kind=kind):
        fails(lambda: client(2, BASE, api_key=key).messages.create(model=name, max_tokens=9, messages=says("x")), kind)


done("anthropic for Python")
