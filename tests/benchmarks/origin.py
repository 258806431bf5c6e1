"""A backend for what nginx cannot play: ``python -m tests.benchmarks.origin PORT``.

``POST /api/digest`` answers the SHA-256 of its body, ``POST /api/count`` its length; ``GET /api/events?interval=SECONDS`` sends server-sent events, each
with the time it was made (CLOCK_MONOTONIC, nanoseconds: the clock of the whole machine); ``GET /api/socket`` is a
WebSocket that echoes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import sys
import time
from urllib.parse import parse_qs, urlsplit

__all__ = ["accept_key", "main"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """``Sec-WebSocket-Accept`` for a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


class Echo(asyncio.Protocol):
    """Sends each message back unmasked. Messages of up to 125 bytes, which is what the load sends."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer  # it closes its transport when it is collected
        self._transport = writer.transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at, out = 0, []
        while len(data) - at >= 6:
            length = data[at + 1] & 0x7F
            if length > 125 or not data[at + 1] & 0x80:
                self._transport.abort()
                return
            end = at + 6 + length
            if len(data) < end:
                break
            if data[at] & 0x0F == 8:
                self._transport.close()
                return
            mask, payload = data[at + 2 : at + 6], data[at + 6 : end]
            if mask != b"\0\0\0\0":
                payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(payload))
            out.append(bytes((data[at], length)) + payload)
            at = end
        self._rest = data[at:]
        if out:
            self._transport.write(b"".join(out))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            target = urlsplit(first.split(" ")[1])
            if target.path == "/api/socket":
                accept = accept_key(fields["sec-websocket-key"])
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept.encode()
                )
                writer.transport.set_protocol(Echo(writer))
                return
            if target.path == "/api/events":
                await _events(writer, float(parse_qs(target.query)["interval"][0]))
                return
            if target.path == "/api/count":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nX-Received: %d\r\nContent-Length: 2\r\n\r\nok" % await _count(reader, fields)
                )
                continue
            body = hashlib.sha256(await _body(reader, fields)).hexdigest().encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
    writer.close()


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    if "chunked" not in fields.get("transfer-encoding", ""):
        return await reader.readexactly(int(fields.get("content-length", "0")))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


async def _count(reader: asyncio.StreamReader, fields: dict[str, str]) -> int:
    """Read a body away and say how long it was."""
    if "chunked" in fields.get("transfer-encoding", ""):
        total = 0
        while size := int((await reader.readline()).split(b";")[0], 16):
            left = size + 2
            while left:
                left -= len(await reader.read(min(left, 1 << 18)))
            total += size
        await reader.readuntil(b"\r\n")
        return total
    left = total = int(fields["content-length"])
    while left:
        data = await reader.read(min(left, 1 << 18))
        if not data:
            raise ConnectionError("cut off")
        left -= len(data)
    return total


async def _events(writer: asyncio.StreamWriter, interval: float) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        b"X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    while True:
        event = b"data: %d\n\n" % time.monotonic_ns()
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(interval)


async def _run(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=4096, limit=1 << 19)
    await server.serve_forever()


def main() -> None:
    """Serve on the port of the command line until the process is ended."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_run(int(sys.argv[1])))
    else:
        uvloop.run(_run(int(sys.argv[1])))


if __name__ == "__main__":
    main()
