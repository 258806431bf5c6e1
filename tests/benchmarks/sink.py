"""A collector of spans that counts them: ``python -m tests.benchmarks.sink PORT``.

``POST /NAME`` takes OTLP over HTTP, as JSON (what agw sends) or as protobuf (what Envoy sends); ``GET /NAME`` answers how
many spans came under that name, and in how many requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator

__all__ = ["count_spans", "main"]


def count_spans(body: bytes, kind: str) -> int:
    """Spans in an ExportTraceServiceRequest (opentelemetry-proto, trace_service.proto)."""
    if "json" in kind:
        told = json.loads(body)
        return sum(len(scope["spans"]) for one in told["resourceSpans"] for scope in one["scopeSpans"])
    # resource_spans = 1; in it scope_spans = 2; in that spans = 2
    return sum(1 for one in _parts(body, 1) for scope in _parts(one, 2) for _ in _parts(scope, 2))


def _parts(message: bytes, wanted: int) -> Iterator[bytes]:
    """The length-delimited fields with the number `wanted` of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = _whole(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 2:
            size, at = _whole(message, at)
            if number == wanted:
                yield message[at : at + size]
            at += size
        elif wire == 0:
            _, at = _whole(message, at)
        else:
            at += 8 if wire == 1 else 4


def _whole(message: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = message[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
        shift += 7


class _Sink:
    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head[:-4].split("\r\n")
                fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                method, path, _ = first.split(" ")
                body = await self._body(reader, fields)
                kind, answer = fields.get("content-type", ""), b"{}"
                if method == "POST":
                    self.spans[path] += count_spans(body, kind)
                    self.requests[path] += 1
                    answer = answer if "json" in kind else b""
                else:
                    kind = "application/json"
                    answer = json.dumps({"spans": self.spans[path], "requests": self.requests[path]}).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                    % (kind.encode(), len(answer), answer)
                )
                await writer.drain()
        writer.close()

    async def _body(self, reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
        if "chunked" not in fields.get("transfer-encoding", ""):
            return await reader.readexactly(int(fields.get("content-length", "0")))
        parts = []
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return b"".join(parts)


async def _run(port: int) -> None:
    server = await asyncio.start_server(_Sink().serve, "127.0.0.1", port, limit=1 << 20)
    await server.serve_forever()


def main() -> None:
    """Serve on the port of the command line until the process is ended."""
    asyncio.run(_run(int(sys.argv[1])))


if __name__ == "__main__":
    main()
