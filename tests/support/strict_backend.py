"""A backend that takes down what it is sent and forgives nothing: what two servers could read differently is a fault.

It shares no code with the proxy. `StrictBackend.faults` must stay empty whatever clients do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Answer", "SeenRequest", "StrictBackend", "read_answer"]

_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]{2,15} (?:/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)(?::[0-9]{1,5})?")
_DOTS = re.compile(
    rb"(?:^|/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:/|\\|%2f|%5c|;|%3b|\?|$)|%00|\\|%(?![0-9a-f]{2})", re.IGNORECASE
)
_ONCE = (b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via", b"x-request-id")
_NEVER = (
    b"keep-alive", b"proxy-connection", b"trailer", b"proxy-authorization", b"http2-settings", b"x-real-ip",
    b"x-forwarded-client-cert",
)  # fmt: skip
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class SeenRequest:
    """One whole request as it arrived."""

    method: str
    target: str
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


@dataclass
class StrictBackend:
    """Answers 200 with ``METHOD TARGET LENGTH`` as body; `/ws` takes upgrades and echoes.

    `head_fault` says what is wrong with a head, None when nothing is; without one, what agw promises its backends is
    held against it.
    """

    head_fault: Callable[[bytes], str | None] = field(default=lambda head: _head_fault(head))
    requests: list[SeenRequest] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_LARGEST)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass  # the gateway left: half requests are its right when its client left
        except asyncio.CancelledError:
            pass  # stopped; asyncio's streams report a cancelled handler as an error of the loop
        except asyncio.LimitOverrunError:
            self.faults.append("a head of over 4 MiB")
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        fault = self.head_fault(head)
        if fault is not None:
            self.faults.append(f"{fault}: {head[:300]!r}")
            return False
        line, *lines = head[:-4].split(b"\r\n")
        method, target, _ = line.decode("ascii").split(" ")
        fields = tuple((name.lower(), value) for name, value in (_split(one) for one in lines))
        names = dict(fields)
        if names.get(b"expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"transfer-encoding" in names:
            body = await self._chunks(reader)
            if body is None:
                return False
        else:
            body = await reader.readexactly(int(names.get(b"content-length", b"0")))
        self.requests.append(SeenRequest(method, target, fields, body))
        if b"upgrade" in names and target.startswith("/ws"):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
            return False
        text = f"{method} {target} {len(body)}".encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n" % len(text)
        writer.write(answer if method == "HEAD" else answer + text)
        return True

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes | None:
        body = b""
        while True:
            line = await reader.readuntil(b"\n")
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}\r\n", line):
                self.faults.append(f"chunk size line {line[:80]!r}")
                return None
            size = int(line, 16)
            piece = await reader.readexactly(size + 2)
            if piece[size:] != b"\r\n":
                self.faults.append(f"chunk or trailer section ends with {piece[size:]!r}")
                return None
            if not size:
                return body
            body += piece[:size]


def _split(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def _head_fault(head: bytes) -> str | None:
    line, *lines = head[:-4].split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(line):
        return "request line"
    if _DOTS.search(line.split(b" ")[1].partition(b"?")[0]):
        return "path"
    fields: dict[bytes, list[bytes]] = {}
    for one in lines:
        match = _FIELD_LINE.fullmatch(one)
        if match is None:
            return f"field line {one[:80]!r}"
        name = match[1].lower()
        fields.setdefault(name, []).append(match[2].strip(b" \t"))
    for name in _ONCE:
        if len(fields.get(name, [])) != 1:
            return f"{len(fields.get(name, []))} times {name.decode()}"
    for name in _NEVER:
        if name in fields:
            return name.decode()
    for name in fields:
        if b"_" in name and name.replace(b"_", b"-") in (*_ONCE, *_NEVER, b"content-length", b"transfer-encoding"):
            return name.decode()
    if not _HOST.fullmatch(fields[b"host"][0]):
        return "host"
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if len(lengths) + len(codings) > 1:
        return "framing"
    if lengths and not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
        return "content-length"
    if codings and codings[0] != b"chunked":
        return "transfer-encoding"
    connection = [value.lower() for value in fields.get(b"connection", [])]
    if connection not in ([], [b"upgrade"], [b"te"]) or (b"upgrade" in fields) != (connection == [b"upgrade"]):
        return "connection"
    if fields.get(b"te", []) != ([b"trailers"] if connection == [b"te"] else []):
        return "te"
    return "a body on an upgrade" if b"upgrade" in fields and (codings or lengths not in ([], [b"0"])) else None


@dataclass(frozen=True)
class Answer:
    """An answer as a careful client reads it. ``whole`` is False when it was cut off before its end."""

    status: int
    fields: dict[bytes, bytes]
    body: bytes
    whole: bool = True


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer | None:
    """The next answer (1xx are passed over, except 101); None when the connection ended before one began.

    Raises:
        ValueError: what came is not an HTTP/1.1 answer.
    """
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                raise ValueError(f"half a head: {end.partial[:200]!r}") from end
            return None
        line, *lines = head[:-4].split(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*", line)
        if match is None or not all(_FIELD_LINE.fullmatch(one) for one in lines):
            raise ValueError(f"not an answer: {head[:200]!r}")
        status = int(match[1])
        if status >= 200 or status == 101:
            break
    pairs = [(name.lower(), value) for name, value in map(_split, lines)]
    fields = dict(pairs)
    framing = [name for name, _ in pairs if name in (b"content-length", b"transfer-encoding")]
    if len(framing) > 1:
        raise ValueError(f"framed more than once: {head[:200]!r}")
    if method == "HEAD" or status in (101, 204, 304):
        return Answer(status, fields, b"")
    body = b""
    try:
        if framing == [b"transfer-encoding"]:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:size]
            await reader.readexactly(2)
        elif framing:
            body = await reader.readexactly(int(fields[b"content-length"]))
        else:
            body = await reader.read()
    except asyncio.IncompleteReadError as end:
        return Answer(status, fields, body + end.partial, whole=False)
    except ConnectionResetError:
        return Answer(status, fields, body, whole=False)
    return Answer(status, fields, body)
