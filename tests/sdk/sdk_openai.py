"""The official OpenAI SDK for Python against each provider format: Chat Completions and Responses."""
import json

import openai
from kit import ANSWER, BASE, EVENTS, FORMATS, KEY, RESULT, check, done, equal, fails, has, last_id, payload, row
from pydantic import BaseModel

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
STATUSES = {400: openai.BadRequestError, 413: openai.APIStatusError, 429: openai.RateLimitError, 500: openai.InternalServerError}


class Person(BaseModel):
    name: str
    ages: list[int]


def client(retries=0, key=KEY):
    return openai.OpenAI(api_key=key, base_url=BASE, max_retries=retries, timeout=30)


def says(content):
    return [{"role": "user", "content": content}]


def chat(provider):
    model = "python-openai-" + provider
    title = "chat to " + provider
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": PARAMETERS}}]

    def create(content, **options):
        return client().chat.completions.create(model=model, messages=says(content), **options)

    @check(title + ": a whole answer")
    def _():
        answer = create("Hello")
        has(answer.choices[0].message.content, ANSWER, "content")
        equal((answer.model, answer.choices[0].finish_reason, answer._request_id), (model, "stop", last_id()), "model, end and id")
        assert answer.usage.total_tokens > 0

    @check(title + ": the .stream() helper")
    def _():
        with client().chat.completions.stream(model=model, messages=says("Hello")) as stream:
            deltas = "".join(event.delta for event in stream if event.type == "content.delta")
            equal(stream.get_final_completion().choices[0].message.content, deltas, "deltas")
        has(deltas, ANSWER, "content")

    @check(title + ": a loop of tools with thinking")
    def _():
        options = {"tools": tools, "reasoning_effort": "low", "model": model}
        message = client().chat.completions.create(messages=says("[[sim tool=2,think=2]] weather?"), **options).choices[0].message
        equal([json.loads(call.function.arguments)["city"] for call in message.tool_calls], ["Paris", "Paris"], "calls")
        seal = (getattr(message.tool_calls[0], "extra_content", None) or {}).get("google", {}).get("thought_signature")
        assert seal or provider == "openai-chat", "no signature"
        back = [message.model_dump(exclude_none=True)]
        back += [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in message.tool_calls]
        answer = client().chat.completions.create(messages=says("weather?") + back, **options)
        has(answer.choices[0].message.content, "The tool said: %s and %s" % (RESULT, RESULT), "content")
        if seal:
            echo = client().chat.completions.create(messages=says("[[sim echo]]") + back, **options)
            has(echo.choices[0].message.content, payload(seal), "what the provider got")

    @check(title + ": .parse() of structured output")
    def _():
        answer = client().chat.completions.parse(model=model, messages=says("Who?"), response_format=Person)
        assert isinstance(answer.choices[0].message.parsed, Person), answer

    @check(title + ": a stream of %d events" % EVENTS)
    def _():
        equal(sum(1 for chunk in create("[[sim tokens=%d]]" % EVENTS, stream=True) if chunk.choices[0].delta.content), EVENTS, "events")

    @check(title + ": a stream that is broken off is client_gone")
    def _():
        stream = create("[[sim tokens=1000,pace=20]]", stream=True)
        request = last_id()
        for n, _chunk in enumerate(stream):
            if n == 3:
                break
        stream.close()
        equal(row(request, "status, cost > 0"), "client_gone 1", "usage row")

    errors(title, lambda content, retries, stream: client(retries).chat.completions.create(
        model=model + "-errors", messages=says(content), stream=stream))

    @check(title + ": an error inside the stream is APIError")
    def _():
        fails(lambda: list(client().chat.completions.create(
            model=model + "-errors", messages=says("[[sim tokens=20,error_in=3]]"), stream=True)), openai.APIError)


def errors(title, ask):
    for status, kind in STATUSES.items():
        for stream in (False, True):
            @check("%s: status %d is %s%s" % (title, status, kind.__name__, ", streamed" if stream else ""))
            def _(status=status, kind=kind, stream=stream):
                error = fails(lambda: ask("[[sim status=%d,retry_after=1]]" % status, 0 if status >= 429 else 2, stream), kind)
                assert error.request_id


def responses(provider):
    model = "python-openai-" + provider
    title = "responses to " + provider
    tools = [{"type": "function", "name": "get_weather", "description": "Weather", "parameters": PARAMETERS, "strict": True}]

    def create(content, **options):
        return client().responses.create(model=model, input=content, **options)

    @check(title + ": a whole answer")
    def _():
        answer = create("Hello")
        has(answer.output_text, ANSWER, "text")
        equal((answer.model, answer.status), (model, "completed"), "model and end")

    @check(title + ": the .stream() helper")
    def _():
        with client().responses.stream(model=model, input="Hello") as stream:
            deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            equal(stream.get_final_response().output_text, deltas, "deltas")
        has(deltas, ANSWER, "text")

    @check(title + ": a loop of tools with reasoning")
    def _():
        options = {"tools": tools, "store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low", "summary": "auto"}}
        answer = create(says("[[sim tool=2,think=2]] weather?"), **options)
        calls = [item for item in answer.output if item.type == "function_call"]
        equal([json.loads(call.arguments)["city"] for call in calls], ["Paris", "Paris"], "calls")
        seals = [item.encrypted_content for item in answer.output if item.type == "reasoning" and item.encrypted_content]
        assert seals or provider == "openai-chat", "no encrypted reasoning"
        back = answer.output + [{"type": "function_call_output", "call_id": call.call_id, "output": RESULT} for call in calls]
        has(create(says("weather?") + back, **options).output_text, "The tool said: %s and %s" % (RESULT, RESULT), "text")
        if seals:
            has(create(says("[[sim echo]]") + back, **options).output_text, payload(seals[0]), "what the provider got")

    @check(title + ": .parse() of structured output")
    def _():
        assert isinstance(client().responses.parse(model=model, input="Who?", text_format=Person).output_parsed, Person)

    @check(title + ": a stream of %d events" % EVENTS)
    def _():
        stream = create("[[sim tokens=%d]]" % EVENTS, stream=True)
        equal(sum(1 for event in stream if event.type == "response.output_text.delta"), EVENTS, "events")

    @check(title + ": a stream that is broken off is client_gone")
    def _():
        stream = create("[[sim tokens=1000,pace=20]]", stream=True)
        request = last_id()
        for n, _event in enumerate(stream):
            if n == 8:
                break
        stream.close()
        equal(row(request, "status, cost > 0"), "client_gone 1", "usage row")

    errors(title, lambda content, retries, stream: client(retries).responses.create(model=model + "-errors", input=content, stream=stream))


for each in FORMATS:
    chat(each)
    responses(each)


@check("responses: an unknown key is AuthenticationError, not retried")
def _():
    fails(lambda: client(2, "sk-aip-sdk-nobody").responses.create(model="gpt-5", input="x"), openai.AuthenticationError)


@check("responses: an unknown model is NotFoundError, not retried")
def _():
    fails(lambda: client(2).responses.create(model="none", input="x"), openai.NotFoundError)


done("openai for Python")
