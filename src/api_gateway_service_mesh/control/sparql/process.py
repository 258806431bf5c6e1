"""One query process, seen from outside: started, asked, killed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ProcessGone", "QueryProcess"]

_HEAD = struct.Struct("!II")
_CHILD = Path(__file__).with_name("child.py")


class ProcessGone(Exception):
    """The process closed its channel: it died."""


class QueryProcess:
    """One process and its channel. Frames go one at a time."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.process = process
        self.channel = channel
        self.revision = -1
        self.refreshed = 0.0

    @classmethod
    async def start(cls, *more: str, script: Path = _CHILD) -> QueryProcess:
        """Run `script` with the descriptor of its channel, this process's id, and `more`."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                # -P: the child's own folder must not become a place to import from.
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    str(script),
                    str(theirs.fileno()),
                    str(os.getpid()),
                    *more,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
        except BaseException:
            ours.close()
            raise
        child = cls(process, ours)
        try:
            async with asyncio.timeout(30):
                await child._receive()
        except BaseException:
            await child.kill()
            raise
        return child

    async def ask(self, head: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One frame there and one back. Raises `ProcessGone` when the child died."""
        loop = asyncio.get_running_loop()
        text = json.dumps(head).encode()
        try:
            await loop.sock_sendall(self.channel, _HEAD.pack(len(text), len(body)) + text)
            await loop.sock_sendall(self.channel, body)
        except OSError as error:
            raise ProcessGone from error
        return await self._receive()

    async def _receive(self) -> tuple[dict[str, Any], bytes]:
        head_size, body_size = _HEAD.unpack(await self._exactly(_HEAD.size))
        head: dict[str, Any] = json.loads(await self._exactly(head_size))
        return head, await self._exactly(body_size)

    async def _exactly(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            try:
                read = await loop.sock_recv_into(self.channel, view[done:])
            except OSError as error:
                raise ProcessGone from error
            if not read:
                raise ProcessGone
            done += read
        return bytes(data)

    @property
    def gone(self) -> bool:
        """Whether the process has closed its end. Between two questions nothing else comes on the channel."""
        try:
            return not self.channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def kill(self) -> int:
        """End the process, wherever it is; its exit status."""
        if self.process.returncode is None:
            try:
                self.process.kill()
            except ProcessLookupError:
                pass
        self.channel.close()
        return await self.process.wait()
