#!/usr/bin/env python3
"""Asks a web server that has the gateway behind it, over plain sockets, and judges what comes.

probe.py --port N --key-file FILE --log GATEWAY_LOG --conf AIPASS_CONF --host NAME CHECK...
Prints a PASS or FAIL line for each check, with the number that was measured; the last line is 'N passed, N failed'.
"""
import argparse
import concurrent.futures
import gzip
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

ARGS = None
PACE = 0.1


class Answer:
    """Status, headers and the pieces of a body with the time of each read."""

    def __init__(self):
        self.status, self.headers, self.reads, self.body, self.is_whole = 0, {}, [], b"", False
        self.started = time.monotonic()


def connect(timeout=20):
    s = socket.create_connection(("127.0.0.1", ARGS.port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ARGS.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s)
    return s


def head_of(method, path, headers, length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def unchunk(data):
    """The payload of as many whole chunks as there are, and whether the last one came."""
    out = b""
    while True:
        line, sep, rest = data.partition(b"\r\n")
        if not sep:
            return out, False
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return out, True
        if len(rest) < size + 2:
            return out + rest[:size], False
        out, data = out + rest[:size], rest[size + 2:]


def read_answer(s, a, on_read=None):
    data, split, before = b"", -1, 0
    while True:
        try:
            piece = s.recv(65536)
        except (OSError, ssl.SSLError):
            piece = b""
        if piece:
            data += piece
        if split < 0 and b"\r\n\r\n" in data:
            split = data.index(b"\r\n\r\n")
            lines = data[:split].decode("latin-1").split("\r\n")
            a.status = int(lines[0].split()[1])
            a.headers = {}
            for name, _, value in (line.partition(":") for line in lines[1:]):
                before_it = a.headers.get(name.lower())
                a.headers[name.lower()] = f"{before_it}, {value.strip()}" if before_it else value.strip()
        if split >= 0:
            raw = data[split + 4:]
            if a.headers.get("transfer-encoding") == "chunked":
                a.body, a.is_whole = unchunk(raw)
            else:
                a.body = raw
                n = a.headers.get("content-length")
                a.is_whole = len(raw) >= int(n) if n else not piece
            if len(a.body) > before:
                a.reads.append((time.monotonic() - a.started, a.body[before:]))
                before = len(a.body)
                if on_read and on_read(a):
                    return a
        if not piece or a.is_whole:
            return a


def ask(method, path, headers=None, body=None, timeout=20, on_read=None):
    a = Answer()
    with connect(timeout) as s:
        a.started = time.monotonic()
        s.sendall(head_of(method, path, headers if headers is not None else [ARGS.bearer], None if body is None else len(body)))
        if body:
            try:
                s.sendall(body)
            except OSError:
                pass  # refused before it was sent: the answer tells
        return read_answer(s, a, on_read)


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def events(a):
    return re.findall(rb"^data: (.*)$", a.body, re.M)


# ---- checks ----

def stream():
    ask("GET", "/v1/selftest?events=1")  # whatever is started at the first request
    best = None
    for _ in range(3):  # the machine may be busy: the best of three tells what the server does
        a = ask("GET", "/v1/selftest?events=10&pace_ms=100")
        need(a.status == 200 and a.is_whole, f"{a.status}, whole {a.is_whole}")
        times = [t for t, piece in a.reads if b"data: {" in piece]
        lumps = max(piece.count(b"data: {") for _, piece in a.reads)
        lag = max(abs(t - times[0] - i * PACE) for i, t in enumerate(times)) if len(times) == 10 else 9
        got = (lumps, times[0], lag)
        best = got if best is None or got < best else best
    first_max = 0.1 if ARGS.host != "apache-cgi" else 0.3
    need(best[0] == 1, f"{best[0]} events in one read")
    need(best[1] < first_max, f"first event after {best[1] * 1000:.0f} ms")
    return f"first event {best[1] * 1000:.0f} ms, one read an event, none later than {best[2] * 1000:.0f} ms"


def headers():
    key = ARGS.bearer.split()[-1]
    for line in (ARGS.bearer, f"x-api-key: {key}", f"x-goog-api-key: {key}"):
        a = ask("GET", "/v1/selftest?events=1", [line])
        need(a.status == 200, f"{line.split(':')[0]}: {a.status}")
    need(ask("GET", f"/v1/selftest?events=1&key={key}", []).status == 200, "?key=")
    need(ask("GET", "/v1/selftest?events=1", []).status == 401, "no key")
    return "Authorization, x-api-key, x-goog-api-key, ?key="


def body():
    data = os.urandom(2 << 20)
    a = ask("POST", "/v1/selftest", body=data)
    need(a.status == 200, f"{a.status}")
    need(json.loads(a.body)["sha256"] == hashlib.sha256(data).hexdigest(), "changed on the way")
    return "2 MB arrive whole"


def too_large():
    found = []
    for size in ((32 << 20) + 1, 40 << 20):
        a = ask("POST", "/v1/selftest", body=bytes(size))
        need(a.status == 413, f"{size} bytes: {a.status}")
        need(json.loads(a.body)["error"]["code"], "the 413 is no JSON")
        found.append(a.status)
    return "413 in JSON above 32 MB, by the gateway and by the server"


def silence():
    seconds = 8 if ARGS.short else 50
    a = ask("GET", f"/v1/selftest?events=1&silence_ms={seconds * 1000}", timeout=seconds + 20)
    need(a.is_whole and b"[DONE]" in a.body, f"cut after {time.monotonic() - a.started:.1f} s")
    return f"{seconds} s of silence, {a.body.count(b': ping')} pings"


def logged(request_id):
    try:
        with open(ARGS.log, encoding="utf-8", errors="replace") as f:
            return any(request_id in line and ("event=request" in line or line.startswith("request") or " request " in line) for line in f)
    except OSError:
        return False


def gone():
    a = ask("GET", "/v1/selftest?events=1&silence_ms=60000", on_read=lambda a: True)
    left = time.monotonic()
    limit = 1 if ARGS.host.startswith("lighttpd") else 2 * ARGS.ping + 1
    request_id = a.headers.get("x-request-id", "?")
    while time.monotonic() - left < limit + 5 and not logged(request_id):
        time.sleep(0.02)
    took = time.monotonic() - left
    need(took <= limit, f"noticed after {took:.1f} s")
    return f"noticed after {took:.2f} s (a ping each {ARGS.ping} s)"


def crowd():
    count = 40 if ARGS.short else 200
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: ask("GET", "/v1/selftest?events=20&pace_ms=250", timeout=60), range(count)))
    whole = [a for a in answers if a.status == 200 and a.is_whole and b"[DONE]" in a.body]
    first = sorted(a.reads[0][0] for a in whole)
    need(len(whole) == count, f"{len(whole)} of {count} came whole in {time.monotonic() - begin:.0f} s; others {sorted({a.status for a in answers if a not in whole})}")
    return f"{count} streams at once, first event median {first[count // 2] * 1000:.0f} ms, last {first[-1] * 1000:.0f} ms"


def smuggling():
    """Two lengths in one request: refused, or read in one way only, with no second answer."""
    inner = f"GET /v1/selftest?events=1 HTTP/1.1\r\nHost: localhost\r\n{ARGS.bearer}\r\n\r\n"
    variants = {
        "CL and TE": ["Content-Length: 5", "Transfer-Encoding: chunked"],
        "TE and CL": ["Transfer-Encoding: chunked", f"Content-Length: {5 + len(inner)}"],
        "two lengths": ["Content-Length: 5", f"Content-Length: {5 + len(inner)}"],
        "TE with a blank": ["Content-Length: 5", "Transfer-Encoding : chunked"],
        "TE unknown": ["Content-Length: 5", "Transfer-Encoding: xchunked"],
        "TE twice": ["Transfer-Encoding: identity", "Transfer-Encoding: chunked", "Content-Length: 5"],
        "a signed length": ["Content-Length: +5"],
    }
    seen = []
    for name, lines in variants.items():
        with connect(10) as s:
            s.sendall(("\r\n".join(["POST /v1/selftest HTTP/1.1", "Host: localhost", ARGS.bearer, *lines]) + "\r\n\r\n0\r\n\r\n" + inner).encode())
            data = b""
            try:
                s.settimeout(2)
                while piece := s.recv(65536):
                    data += piece
            except OSError:
                pass
        answers = re.findall(rb"HTTP/1\.[01] (\d+)", data)
        need(b"text/event-stream" not in data, f"{name}: the request inside was run")
        need(not answers or answers[0][:1] in b"45", f"{name}: {answers}")
        seen.append((answers or [b"closed"])[0].decode())
    return ", ".join(f"{n}: {s}" for n, s in zip(variants, seen))


def chunked():
    """A body without a length: read as a whole, or refused with a status that says why."""
    data = os.urandom(100000)
    with connect() as s:
        a = Answer()
        s.sendall(head_of("POST", "/v1/selftest", [ARGS.bearer, "Transfer-Encoding: chunked"]))
        try:
            for i in range(0, len(data), 10000):
                s.sendall(b"2710\r\n" + data[i:i + 10000] + b"\r\n")
            s.sendall(b"0\r\n\r\n")
        except OSError:
            pass
        read_answer(s, a)
    if ARGS.host.startswith("apache"):
        need(a.status == 411 and json.loads(a.body)["error"]["message"], f"{a.status} {a.body[:100]}")
        return "refused with 411 in JSON, as the snippet says"
    need(a.status == 200 and json.loads(a.body)["sha256"] == hashlib.sha256(data).hexdigest(), f"{a.status}")
    return "100 kB in chunks arrive whole"


def vary_of(a):
    return {x.strip().lower() for x in a.headers.get("vary", "").split(",")}


def page(path, status=200, kind="text/html", **headers):
    a = ask("GET", path, [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()])
    got = a.headers.get("content-type", "")
    need(a.status == status and kind in got, f"{path} {headers}: {a.status} {got}")
    return a


def documentation():
    """What stands in /docs/: compressed, cached, as Markdown, and nothing inline."""
    plain = page("/docs/")
    packed = page("/docs/", Accept_Encoding="gzip")
    need(packed.headers.get("content-encoding") == "gzip" and gzip.decompress(packed.body) == plain.body, "/docs/ is not compressed")
    for a in (plain, packed):
        need("max-age=300" in a.headers.get("cache-control", "") and {"accept", "accept-encoding"} <= vary_of(a), f"/docs/: {a.headers}")
        policy = a.headers.get("content-security-policy", "")
        need("default-src 'none'" in policy and "unsafe" not in policy, f"/docs/: {policy}")
    for path in ("/docs/admin", "/docs/admin.html"):
        a = page(path, Accept_Encoding="gzip")
        need(b"<!DOCTYPE html>" in gzip.decompress(a.body) if a.headers.get("content-encoding") == "gzip" else b"<!DOCTYPE html>" in a.body, path)
    need(page("/docs/admin", Accept_Encoding="gzip").headers.get("content-encoding") == "gzip", "/docs/admin is not compressed")
    need(page("/docs/admin", kind="text/markdown", Accept="text/markdown").body[:1] == b"#", "/docs/admin as Markdown")
    need(page("/docs/", kind="text/markdown", Accept="text/markdown").body[:1] == b"#", "/docs/ as Markdown")
    links = re.findall(rb'(?:href|src)="(/docs/[a-z]+\.(?:css|js)\?v=[0-9a-f]+)"', plain.body)
    need(len(links) > 1, "no link with a version")
    for link in links:
        a = page(link.decode(), kind="text/", Accept_Encoding="gzip")
        need("immutable" in a.headers.get("cache-control", "") and a.headers.get("content-encoding") == "gzip", f"{link}: {a.headers}")
        need("accept-encoding" in vary_of(a) and "accept" not in vary_of(a), f"{link}: {a.headers.get('vary')}")
    tag = packed.headers.get("etag", "")
    need(tag and page("/docs/", 304, "", Accept_Encoding="gzip", If_None_Match=tag).body == b"", "no 304 for its ETag")
    return f"compressed, {len(links)} files with a version cached for good, Markdown, ETag"


def pages():
    a = ask("GET", "/", [])
    need(a.status == 200 and "text/html" in a.headers.get("content-type", ""), f"/: {a.status}")
    need("max-age" in a.headers.get("cache-control", ""), "no Cache-Control")
    need(a.headers.get("x-content-type-options") == "nosniff" and "unsafe" not in a.headers.get("content-security-policy", "unsafe"), "no security headers")
    for path in ("/aipass.conf", "/x.sql", "/.git/config", "/.htaccess", "/secret.key", "/docs/x.sh", "/README.md"):
        need(ask("GET", path, []).status in (403, 404), f"{path} is served")
    a = ask("GET", "/no-such-page", [])
    need(a.status == 404 and "text/html" in a.headers.get("content-type", ""), "/no-such-page")
    for path, status in (("/v1/nothing", 404), ("/healthz", 200), ("/v1/models", 200), ("/v1/v1/models", 200), ("/models", 200)):
        a = ask("GET", path)
        need(a.status == status and "json" in a.headers.get("content-type", ""), f"{path}: {a.status} {a.headers.get('content-type')}")
    return "pages with their headers, sources and secrets not, errors of the API in JSON"


def slash():
    a = ask("GET", "/v1/models/some%2Fmodel")
    need(a.status == 404 and "json" in a.headers.get("content-type", ""), f"{a.status} {a.headers.get('content-type')}")
    return "a model's name with %2F reaches the gateway"


def slow_upload():
    """Half-sent requests stand; others are answered at once."""
    held = []
    for _ in range(20):
        s = connect(5)
        s.sendall(head_of("POST", "/v1/selftest", [ARGS.bearer], 100000) + b"x")
        held.append(s)
    time.sleep(0.5)
    begin = time.monotonic()
    a = ask("GET", "/v1/selftest?events=1")
    took = time.monotonic() - begin
    need(a.status == 200 and took < 2, f"{a.status} after {took:.1f} s beside 20 slow uploads")
    ended = ""
    if not ARGS.short:
        held[0].settimeout(90)
        begin = time.monotonic()
        try:
            while held[0].recv(4096):
                pass
        except OSError:
            pass
        need(time.monotonic() - begin < 85, "a stalled upload was never ended")
        ended = f"; ended after {time.monotonic() - begin:.0f} s"
    for s in held:
        s.close()
    return f"{took * 1000:.0f} ms beside 20 slow uploads{ended}"


def slow_reader():
    """Who does not read is given up after client_write_ms, and the worker is free."""
    text = "[[sim tokens=600,chunk=100000]]"
    data = json.dumps({"model": "demo-model", "stream": True, "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}).encode()
    a = Answer()
    s = connect(10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.sendall(head_of("POST", "/v1/chat/completions", [ARGS.bearer], len(data)) + data)
    read_answer(s, a, lambda a: True)
    need(a.status == 200, f"{a.status}")
    begin = time.monotonic()
    while time.monotonic() - begin < 30 and not logged(a.headers["x-request-id"]):
        time.sleep(0.1)
    took = time.monotonic() - begin
    s.close()
    need(took < 30, "the worker is still held after 30 s")
    return f"given up after {took:.1f} s (client_write_ms = 3000)"


def gateways():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
            env = open(f"/proc/{pid}/environ", "rb").read() if b"aipass.fcgi" in line else b""
        except OSError:
            continue
        if b"aipass.fcgi" in line.split(b"\0")[0] and (ARGS.conf.encode() in line or ARGS.conf.encode() in env):
            found.append(int(pid))
    return sorted(found)


def chat(pace=0):
    data = json.dumps({"model": "demo-model", "max_tokens": 50, "messages": [{"role": "user", "content": f"[[sim tokens=5,pace={pace}]] hi"}]}).encode()
    try:
        return ask("POST", "/v1/chat/completions", body=data).status
    except OSError:
        return 0


def kill_one():
    """One of the workers; where each request has a process, that of a request that runs."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        pids = gateways()
        need(not pids or len(pids) > 1 or ARGS.host in ("apache-fcgid", "apache-cgi"), f"{len(pids)} workers")
        try:
            if pids:
                return os.kill(pids[-1], signal.SIGKILL)
        except ProcessLookupError:
            pass
    raise AssertionError("no worker was found")


def kill9():
    """One worker dies by kill -9 under 40 requests a second."""
    seconds = 3 if ARGS.short else 8
    results = []
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        begin = time.monotonic()
        for i in range(seconds * 40):
            time.sleep(max(0, begin + i / 40 - time.monotonic()))
            results.append(pool.submit(chat))
            if i == seconds * 20:
                kill_one()
    bad = [r.result() for r in results if r.result() != 200]
    need(len(bad) <= 1, f"{len(bad)} of {len(results)} failed: {bad[:5]}")
    return f"{len(bad)} of {len(results)} failed"


def restart():
    """A graceful restart under 50 streams."""
    count = 20 if ARGS.short else 50

    def one(_):
        return ask("GET", "/v1/selftest?events=20&pace_ms=200", timeout=60)

    before = gateways()
    with concurrent.futures.ThreadPoolExecutor(count + 1) as pool:
        streams = [pool.submit(one, i) for i in range(count)]
        time.sleep(1)
        subprocess.run(ARGS.restart, shell=True, check=True, timeout=60)
        late = [ask("GET", "/v1/selftest?events=1").status for _ in range(10)]
        whole = [s.result() for s in streams]
    dropped = [a for a in whole if not (a.is_whole and b"[DONE]" in a.body)]
    need(not dropped, f"{len(dropped)} of {count} streams were dropped")
    # mod_cgid's own helper is started anew: who asks in that moment is told 503 by Apache.
    lost = len(late) - late.count(200)
    need(lost <= (1 if ARGS.host == "apache-cgi" else 0), f"new requests meanwhile: {late}")
    end = time.monotonic() + 15
    while set(before) & set(gateways()) and time.monotonic() < end:
        time.sleep(0.1)
    need(not set(before) & set(gateways()) or ARGS.host == "apache-cgi", "an old worker still runs")
    return f"{count} streams went on, {len(before)} workers replaced, {lost} of {len(late)} new requests were refused"


def main():
    global ARGS
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--key-file", required=True)
    p.add_argument("--log", required=True)
    p.add_argument("--conf", required=True)
    p.add_argument("--host", required=True)
    p.add_argument("--ping", type=float, default=1)
    p.add_argument("--restart", default="")
    p.add_argument("--short", action="store_true")
    p.add_argument("--tls", action="store_true")
    p.add_argument("checks", nargs="+")
    ARGS = p.parse_args()
    ARGS.bearer = "Authorization: Bearer " + open(ARGS.key_file, encoding="ascii").read().strip()
    passed = failed = 0
    for name in ARGS.checks:
        try:
            text = globals()[name]()
            passed += 1
            print(f"PASS {ARGS.host} {name}: {text}", flush=True)
        except (AssertionError, OSError, KeyError, ValueError, IndexError, subprocess.SubprocessError) as e:
            failed += 1
            print(f"FAIL {ARGS.host} {name}: {type(e).__name__ if not isinstance(e, AssertionError) else ''} {e}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
