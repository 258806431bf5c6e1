"""Backends that do as a script says, and remember what they were asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Backend", "Call", "Script", "backend", "nobody"]


@dataclass
class Call:
    """One request as a backend saw it. ``number`` counts the backend's requests in a case, ``turn`` those of the
    connection it came on; both from 1."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes
    number: int
    turn: int
    writer: asyncio.StreamWriter = field(repr=False)
    keep: bool = False

    def answer(
        self, status: int = 200, body: bytes = b"hi", fields: str = "", *, length: int | None = None, keep: bool = False
    ) -> None:
        """Answer; ``length`` is what Content-Length says where that is not the body's, ``keep`` keeps the connection."""
        said = len(body) if length is None else length
        closing = "" if keep else "Connection: close\r\n"
        head = f"HTTP/1.1 {status} X\r\n{fields}Content-Length: {said}\r\n{closing}\r\n"
        self.writer.write(head.encode() + body)
        self.keep = keep

    def cut(self) -> None:
        """Break the connection off."""
        self.writer.transport.abort()


Script = Callable[["Backend", Call], Awaitable[None]]


@dataclass
class Backend:
    """A backend: its port, what it was asked since `forget`, and a gate that a script may wait at."""

    script: Script
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def forget(self) -> None:
        """Begin a new case."""
        self.calls = []
        self.gate = asyncio.Event()

    async def asked(self, count: int) -> None:
        """Wait until so many requests came."""
        async with asyncio.timeout(20):
            while len(self.calls) < count:
                await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        turn = 0
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *rest = head.strip().split("\r\n")
                fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                turn += 1
                method, target, _ = line.split(" ")
                call = Call(method, target, fields, body, len(self.calls) + 1, turn, writer)
                self.calls.append(call)
                await self.script(self, call)
                if not call.keep:
                    break
        writer.close()


async def nobody(_: Backend, call: Call) -> None:
    """The script of a backend that does not listen."""
    raise AssertionError(f"nobody was there, and was asked {call.target}")


@contextlib.asynccontextmanager
async def backend(script: Script) -> AsyncIterator[Backend]:
    """A backend on a free port; that of `nobody` is taken, and refuses connections."""
    made = Backend(script)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        made.port = taken.getsockname()[1]
        if script is nobody:
            yield made
            return
        taken.listen(128)
        server = await asyncio.start_server(made.serve, sock=taken)
        try:
            yield made
        finally:
            server.close()
