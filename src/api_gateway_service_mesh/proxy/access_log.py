"""The access log's line: one JSON object a request. The query is left out: it is where tokens and names end up.

Put together from pieces, because a general serialiser takes longer than a request's way through the rest of agw, and a
template with numbers in it longer than looking small numbers up. What a table says is quoted once for each table; what
a request says is quoted each time, and copied where it holds nothing to quote.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii
from time import monotonic
from typing import Any, Final, Protocol

__all__ = ["Finished", "LineSink", "LogClock", "access_line"]

_SECOND: Final = timedelta(seconds=1)
#: Maps what stands in a JSON string as it is to itself, all else to another byte.
_PLAIN: Final = bytes(code if 0x20 <= code < 0x7F and code not in b'"\\' else code ^ 1 for code in range(256))
#: Numbers as they are written: statuses, most lengths, whole milliseconds.
_NUMBERS: Final = [b"%d" % number for number in range(4096)]
_THOUSANDTHS: Final = [b".%03d" % number for number in range(1000)]
_MOST_KNOWN: Final = 4096


class Finished(Protocol):
    """What a line is written from: an exchange that is over."""

    request_id: bytes
    client: str
    method: str
    authority: bytes | None
    block: Any
    target_bytes: bytes
    status: int
    bytes_in: int
    bytes_out: int
    attempt: int
    refused_by: str | None
    reason: str | None
    caller: Any
    flags: tuple[str, ...]
    handler: Any
    pool: Any
    generation: Any
    trace_id: bytes
    caching: Any


class LineSink(Protocol):
    """Takes lines (without line end) and never waits. ``written`` and ``dropped`` count them and only grow."""

    @property
    def written(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    def __call__(self, line: bytes) -> None: ...


class LogClock:
    """Wall-clock time as the log writes it, from the monotonic time of an event. The part that changes once a second is
    kept, and with it how the two clocks stand to each other."""

    __slots__ = ("_begins", "_text")

    def __init__(self) -> None:
        self._begins = -1e300
        """The monotonic time at which the second of the text began."""
        self._text = b""

    def now(self) -> bytes:
        """RFC 3339 in UTC with milliseconds, as ``2026-01-02T03:04:05.678+00:00``."""
        return self.at(monotonic())

    def at(self, moment: float) -> bytes:
        """The same for a `moment` of the monotonic clock, a recent one."""
        since = moment - self._begins
        if not 0.0 <= since < 1.0:
            told = datetime.now(UTC) - timedelta(seconds=monotonic() - moment)
            self._begins = moment - told.microsecond / 1e6
            self._text = told.strftime("%Y-%m-%dT%H:%M:%S").encode("ascii")
            since = moment - self._begins
        return b"".join((self._text, _THOUSANDTHS[min(999, int(since * 1000.0))], b"+00:00"))


def _quoted(text: str) -> bytes:
    return encode_basestring_ascii(text).encode("ascii")


def _inner(text: bytes) -> bytes:
    """The inside of the JSON string of `text`."""
    if text.translate(_PLAIN) != text:
        return _quoted(text.decode("utf-8", "replace"))[1:-1]
    return text


def _number(number: int) -> bytes:
    return _NUMBERS[number] if 0 <= number < 4096 else b"%d" % number


_known: Final[dict[str | bytes | None, bytes]] = {}
"""The JSON of texts that are few."""
_tails: Final[dict[str | None, bytes]] = {}
"""How a line ends by what let its caller in, when nobody refused."""


def _json(text: str | bytes | None) -> bytes:
    found = _known.get(text)
    if found is None:
        found = b"null" if text is None else _quoted(text if isinstance(text, str) else text.decode("utf-8", "replace"))
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[text] = found
    return found


def access_line(exchange: Finished, seconds: float, at: bytes) -> bytes:
    """The line of a finished exchange, without line end. `seconds`: how long it took. `at`: see `LogClock`."""
    request_id, target = exchange.request_id, exchange.target_bytes
    path = target if b"?" not in target else target.partition(b"?")[0]
    micros = int(seconds * 1e6 + 0.5)
    return b"".join(
        (
            b'{"time":"', at,
            b'","request_id":"', request_id if request_id.isalnum() else _inner(request_id),
            b'","client":', _json(exchange.client),
            b',"method":"', exchange.method.encode("ascii"),
            b'","host":', _json(exchange.authority or exchange.block.marks.authority),
            b',"path":"', _inner(path),
            b'","status":', _number(exchange.status),
            b',"bytes_in":', _number(exchange.bytes_in),
            b',"bytes_out":', _number(exchange.bytes_out),
            b',"duration_ms":', _number(micros // 1000), _THOUSANDTHS[micros % 1000],
            _where(exchange),
            b',"attempts":', _number(exchange.attempt),
            _tail(exchange),
        )
    )  # fmt: skip


def _where(exchange: Finished) -> bytes:
    """Route, upstream, endpoint and revision: few combinations a table, each written once."""
    handler, pool = exchange.handler, exchange.pool
    texts: dict[Any, bytes] = exchange.generation.log_texts
    text = texts.get((handler, pool))
    if text is None:
        text = texts[handler, pool] = b',"route":%b,"upstream":%b,"endpoint":%b,"revision":%b' % (
            _json(handler.route.iri if handler is not None else None),
            _json(pool.endpoint.iri if pool is not None else None),
            _json(pool.authority if pool is not None else None),
            _json(exchange.generation.revision),
        )
    return text


def _tail(exchange: Finished) -> bytes:
    """Who refused and why, who called; before them what is marked."""
    refused_by, reason = exchange.refused_by, exchange.reason
    caller: str | None = exchange.caller.authentication if exchange.caller is not None else None
    if refused_by is None and reason is None:
        tail = _tails.get(caller)
        if tail is None:
            if len(_tails) >= _MOST_KNOWN:
                _tails.clear()
            tail = _tails[caller] = b',"refused_by":null,"reason":null,"caller":%b}' % _json(caller)
    else:
        said = b"null" if reason is None else _quoted(reason)
        tail = b',"refused_by":%b,"reason":%b,"caller":%b}' % (_json(refused_by), said, _json(caller))
    caching = exchange.caching
    if caching is not None:
        tail = b',"cache":%b%b' % (_json(caching.result), tail)
    if exchange.trace_id:
        tail = b',"trace_id":"%b"%b' % (exchange.trace_id, tail)
    if exchange.flags:
        tail = b',"flags":[%b]%b' % (b",".join([_json(flag) for flag in exchange.flags]), tail)
    return tail
