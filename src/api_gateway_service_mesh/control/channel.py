"""Messages between the control process and a worker: pickled tuples, each after its length, on one socket pair.

Open sockets travel beside them (SCM_RIGHTS), on a pair of their own, because asyncio's streams cannot carry them: they
are sent just before the message that speaks of them, so whoever has that message finds them waiting.

Both ends are agw's own processes of one installation and nobody else holds an end, so pickle is safe here.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .objects import dumped

__all__ = ["Channel", "ChannelClosed", "Parcel", "encode"]

_LENGTH = struct.Struct("!I")
_TOGETHER = 128
"""Sockets in one packet; the kernel takes at most 253 (SCM_MAX_FD)."""
_FULL_SECONDS = 0.005


class ChannelClosed(Exception):
    """The other end is gone."""


def encode(*message: Any) -> bytes:
    """A message as the bytes of its frame (made once, sent to every worker)."""
    body = dumped(message)
    return _LENGTH.pack(len(body)) + body


@dataclass(frozen=True, slots=True)
class Parcel:
    """A frame, and the open sockets it speaks of. One whose sockets were closed meanwhile is not sent."""

    frame: bytes
    sockets: Sequence[socket.socket]


class Channel:
    """One end. Frames go out whole and in order, also when several tasks send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, beside: socket.socket) -> None:
        self._reader = reader
        self._writer = writer
        self._beside = beside
        self._sending = asyncio.Lock()

    @classmethod
    async def over(cls, sock: socket.socket, beside: socket.socket) -> Channel:
        """A channel over one end of each of two socket pairs (a stream; packets), which it owns from now on."""
        sock.setblocking(False)
        beside.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock, limit=1 << 20), beside)

    async def send(self, *message: Any) -> None:
        """Send one message.

        Raises:
            ChannelClosed: the other end is gone.
        """
        await self.send_frames(encode(*message))

    async def send_frames(self, *frames: bytes | Parcel, patience: float | None = None) -> None:
        """Send frames made by `encode`, with nothing between them. `patience`: so many seconds each may take.

        Raises:
            ChannelClosed: the other end is gone.
            TimeoutError: it took none for longer than `patience`.
        """
        async with self._sending:
            try:
                for frame in frames:
                    if isinstance(frame, Parcel):
                        if any(sock.fileno() < 0 for sock in frame.sockets):
                            continue
                        await self._send_sockets(frame.sockets)
                        frame = frame.frame
                    self._writer.write(frame)
                    async with asyncio.timeout(patience):
                        await self._writer.drain()
            except TimeoutError:
                raise
            except (OSError, RuntimeError) as error:
                raise ChannelClosed from error

    async def _send_sockets(self, sockets: Sequence[socket.socket]) -> None:
        for start in range(0, len(sockets), _TOGETHER):
            part = [sock.fileno() for sock in sockets[start : start + _TOGETHER]]
            while True:
                try:
                    socket.send_fds(self._beside, [b"\0"], part)
                    break
                except BlockingIOError:  # the other end has yet to read what speaks of those before
                    await asyncio.sleep(_FULL_SECONDS)

    def take_sockets(self, count: int) -> list[socket.socket]:
        """The sockets that the message just received speaks of."""
        found: list[int] = []
        while len(found) < count:
            _, part, _, _ = socket.recv_fds(self._beside, 1, _TOGETHER)
            if not part:
                break
            found += part
        for number in found:
            os.set_inheritable(number, False)  # recv_fds of Python 3.11 does not pass its flags on
        return [socket.socket(fileno=number) for number in found]

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
        self._beside.close()
