"""The official OpenAI SDK for Python against the gateway. Environment: BASE_URL, TALLY_URL (the demo provider's counters)."""
import json
import os
import re
import sys
import time
import urllib.request

import httpx
import openai
from openai import OpenAI

BASE = os.environ["BASE_URL"]
MESSAGES = [
    {"role": "system", "content": "You are a helpful AI assistant."},
    {"role": "user", "content": "Write a short introduction to AIPass Hub."},
]
ANSWER = "Hello from the demo provider."
passed = 0
failed = 0
sent = 0  # requests of the current test, retries included


def count(_request):
    global sent
    sent += 1


def client(key, retries=0, base=BASE):
    hooks = {"request": [count]}
    return OpenAI(api_key="sk-aip-sdk-" + key, base_url=base, max_retries=retries, timeout=30,
                  http_client=httpx.Client(event_hooks=hooks, timeout=30, trust_env=False))


def ask(key, model, retries=0, **options):
    return client(key, retries).chat.completions.create(model=model, messages=MESSAGES, **options)


def tally():
    with urllib.request.urlopen(os.environ["TALLY_URL"] + "/_tally", timeout=10) as answer:
        return json.load(answer)


def check(name):
    """Runs the decorated function at once, as the test of that name."""
    def run(test):
        global passed, failed, sent
        sent = 0
        try:
            test()
            passed += 1
            print("PASS python:", name, flush=True)
        except Exception as error:
            failed += 1
            print("FAIL python: %s: %s: %s" % (name, type(error).__name__, str(error)[:300]), flush=True)
    return run


def equal(got, wanted, what):
    assert got == wanted, "%s: wanted %r, got %r" % (what, wanted, got)


def fails(call, kind, status, code=None, tries=1):
    """The error that the call ends with, of that class, status and code, after so many requests."""
    try:
        call()
    except openai.APIError as error:
        assert isinstance(error, kind), "wanted %s, got %s" % (kind.__name__, type(error).__name__)
        equal(error.status_code, status, "status")
        if code is not None:
            equal(error.code, code, "code")
        assert error.request_id, "no request id"
        equal(sent, tries, "requests sent")
        return error
    raise AssertionError("no error")


def read_stream(stream):
    text, finish, usages, chunks = "", None, [], 0
    for chunk in stream:
        chunks += 1
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        if chunk.usage:
            usages.append(chunk.usage)
            equal(chunk.choices, [], "choices of the usage chunk")
    return text, finish, usages, chunks


@check("a whole answer")
def _():
    response = ask("rich", "gpt-5")
    assert response.choices[0].message.content.startswith(ANSWER), response.choices[0].message.content
    equal(response.choices[0].finish_reason, "stop", "finish_reason")
    equal(response.model, "gpt-5", "model")
    equal(response.usage.total_tokens, response.usage.prompt_tokens + response.usage.completion_tokens, "total_tokens")
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", response._request_id), response._request_id


@check("a streamed answer has no usage chunk unasked")
def _():
    text, finish, usages, chunks = read_stream(ask("rich", "gpt-5", stream=True, temperature=0.7, max_tokens=2000))
    assert text.startswith(ANSWER), text
    equal(finish, "stop", "finish_reason")
    equal(usages, [], "usage chunks")
    assert chunks > 3, chunks


@check("a streamed answer has one usage chunk when asked for")
def _():
    text, _, usages, _ = read_stream(ask("rich", "gpt-5", stream=True, stream_options={"include_usage": True}))
    assert text.startswith(ANSWER), text
    equal(len(usages), 1, "usage chunks")
    assert usages[0].total_tokens > 0


@check("the .stream() helper")
def _():
    with client("rich").chat.completions.stream(model="gpt-5", messages=MESSAGES) as stream:
        for _event in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content.startswith(ANSWER)


@check("a tool call")
def _():
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}]
    choice = ask("rich", "python-tool", tools=tools).choices[0]
    equal(choice.finish_reason, "tool_calls", "finish_reason")
    equal(choice.message.tool_calls[0].function.name, "lookup", "name")
    json.loads(choice.message.tool_calls[0].function.arguments)


@check("models.list")
def _():
    ids = [model.id for model in client("rich").models.list()]
    for wanted in ("gpt-5", "claude-sonnet-4-6", "gemini-2.5-pro", "python/slash"):
        assert wanted in ids, ids


@check("models.retrieve")
def _():
    model = client("rich").models.retrieve("gpt-5")
    equal((model.id, model.object, model.owned_by), ("gpt-5", "model", "openai"), "model")


@check("a model with a slash in its name")
def _():
    equal(client("rich").models.retrieve("python/slash").id, "python/slash", "id")
    equal(ask("rich", "python/slash").choices[0].message.content, "from a model with a slash", "content")


@check("models.retrieve of an unknown model is NotFoundError")
def _():
    fails(lambda: client("rich", 2).models.retrieve("no-such-model"), openai.NotFoundError, 404)


@check("400: a request without messages is BadRequestError")
def _():
    fails(lambda: client("rich", 2).post("/chat/completions", cast_to=object, body={"model": "gpt-5"}),
          openai.BadRequestError, 400, "bad_request")


@check("400: what the provider refuses is BadRequestError with its own words")
def _():
    error = fails(lambda: ask("rich", "python-refused", 2), openai.BadRequestError, 400, "odd_parameter")
    assert "This parameter is odd" in str(error), error


for state in ("unknown", "disabled", "revoked", "expired", "blocked"):
    @check("401: a key that is %s is AuthenticationError" % state)
    def _():
        fails(lambda: ask(state, "gpt-5", 2), openai.AuthenticationError, 401, "invalid_api_key")


@check("403: a model that the key may not use is PermissionDeniedError")
def _():
    fails(lambda: ask("limited", "claude-sonnet-4-6", 2), openai.PermissionDeniedError, 403, "permission_denied")


@check("404: an unknown model is NotFoundError")
def _():
    fails(lambda: ask("rich", "no-such-model", 2), openai.NotFoundError, 404)


@check("404: an unknown path is NotFoundError")
def _():
    fails(lambda: client("rich", 2).post("/no/such/path", cast_to=object, body={}), openai.NotFoundError, 404, "not_found")


@check("413: a body above 32 MB")
def _():
    huge = [{"role": "user", "content": "x" * (32 * 1024 * 1024)}]
    fails(lambda: client("rich", 2).chat.completions.create(model="gpt-5", messages=huge), openai.APIStatusError, 413, "request_too_large")


@check("429: without credit it is RateLimitError, insufficient_quota, not retried, and no provider is called")
def _():
    before = tally()["requests"]
    fails(lambda: ask("poor", "gpt-5", 2), openai.RateLimitError, 429, "insufficient_quota")
    equal(tally()["requests"], before, "provider calls")


@check("429: a provider's rate limit is RateLimitError; Retry-After is waited for")
def _():
    begun = time.monotonic()
    error = fails(lambda: ask("rich", "python-rate", 1), openai.RateLimitError, 429, "rate_limit_exceeded", tries=2)
    assert int(error.response.headers["retry-after"]) >= 1
    assert time.monotonic() - begun >= 1, "did not wait"


@check("503: a provider that is down is InternalServerError with Retry-After")
def _():
    error = fails(lambda: ask("rich", "python-down"), openai.InternalServerError, 503, "service_unavailable")
    assert int(error.response.headers["retry-after"]) >= 1


for broken in ("python-broken", "python-cut"):
    @check("an error inside a stream is APIError (%s)" % broken)
    def _():
        stream = ask("rich", broken, stream=True)
        try:
            for _chunk in stream:
                pass
        except openai.APIError:
            return
        raise AssertionError("no error")


@check("a doubled version in the base URL works")
def _():
    response = client("rich", base=BASE + "/v1").chat.completions.create(model="gpt-5", messages=MESSAGES)
    assert response.choices[0].message.content.startswith(ANSWER)


print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
