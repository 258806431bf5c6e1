"""A client that sends exactly what it is told, and says what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

__all__ = ["Answer", "Client"]


@dataclass(frozen=True)
class Answer:
    """An answer: status 0 when none came; ``whole`` is False when its body broke off."""

    status: int
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = True


@dataclass(frozen=True)
class Client:
    """Asks the gateway on `port`."""

    port: int

    async def ask(
        self, path: str, fields: str = "", *, method: str = "GET", host: str = "shop", body: bytes = b""
    ) -> Answer:
        """One request on a connection of its own; ``fields`` are header lines, each with CR LF."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        close = "" if "Connection:" in fields else "Connection: close\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{close}{length}{fields}\r\n".encode() + body)
        try:
            async with asyncio.timeout(20):
                return await _answer(reader)
        finally:
            writer.close()

    async def statuses(self, count: int, path: str, fields: str = "") -> list[int]:
        """So many requests, one after the other."""
        return [(await self.ask(path, fields)).status for _ in range(count)]


async def _answer(reader: asyncio.StreamReader) -> Answer:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, whole=False)
    line, *rest = head.strip().split("\r\n")
    fields: dict[str, str] = {}
    for name, _, value in (each.partition(":") for each in rest):  # several lines of a name are one list
        fields[name.lower()] = ", ".join(filter(None, (fields.get(name.lower()), value.strip())))
    status = int(line.split(" ")[1])
    body = b""
    try:
        if fields.get("transfer-encoding") == "chunked":
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += (await reader.readexactly(size + 2))[:-2]
            return Answer(status, fields, body)
        wanted = int(fields.get("content-length", "0"))
        while len(body) < wanted:
            piece = await reader.read(wanted - len(body))
            if not piece:
                return Answer(status, fields, body, whole=False)
            body += piece
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return Answer(status, fields, body, whole=False)
    return Answer(status, fields, body)
