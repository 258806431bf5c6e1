"""A client of HTTP/2 that is not agw's (hyper's h2), and frames written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

__all__ = [
    "GOAWAY",
    "HEADERS",
    "PING",
    "PREFACE",
    "RST",
    "SETTINGS",
    "Answer",
    "Client",
    "fields_for",
    "frame",
    "frames_in",
    "speak",
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS_, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113 §4.1)."""
    return struct.pack(">HBBBL", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


SETTINGS = frame(SETTINGS_)


def frames_in(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each whole frame in `data`."""
    found, at = [], 0
    while at + 9 <= len(data):
        high, low, kind, flags, stream = struct.unpack_from(">HBBBL", data, at)
        end = at + 9 + (high << 8 | low)
        found.append((kind, flags, stream, data[at + 9 : end]))
        at = end
    return found


async def speak(
    port: int,
    data: bytes | Iterable[bytes],
    *,
    seconds: float = 20.0,
    until: Callable[[list[tuple[int, int, int, bytes]]], bool] = lambda frames: False,
) -> list[tuple[int, int, int, bytes]]:
    """Send `data` (after the preface, piece by piece where there are several); the frames that come back `until` they
    are all that is waited for, the other side closes, or `seconds` are over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        async with asyncio.timeout(seconds):
            try:
                for piece in [data] if isinstance(data, bytes) else data:
                    writer.write(piece)
                    await writer.drain()
                while more := await reader.read(65536):
                    got += more
                    if until(frames_in(got)):
                        break
            except ConnectionError:
                pass
    except TimeoutError:
        pass
    finally:
        writer.close()
    return frames_in(got)


def fields_for(
    path: str = "/", method: str = "GET", authority: str = "a.example", scheme: str = "http"
) -> list[tuple[str, str]]:
    """The pseudo-header fields of a request."""
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]


@dataclass
class Answer:
    """What came on a stream."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    reset: int | None = None
    ended: bool = False

    def get(self, name: str) -> str | None:
        """The only value of a field, or None."""
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, acknowledges: bool) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection()
        self.acknowledges = acknowledges
        self.answers: dict[int, Answer] = {}
        self.goaways: list[tuple[int, int]] = []
        self.closed = False

    @classmethod
    async def connect(
        cls,
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        acknowledges: bool = True,
        window: int = 65535,
        name: str = "localhost",
    ) -> Client:
        """`acknowledges`: whether what is read is told to the server, so that it may send more; `name`: the SNI."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name if context else None
        )
        if context is not None:
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        made = cls(reader, writer, acknowledges)
        made.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        made.h2.initiate_connection()
        made.send()
        return made

    def send(self) -> None:
        """What there is to send."""
        data = self.h2.data_to_send()
        if data:
            self.writer.write(data)

    def ask(self, fields: Sequence[tuple[str, str]], body: bytes | None = None, *, end: bool = True) -> int:
        """Begin a request; its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.answers[stream] = Answer()
        self.send()
        return stream

    async def turn(self, seconds: float = 20.0) -> None:
        """Read once."""
        async with asyncio.timeout(seconds):
            data = await self.reader.read(65536)
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self._take(event)
        self.send()

    def _take(self, event: Any) -> None:
        answer = self.answers.get(getattr(event, "stream_id", 0))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((int(event.error_code), event.last_stream_id))
        elif answer is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            found = [(name.decode(), value.decode()) for name, value in event.headers]
            answer.status = int(dict(found)[":status"])
            answer.fields = found[1:]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(int(dict(event.headers)[b":status"]))
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.acknowledges and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(name.decode(), value.decode()) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)
            answer.ended = True

    async def answer(self, stream: int) -> Answer:
        """The whole answer on `stream`."""
        answer = self.answers[stream]
        while not answer.ended and not self.closed:
            await self.turn()
        return answer

    async def fetch(self, fields: Sequence[tuple[str, str]], body: bytes | None = None) -> Answer:
        """Ask, and wait for the answer."""
        return await self.answer(self.ask(fields, body))

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


@dataclass
class Asked:
    """A request as it came."""

    stream: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The only value of a field, or None."""
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


class Talk:
    """One connection to the backend of `backend2`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))

    def send(self) -> None:
        """What there is to send."""
        self.writer.write(self.h2.data_to_send())

    def answer(
        self,
        asked: Asked,
        body: bytes = b"",
        status: str = "200",
        fields: Sequence[tuple[str, str]] = (),
        trailers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer a request."""
        self.h2.send_headers(asked.stream, [(":status", status), *fields], end_stream=not body and not trailers)
        if body:
            self.h2.send_data(asked.stream, body, end_stream=not trailers)
        if trailers:
            self.h2.send_headers(asked.stream, trailers, end_stream=True)
        self.send()


@dataclass
class Backend2:
    """A running backend of HTTP/2."""

    port: int = 0
    connections: int = 0
    requests: list[Asked] = field(default_factory=list)
    most_at_once: int = 0


@contextlib.asynccontextmanager
async def backend2(
    script: Callable[[Asked, Talk], Awaitable[None]],
    *,
    context: ssl.SSLContext | None = None,
    streams: int = 100,
    early: bool = False,
) -> AsyncIterator[Backend2]:
    """Serve `script`, called for each request when it is there in whole; with `early` when its head is."""
    state = Backend2()
    tasks: set[asyncio.Task[None]] = set()

    async def run(asked: Asked, talk: Talk) -> None:
        try:
            await script(asked, talk)
        except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
            pass

    def start(asked: Asked, talk: Talk) -> None:
        state.requests.append(asked)
        task = asyncio.create_task(run(asked, talk))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        state.most_at_once = max(state.most_at_once, len(tasks))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        talk = Talk(writer)
        codes = h2.settings.SettingCodes
        stated = {codes.MAX_CONCURRENT_STREAMS: streams, codes.ENABLE_CONNECT_PROTOCOL: 1}
        talk.h2.local_settings = h2.settings.Settings(client=False, initial_values=stated)
        talk.h2.initiate_connection()
        talk.send()
        open_: dict[int, Asked] = {}
        try:
            while data := await reader.read(65536):
                for event in talk.h2.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        found = [(name.decode(), value.decode()) for name, value in event.headers]
                        open_[event.stream_id] = asked = Asked(event.stream_id, found)
                        if early:
                            start(asked, talk)
                    elif isinstance(event, h2.events.DataReceived):
                        open_[event.stream_id].body += event.data
                        talk.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.TrailersReceived):
                        open_[event.stream_id].trailers = [(n.decode(), v.decode()) for n, v in event.headers]
                    elif isinstance(event, h2.events.StreamEnded) and not early:
                        start(open_[event.stream_id], talk)
                talk.send()
        except (ConnectionError, h2.exceptions.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
