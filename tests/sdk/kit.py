"""What the SDK tests in Python share: checks that run side by side, the requests that each one sent, and the usage rows they left.

Environment: BASE_URL (with /v1), ADMIN_CNF (option file for the SQL prompt), ONLY (a part of the names wanted)."""
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import httpx2

BASE = os.environ["BASE_URL"]
ROOT = BASE.removesuffix("/v1")
KEY = "sk-aip-sdk-rich"
FORMATS = ("openai-chat", "openai-responses", "anthropic", "gemini")
ANSWER = "Hello from the demo provider"
RESULT = 'It is 21 °C "there"'
EVENTS = 2000
AT_ONCE = 4
ROW_TRIES = 100
current = threading.local()  # of the check that runs in this thread: requests sent, the last one's id
queue = []


def count_requests(http):
    """Every SDK ends in this method."""
    send = http.Client.send

    def counted(self, request, **options):
        current.sent = getattr(current, "sent", 0) + 1
        answer = send(self, request, **options)
        current.id = answer.headers.get("x-request-id") or answer.headers.get("request-id")
        return answer
    http.Client.send = counted


count_requests(httpx)
count_requests(httpx2)


def last_id():
    return current.id


def check(name):
    """The decorated function runs later, beside others."""
    def keep(test):
        queue.append((name, test))
    return keep


def equal(got, wanted, what):
    assert got == wanted, "%s: wanted %r, got %r" % (what, wanted, got)


def has(text, part, what):
    assert part in (text or ""), "%s: no %r in %r" % (what, part, (text or "")[:600])


def fails(call, kind, tries=1):
    """The error that the call ends with, of that class, after so many requests."""
    current.sent = 0
    try:
        call()
    except Exception as error:
        assert isinstance(error, kind), "wanted %s, got %s: %s" % (kind.__name__, type(error).__name__, error)
        equal(current.sent, tries, "requests sent")
        return error
    raise AssertionError("no error")


def row(request, columns):
    """Columns of a request's usage row, once it is there."""
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", request), request
    sql = "SELECT CONCAT_WS(' ', %s) FROM usage_log WHERE request_id = '%s'" % (columns, request)
    for _ in range(ROW_TRIES):
        out = subprocess.run(["mariadb", "--defaults-file=" + os.environ["ADMIN_CNF"], "--batch", "--skip-column-names", "-e", sql],
                             check=True, capture_output=True, text=True).stdout
        if out:
            return out.strip()
        time.sleep(0.1)
    raise AssertionError("request %s has no usage row" % request)


def payload(seal):
    """What of a signature the provider gets back: an envelope of ours is taken off."""
    return seal.rsplit(".", 1)[-1] if seal.startswith("aip1.") else seal


def run_one(suite, name, test):
    try:
        test()
        print("PASS %s: %s" % (suite, name), flush=True)
        return True
    except Exception as error:
        print("FAIL %s: %s: %s: %s" % (suite, name, type(error).__name__, str(error)[:900]), flush=True)
        return False


def done(suite):
    """Runs all checks and ends the program. The last line is 'N passed, N failed'."""
    wanted = [(name, test) for name, test in queue if os.environ.get("ONLY", "") in name]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda c: run_one(suite, *c), wanted))
    print("%d passed, %d failed" % (results.count(True), results.count(False)), flush=True)
    sys.exit(0 if all(results) else 1)
