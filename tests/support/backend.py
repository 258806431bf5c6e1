"""A backend that says exactly what a test tells it to, byte for byte, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Backend", "Conversation", "Received", "answer", "backend", "read_answer", "read_head", "says"]


@dataclass
class Received:
    """One request as it arrived."""

    line: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    connection: int = 0

    def all(self, name: str) -> list[str]:
        """The values of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The only value of a field, or None."""
        values = self.all(name)
        assert len(values) <= 1, values
        return values[0] if values else None


async def read_head(reader: asyncio.StreamReader) -> Received:
    """A head, strictly: every line ends with CR LF."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = text[:-4].split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return Received(first, [(name, value) for name, value in pairs])


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a chunked body, without trailers."""
    while True:
        size = int((await reader.readuntil(b"\r\n"))[:-2], 16)
        data = await reader.readexactly(size + 2)
        assert data.endswith(b"\r\n")
        if not size:
            return
        yield data[:-2]


async def read_body(reader: asyncio.StreamReader, head: Received) -> bytes:
    """The body that `head` announces; exactly one framing field, or none."""
    length, coding = head.get("content-length"), head.get("transfer-encoding")
    assert length is None or coding is None, head
    if coding is not None:
        assert coding == "chunked"
        return b"".join([chunk async for chunk in read_chunks(reader)])
    return await reader.readexactly(int(length)) if length else b""


async def read_answer(reader: asyncio.StreamReader, *, head_only: bool = False) -> Received:
    """An answer of the gateway; `line` is the status line. Interim answers come as answers of their own.

    Raises:
        asyncio.IncompleteReadError: it was cut off.
    """
    head = await read_head(reader)
    status = int(head.line.split(" ", 2)[1])
    if head_only or status < 200 or status in (204, 304):
        return head
    if head.get("content-length") is None and head.get("transfer-encoding") is None:
        head.body = await reader.read()
    else:
        head.body = await read_body(reader, head)
    return head


@dataclass
class Conversation:
    """One connection to the backend."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Say `data`."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Hang up so that the other side notices."""
        self.writer.transport.abort()


Script = Callable[[Received, Conversation], Awaitable[None]]


@dataclass
class Backend:
    """A running backend. ``requests`` are those whose body was read whole."""

    port: int = 0
    connections: int = 0
    open: int = 0
    requests: list[Received] = field(default_factory=list)
    heads: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


def answer(body: bytes = b"", status: str = "200 OK", fields: str = "") -> bytes:
    """An answer with a Content-Length."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode("latin-1") + body


def says(*answers: bytes) -> Script:
    """A script that gives `answers` one after the other, over all connections, and the last for ever."""
    left = list(answers)

    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(left.pop(0) if len(left) > 1 else left[0])

    return script


@contextlib.asynccontextmanager
async def backend(script: Script, *, reads_body: bool = True) -> AsyncIterator[Backend]:
    """Serve `script`: called for each request once its body is read (or its head alone, without `reads_body`)."""
    state = Backend()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.connections += 1
        state.open += 1
        conversation = Conversation(state.connections, reader, writer)
        try:
            while True:
                received = await read_head(reader)
                received.connection = conversation.number
                state.heads.append(received)
                if reads_body:
                    received.body = await read_body(reader, received)
                state.requests.append(received)
                state.arrived.set()
                await script(received, conversation)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            state.open -= 1
            state.closed.set()
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
