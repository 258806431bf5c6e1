"""Messages between the control process and a worker: pickled tuples, each after its length, on one socket pair.

Both ends are agw's own processes of one installation and nobody else holds an end, so pickle is safe here.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import Any

__all__ = ["Channel", "ChannelClosed", "encode"]

_LENGTH = struct.Struct("!I")


class ChannelClosed(Exception):
    """The other end is gone."""


def encode(*message: Any) -> bytes:
    """A message as the bytes of its frame (made once, sent to every worker)."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class Channel:
    """One end. Frames go out whole and in order, also when several tasks send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()

    @classmethod
    async def over(cls, sock: socket.socket) -> Channel:
        """A channel over one end of a socket pair, which it owns from now on."""
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock, limit=1 << 20))

    async def send(self, *message: Any) -> None:
        """Send one message.

        Raises:
            ChannelClosed: the other end is gone.
        """
        await self.send_frames(encode(*message))

    async def send_frames(self, *frames: bytes) -> None:
        """Send frames made by `encode`, with nothing between them."""
        async with self._sending:
            try:
                for frame in frames:
                    self._writer.write(frame)
                    await self._writer.drain()
            except (OSError, RuntimeError) as error:
                raise ChannelClosed from error

    async def receive(self) -> tuple[Any, ...]:
        """The next message.

        Raises:
            ChannelClosed: the other end is gone.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            message: tuple[Any, ...] = pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - see above
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChannelClosed from error
        return message

    def close(self) -> None:
        """Close this end."""
        self._writer.close()
