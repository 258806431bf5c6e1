"""Access logs that say what was chosen (``agw:AccessLog``): which requests, what of them, and where to.

Each is made once for a route, when that goes live: its line is a row of pieces, bytes and what reads a value off an
exchange. Routes that state nothing have the line of `access_log`, and pay for none of this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from api_gateway_service_mesh.model import LogFormat, PathKind, Route

from .access_log import LineSink, access_line

if TYPE_CHECKING:
    from .attempt import AttemptOutcome
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["LogForm", "access_log_form", "log_forms", "watch_phases"]

Read = Callable[[Any, float, bytes], Any]
"""Reads a value off a finished exchange, with how long it took and when it ended."""
Piece = bytes | tuple[Read, bool]
"""What stands in every line, or what reads it and whether it is JSON."""

_HIDDEN: Final = b"***"
_CREDENTIALS: Final = re.compile(
    r"auth|cookie|token|secret|passw|api-?_?key|session|credential|signature|\bkey\b|-key\Z|jwt|bearer|csrf|xsrf"
)
_PLACE: Final = re.compile(r"[{]([a-z_]+|header:[^{}]+)[}]|[{][{]|[}][}]")
_ODD: Final = re.compile(rb"[^ !#-\[\]-~]")
_PHASES: Final = frozenset(("policies_ms", "upstream_ms", "transfer_ms"))


class LogForm:
    """One access log, as a route or the gateway has it."""

    __slots__ = ("_draw", "_least", "_pieces", "_share", "_sink", "_slower", "config")

    def __init__(self, config: LogFormat, hidden: frozenset[str], sink: LineSink, draw: Callable[[], float]) -> None:
        self.config = config
        self._pieces: list[Piece] = []
        if not config.standard:
            self._pieces = _pieces(config, hidden)
        self._sink = sink
        self._draw = draw
        self._least = 1000 if config.minimum_status is None else config.minimum_status
        self._slower = float("inf") if config.slower_seconds is None else config.slower_seconds
        self._share = config.sample_percent / 100.0

    def write(self, exchange: Exchange, seconds: float, at: bytes) -> None:
        """Log an exchange that is over, if it is to be. `seconds`: how long it took; `at`: when it ended."""
        asked = (exchange.status or 599) >= self._least or seconds > self._slower
        if not asked and (self._share <= 0.0 or (self._share < 1.0 and self._draw() >= self._share)):
            return
        if not self._pieces:
            self._sink(access_line(exchange, seconds, at))
            return
        parts: list[bytes] = []
        for piece in self._pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
            else:
                read, quoted = piece
                value = read(exchange, seconds, at)
                parts.append(_json(value) if quoted else _text(value))
        self._sink(b"".join(parts))


def log_forms(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """No gate: what the route's access log is, where it states one."""
    route = handler.route
    if route.access_log is not None:
        handler.log = access_log_form(route.access_log, route, core)
    return []


def access_log_form(config: LogFormat, route: Route | None, core: Core) -> LogForm | None:
    """The access log of a `route`, or (None) of requests that no route takes. None where nobody writes lines."""
    sink = core.log_sink(config.file)
    if sink is None:
        return None
    core.chosen_logs = True
    hidden: frozenset[str] = frozenset()
    if route is not None and route.authentication is not None:
        hidden = frozenset(key.header for key in route.authentication.api_keys)
    return LogForm(config, hidden, sink, core.random)


def watch_phases(target: Target, route: Route) -> None:
    """Note when attempts begin and are answered, where the route's line tells."""
    log = route.access_log
    if log is None:
        return
    told = (*log.fields, *_PLACE.findall(log.template or ""))
    if not _PHASES.isdisjoint(told):
        target.on_attempt = (*target.on_attempt, _attempted)


def _attempted(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
    began = exchange.attempt_started
    exchange.log_times = (began - exchange.started, outcome.seconds)


def _pieces(config: LogFormat, hidden: frozenset[str]) -> list[Piece]:
    made: list[Piece] = []
    if config.template is not None:
        end = 0
        for found in _PLACE.finditer(config.template):
            made.append(config.template[end : found.start()].encode())
            end = found.end()
            name = found.group(1)
            if name is None:
                made.append(found.group()[:1].encode())
            elif name.startswith("header:"):
                made.append((_header(name[7:].lower(), hidden), False))
            else:
                made.append((_READ[name], False))
        made.append(config.template[end:].encode())
        return made
    start = b"{"
    for name in config.fields or _STANDARD:
        made += (b'%b"%b":' % (start, name.encode()), (_READ[name], True))
        start = b","
    if config.headers:
        start = b'%b"headers":{' % start
        for name in config.headers:
            made += (b"%b%b:" % (start, json.dumps(name).encode()), (_header(name, hidden), True))
            start = b","
        made.append(b"}")
    made.append(b"}")
    return made


def _header(name: str, hidden: frozenset[str]) -> Read:
    """What reads a field of the request's head; of one that holds a credential only that it is there."""
    secret = name in hidden or _CREDENTIALS.search(name) is not None

    def read(exchange: Any, seconds: float, at: bytes) -> Any:
        value = exchange.block.header(name)
        if value is None:
            return None
        if secret:
            return _HIDDEN
        return value.partition("?")[0] if name == "referer" else value

    return read


def _json(value: Any) -> bytes:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    elif isinstance(value, float):
        return b"%.3f" % value
    return json.dumps(value).encode("ascii")


def _text(value: Any) -> bytes:
    if isinstance(value, float):
        return b"%.3f" % value
    if isinstance(value, tuple):
        value = ",".join(value)
    if value is None or value in ("", b""):
        return b"-"
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return _ODD.sub(_escaped, raw)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % found.group()[0]


def _phase(number: int) -> Read:
    def read(exchange: Any, seconds: float, at: bytes) -> Any:
        times = exchange.log_times
        if times is None:
            return seconds * 1000.0 if number == 0 else None
        before, upstream = times
        parts = before, upstream, max(0.0, seconds - before - upstream)
        return parts[number] * 1000.0

    return read


def _subject(exchange: Any, seconds: float, at: bytes) -> str | None:
    caller = exchange.caller
    if caller is None:
        return None
    subject = caller.claims.get("sub")
    return subject if isinstance(subject, str) else caller.owner or None


def _pattern(exchange: Any, seconds: float, at: bytes) -> str | None:
    if exchange.handler is None:
        return None
    path = exchange.handler.route.match.path
    text: str = path.text
    return f"{text}/*" if path.kind is PathKind.PREFIX else text


_READ: Final[dict[str, Read]] = {
    "time": lambda exchange, seconds, at: at,
    "request_id": lambda exchange, seconds, at: exchange.request_id,
    "client": lambda exchange, seconds, at: exchange.client,
    "method": lambda exchange, seconds, at: exchange.method,
    "host": lambda exchange, seconds, at: exchange.authority or exchange.block.marks.authority,
    "path": lambda exchange, seconds, at: exchange.target_bytes.partition(b"?")[0],
    "status": lambda exchange, seconds, at: exchange.status,
    "bytes_in": lambda exchange, seconds, at: exchange.bytes_in,
    "bytes_out": lambda exchange, seconds, at: exchange.bytes_out,
    "duration_ms": lambda exchange, seconds, at: seconds * 1000.0,
    "policies_ms": _phase(0),
    "upstream_ms": _phase(1),
    "transfer_ms": _phase(2),
    "route": lambda exchange, seconds, at: exchange.handler.route.iri if exchange.handler is not None else None,
    "pattern": _pattern,
    "upstream": lambda exchange, seconds, at: exchange.pool.endpoint.iri if exchange.pool is not None else None,
    "endpoint": lambda exchange, seconds, at: exchange.pool.authority if exchange.pool is not None else None,
    "revision": lambda exchange, seconds, at: exchange.generation.revision,
    "attempts": lambda exchange, seconds, at: exchange.attempt,
    "flags": lambda exchange, seconds, at: exchange.flags,
    "trace_id": lambda exchange, seconds, at: exchange.trace_id or None,
    "refused_by": lambda exchange, seconds, at: exchange.refused_by,
    "problem": lambda exchange, seconds, at: exchange.problem or None,
    "reason": lambda exchange, seconds, at: exchange.reason,
    "caller": lambda exchange, seconds, at: exchange.caller.authentication if exchange.caller is not None else None,
    "subject": _subject,
}
_STANDARD: Final = (
    "time", "request_id", "client", "method", "host", "path", "status", "bytes_in", "bytes_out", "duration_ms", "route",
    "upstream", "endpoint", "revision", "attempts", "flags", "trace_id", "refused_by", "reason", "caller",
)  # fmt: skip
"""Where only fields of the head are named: what the line of `access_log` has, beside them."""
