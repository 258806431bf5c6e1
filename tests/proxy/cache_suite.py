"""Runs cases of the public HTTP caching tests (https://github.com/http-tests/cache-tests, BSD-3-Clause, Copyright (c)
2018 Mark Nottingham) on real sockets: an origin that answers as a case says, and a client that checks what comes.

The cases are data of that project (`cache_suite.json`, whose head has the licence); this is its server and its client
in Python (test-engine/server/handle-test.mjs, test-engine/client/test.mjs).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

__all__ = ["CASES", "CaseFailed", "Origin", "run_case"]

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cache_suite.json").read_text())["tests"]
PAUSE_SECONDS = 3.0
_DATES = frozenset(("date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"))
_LOCATIONS = frozenset(("location", "content-location"))
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Headers = list[tuple[str, str]]


class CaseFailed(AssertionError):
    """The cache did something else."""


def _date(now: float, delta: float, rfc850: bool) -> str:
    if rfc850:
        told = time.gmtime(now + delta)
        return f"{_DAYS[told.tm_wday]}, " + time.strftime("%d-%b-%y %H:%M:%S GMT", told)
    return formatdate(now + delta, usegmt=True)


def _fixed(header: list[Any], now: float, base: str, request: dict[str, Any]) -> tuple[str, str]:
    name, value = header[0], header[1]
    lower = name.lower()
    if lower in _DATES and isinstance(value, int | float) and not isinstance(value, bool):
        value = _date(now, value, lower in request.get("rfc850date", ()))
    if lower in _LOCATIONS and request.get("magic_locations"):
        value = f"{base}/{value}" if value else base
    return name, str(value)


def _joined(headers: Headers, name: str) -> str | None:
    values = [value for found, value in headers if found.lower() == name.lower()]
    return ", ".join(values) if values else None


class Origin:
    """Answers as the cases say, by the first part of the path behind ``/test/``."""

    def __init__(self) -> None:
        self.cases: dict[str, list[dict[str, Any]]] = {}
        self.seen: dict[str, list[dict[str, Any]]] = {}
        self.port = 0
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[Origin]:
        origin = cls()
        server = await asyncio.start_server(origin._serve, "127.0.0.1", 0)
        origin.port = server.sockets[0].getsockname()[1]
        try:
            yield origin
        finally:
            server.close()
            for writer in list(origin._open):
                writer.transport.abort()
            await asyncio.gather(*filter(None, origin._open.values()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head[:-4].split("\r\n")
                headers = [
                    (name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields)
                ]
                length = int(_joined(headers, "content-length") or 0)
                if length:
                    await reader.readexactly(length)
                if not await self._answer(line, headers, writer):
                    break
        writer.close()
        self._open.pop(writer, None)

    async def _answer(self, line: str, headers: Headers, writer: asyncio.StreamWriter) -> bool:
        method, target, _ = line.split(" ")
        name = target.split("?")[0].split("/")[2]
        requests, state = self.cases[name], self.seen.setdefault(name, [])
        told = _joined(headers, "req-num")
        number = int(told) if told and told.isdigit() else len(state) + 1
        request = requests[number - 1]
        if "response_pause" in request:
            await asyncio.sleep(request["response_pause"])
        count, now = len(state) + 1, time.time()
        for status, interim in [(*item, [])[:2] for item in request.get("interim_responses", [])]:
            writer.write(_head(status, "Early", [(one, two) for one, two in interim]))
        status, reason = request.get("response_status", [200, "OK"])
        if request.get("expected_type", "").endswith("validated"):
            before = requests[number - 2].get("response_headers", [])
            held = {one[0].lower(): _fixed(one, now, target, request)[1] for one in before if len(one) > 1}
            saved = {one.lower(): two for one, two in state[-1]["sent"]} if state else held
            status, reason = 999, "304 Not Generated"
            for condition, validator in (("if-modified-since", "last-modified"), ("if-none-match", "etag")):
                if validator in held and _joined(headers, condition) in (held[validator], saved.get(validator)):
                    status, reason = 304, "Not Modified"
        sent: dict[str, tuple[str, list[str]]] = {}

        def put(field: str, value: str) -> None:
            sent.setdefault(field.lower(), (field, []))[1].append(value)

        put("Server-Base-Url", target)
        put("Server-Request-Count", str(count))
        put("Client-Request-Count", str(number))
        put("Server-Now", str(int(now * 1000)))
        kept: dict[str, str] = {}
        for header in request.get("response_headers", []):
            field, value = _fixed(header, now, target, request)
            put(field, value)
            if len(header) < 3 or header[2] is True:
                kept[field] = ", ".join(sent[field.lower()][1])
        if "content-type" not in sent:
            put("Content-Type", "text/plain")
        if "date" not in sent:
            put("Date", _date(now, 0, False))
        lines = [(field, value) for field, values in sent.values() for value in values]
        state.append({"number": number, "method": method, "headers": headers, "expect": kept, "sent": lines})
        lines.append(("Request-Numbers", " ".join(str(item["number"]) for item in state)))
        if request.get("disconnect"):
            writer.transport.abort()
            return False
        body = (request.get("response_body") or name).encode()
        bodyless = status in (204, 304)
        if not bodyless and "content-length" not in sent and "transfer-encoding" not in sent:
            lines.append(("Content-Length", str(len(body))))
        writer.write(_head(status, reason, lines) + (b"" if bodyless or method == "HEAD" else body))
        await writer.drain()
        return True


def _head(status: int, reason: str, headers: Headers) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")


class _Answer:
    def __init__(self, status: int, headers: Headers, body: bytes, interim: list[tuple[int, Headers]]) -> None:
        self.status, self.headers, self.body, self.interim = status, headers, body, interim

    def get(self, name: str) -> str | None:
        return _joined(self.headers, name)


async def _fetch(port: int, method: str, target: str, headers: Headers, body: str | None) -> _Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(40):
            data = (body or "").encode()
            if data or method in ("POST", "PUT"):
                headers = [*headers, ("Content-Length", str(len(data)))]
            fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
            writer.write(
                f"{method} {target} HTTP/1.1\r\nHost: cache.example\r\nConnection: close\r\n{fields}\r\n".encode(
                    "latin-1"
                )
                + data
            )
            interim: list[tuple[int, Headers]] = []
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *rest = head[:-4].split("\r\n")
                status = int(line.split(" ")[1])
                got = [(name, value.strip()) for name, _, value in (field.partition(":") for field in rest)]
                if status >= 200:
                    break
                interim.append((status, got))
            if method == "HEAD" or status in (204, 304):
                return _Answer(status, got, b"", interim)
            length = _joined(got, "content-length")
            if length is not None:
                return _Answer(status, got, await reader.readexactly(int(length)), interim)
            payload = await reader.read()
            if (_joined(got, "transfer-encoding") or "") == "chunked":
                payload = _dechunked(payload)
            return _Answer(status, got, payload, interim)
    finally:
        writer.close()


def _dechunked(data: bytes) -> bytes:
    made = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        if not count:
            break
        made, data = made + data[:count], data[count + 2 :]
    return made


async def run_case(case: dict[str, Any], origin: Origin, port: int) -> None:
    """Run one case through the cache at `port`.

    Raises:
        CaseFailed: with what was not as it should be; "setup: " begins what is not what the case is about.
    """
    name, requests = str(uuid.uuid4()), case["requests"]
    origin.cases[name] = requests
    answers: list[_Answer] = []
    for index, request in enumerate(requests):
        before = answers[-1] if answers else None
        headers: Headers = [("Pragma", "foo"), ("Cache-Control", "nothing-to-see-here")]
        now = int((before.get("server-now") if before is not None else None) or 0) / 1000
        for header in request.get("request_headers", []):
            if header[0].lower() == "if-modified-since" and request.get("magic_ims"):
                headers.append(_fixed(header, now, "", request))
            else:
                headers.append((header[0], str(header[1])))
        headers += [("Test-ID", case["id"]), ("Req-Num", str(index + 1))]
        target = f"/test/{name}"
        if "filename" in request:
            target += f"/{request['filename']}"
        if "query_arg" in request:
            target += f"?{request['query_arg']}"
        method = request.get("request_method", "GET")
        answer = await _fetch(port, method, target, headers, request.get("request_body"))
        answers.append(answer)
        _check_answer(request, index + 1, answer, name)
        if request.get("pause_after"):
            await asyncio.sleep(PAUSE_SECONDS)
    _check_seen(requests, answers, origin.seen.get(name, []))


def _hold(setup: bool, holds: bool, said: str) -> None:
    if not holds:
        raise CaseFailed(("setup: " if setup else "") + said)


def _is_setup(request: dict[str, Any], member: str) -> bool:
    return bool(request.get("setup")) or member in request.get("setup_tests", ())


def _check_answer(request: dict[str, Any], number: int, answer: _Answer, name: str) -> None:
    told = answer.get("server-request-count")
    count = int(told) if told and told.isdigit() else None
    if "expected_type" in request:
        setup = _is_setup(request, "expected_type")
        if request["expected_type"] == "cached" and not (answer.status == 304 and count is None):
            _hold(setup, count is not None and count < number, f"response {number} does not come from the cache")
        if request["expected_type"] == "not_cached":
            _hold(setup, count == number, f"response {number} comes from the cache ({answer.status})")
    if "expected_status" in request:
        wanted = request["expected_status"]
        if wanted is not None:
            setup = _is_setup(request, "expected_status")
            _hold(setup, answer.status == wanted, f"response {number} has status {answer.status}, not {wanted}")
    elif "response_status" in request:
        _hold(True, answer.status == request["response_status"][0], f"response {number} has status {answer.status}")
    elif answer.status == 999:
        _hold(_is_setup(request, "expected_type"), False, f"request {number} should have been conditional")
    else:
        _hold(True, answer.status == 200, f"response {number} has status {answer.status}, not 200")
    setup = _is_setup(request, "expected_response_headers")
    for header in request.get("expected_response_headers", ()):
        if isinstance(header, str):
            _hold(setup, answer.get(header) is not None, f"response {number} has no {header}")
        elif len(header) > 2:
            value = answer.get(header[0])
            _hold(setup, value is not None, f"response {number} has no {header[0]}")
            if header[1] == "=":
                _hold(setup, value == answer.get(header[2]), f"response {number}: {header[0]} is not {header[2]}")
            else:
                _hold(setup, int(value or 0) > header[2], f"response {number}: {header[0]} is {value}")
        else:
            now = int(answer.get("server-now") or 0) / 1000
            wanted = _fixed(header, now, answer.get("server-base-url") or "", request)[1]
            got = answer.get(header[0])
            _hold(setup, got == wanted, f"response {number}: {header[0]} is {got!r}, not {wanted!r}")
    setup = _is_setup(request, "expected_response_headers_missing")
    for header in request.get("expected_response_headers_missing", ()):
        if isinstance(header, str):
            _hold(setup, answer.get(header) is None, f"response {number} has {header}")
    if "expected_interim_responses" in request:
        wanted = [item[0] for item in request["expected_interim_responses"]]
        _hold(False, [status for status, _ in answer.interim] == wanted, f"interim responses {answer.interim}")
    if request.get("check_body") is False:
        return
    body = answer.body.decode()
    if "expected_response_text" in request:
        wanted = request["expected_response_text"]
        if wanted is not None:
            _hold(_is_setup(request, "expected_response_text"), body == wanted, f"response {number} says {body!r}")
    elif request.get("response_body") is not None:
        _hold(True, body == request["response_body"], f"response {number} says {body!r}")
    elif answer.status not in (204, 304) and request.get("request_method") != "HEAD":
        _hold(True, body == name, f"response {number} says {body!r}")


def _check_seen(requests: list[dict[str, Any]], answers: list[_Answer], seen: list[dict[str, Any]]) -> None:
    at = 0
    for number, (request, answer) in enumerate(zip(requests, answers, strict=True), 1):
        expected, setup = request.get("expected_type"), _is_setup(request, "expected_type")
        if expected == "cached":
            continue
        got = seen[at] if at < len(seen) else None
        if expected == "not_cached":
            _hold(setup, got is not None and got["number"] == number, f"response {number} comes from the cache")
        at += 1
        for kind, condition in (("etag_validated", "if-none-match"), ("lm_validated", "if-modified-since")):
            if expected == kind:
                _hold(setup, got is not None, f"request {number} did not reach the origin")
                assert got is not None
                _hold(setup, _joined(got["headers"], condition) is not None, f"request {number} has no {condition}")
        if got is None:
            continue
        setup = _is_setup(request, "expected_request_headers")
        for header in request.get("expected_request_headers", ()):
            value = _joined(got["headers"], header if isinstance(header, str) else header[0])
            wanted = value is not None if isinstance(header, str) else value == header[1]
            _hold(setup, wanted, f"request {number}: {header} is {value!r}")
        setup = _is_setup(request, "expected_request_headers_missing")
        for header in request.get("expected_request_headers_missing", ()):
            value = _joined(got["headers"], header if isinstance(header, str) else header[0])
            wanted = value is None if isinstance(header, str) else value != header[1]
            _hold(setup, wanted, f"request {number}: {header} is {value!r}")
        for field, value in got["expect"].items():
            if field.lower() != "date":
                there = answer.get(field)
                _hold(True, there == value, f"response {number}: {field} is {there!r}, not {value!r}")
        if "expected_method" in request:
            setup = _is_setup(request, "expected_method")
            _hold(setup, got["method"] == request["expected_method"], f"request {number} was {got['method']}")
