"""The access log's line: one JSON object a request. The query is left out: it is where tokens and names end up.

Written from one template, because a general serialiser takes longer than a request's way through the rest of agw. What
a table says is quoted once for each table; what a request says is quoted each time, and copied where it holds nothing
to quote.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from .answering import Answering

__all__ = ["LineSink", "LogClock", "access_line"]

_SECOND: Final = timedelta(seconds=1)
#: What stands in a JSON string as it is.
_PLAIN: Final = bytes(code for code in range(0x20, 0x7F) if code not in b'"\\')
_NOTHING_ELSE: Final = b',"refused_by":null,"reason":null,"caller":null}'


class LineSink(Protocol):
    """Takes lines (without line end) and never waits. ``written`` and ``dropped`` count them and only grow."""

    @property
    def written(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    def __call__(self, line: bytes) -> None: ...


class LogClock:
    """Wall-clock time as the log writes it; the part that changes once a second is kept."""

    __slots__ = ("_begins", "_ends", "_text")

    def __init__(self) -> None:
        self._begins = self._ends = datetime.min.replace(tzinfo=UTC)
        self._text = b""

    def now(self) -> bytes:
        """RFC 3339 in UTC with milliseconds, as ``2026-01-02T03:04:05.678+00:00``."""
        now = datetime.now(UTC)
        if not self._begins <= now < self._ends:
            self._begins = now.replace(microsecond=0)
            self._ends = self._begins + _SECOND
            self._text = self._begins.strftime("%Y-%m-%dT%H:%M:%S").encode("ascii")
        return b"%b.%03d+00:00" % (self._text, now.microsecond // 1000)


def _inner(text: bytes) -> bytes:
    """The inside of the JSON string of `text`."""
    if text.translate(None, _PLAIN):
        return quoted(text.decode("utf-8", "replace"))[1:-1].encode("ascii")
    return text


@lru_cache(maxsize=4096)
def _known(text: str | bytes | None) -> bytes:
    """The JSON of a text that is one of few."""
    if text is None:
        return b"null"
    return quoted(text if isinstance(text, str) else text.decode("utf-8", "replace")).encode("ascii")


def access_line(exchange: Answering, seconds: float, at: bytes) -> bytes:
    """The line of a finished exchange, without line end. `seconds`: how long it took. `at`: see `LogClock`."""
    caller = exchange.caller
    if exchange.refused_by is None and exchange.reason is None and caller is None:
        rest = _NOTHING_ELSE
    else:
        rest = b',"refused_by":%b,"reason":%b,"caller":%b}' % (
            _known(exchange.refused_by),
            b"null" if exchange.reason is None else quoted(exchange.reason).encode("ascii"),
            _known(caller.authentication if caller is not None else None),
        )
    if exchange.flags:
        rest = b',"flags":[%b]%b' % (b",".join(map(_known, exchange.flags)), rest)
    request_id = exchange.request_id
    return (
        b'{"time":"%b","request_id":"%b","client":%b,"method":"%b","host":%b,"path":"%b","status":%d'
        b',"bytes_in":%d,"bytes_out":%d,"duration_ms":%.3f%b,"attempts":%d%b'
    ) % (
        at,
        request_id if request_id.isalnum() else _inner(request_id),
        _known(exchange.client),
        exchange.method.encode("ascii"),
        _known(exchange.authority or exchange.block.marks.authority),
        _inner(exchange.target_bytes.partition(b"?")[0]),
        exchange.status,
        exchange.bytes_in,
        exchange.bytes_out,
        seconds * 1000.0,
        _where(exchange),
        exchange.attempt,
        rest,
    )


def _where(exchange: Answering) -> bytes:
    """Route, upstream, endpoint and revision: few combinations a table, each written once."""
    handler, pool = exchange.handler, exchange.pool
    texts = exchange.generation.log_texts
    text = texts.get((handler, pool))
    if text is None:
        text = texts[handler, pool] = b',"route":%b,"upstream":%b,"endpoint":%b,"revision":%b' % (
            _known(handler.route.iri if handler is not None else None),
            _known(pool.endpoint.iri if pool is not None else None),
            _known(pool.authority if pool is not None else None),
            _known(exchange.generation.revision),
        )
    return text
