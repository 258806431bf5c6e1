"""Tracing: which requests are traced, what backends are told of it, and the spans of those that are.

A span for the request, and one for each attempt at a backend, whose id the backend goes on from. Of a request that is
not traced only the decision is taken, and passed on; with ``agw:sampleErrors`` spans are noted for all requests, and
sent for those that fail.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import Propagation, Route, Tracing
from api_gateway_service_mesh.policies import SpanCounters
from api_gateway_service_mesh.policies.exemplar import ExemplarColumn
from api_gateway_service_mesh.telemetry.span import Span
from api_gateway_service_mesh.telemetry.span_sender import SpanSender

from .problem import Refusal
from .propagation import FIELDS, Parent, read_parent, trace_fields, without

if TYPE_CHECKING:
    from .asker import Asker
    from .attempt import AttemptOutcome
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["Trace", "Tracer", "tracing_ends", "tracing_gates", "watch_trace"]

BAGGAGE_BYTES: Final = 8192
"""More baggage than that does not go on (W3C Baggage: what everybody must be able to pass on)."""
_LAST_SECONDS = 1.0
_DRAWN_BYTES: Final = 1536
_STATE: Final = (b"tracestate",)
_BAGGAGE: Final = (b"baggage",)


class Trace:
    """What is noted of one request."""

    __slots__ = ("parent_id", "sampled", "span_id", "spans", "tracer", "under_way")

    def __init__(self, tracer: Tracer, span_id: bytes, parent_id: bytes, sampled: bool) -> None:
        self.tracer = tracer
        self.span_id = span_id
        self.parent_id = parent_id
        self.sampled = sampled
        self.under_way: dict[float, bytes] = {}
        """Span ids of attempts that were sent, by when they began."""
        self.spans: list[Span] = []


class Tracer:
    """One worker's half of an ``agw:DistributedTracing``."""

    def __init__(self, config: Tracing, core: Core, service: str, counters: SpanCounters) -> None:
        self.config = config
        self.service = service
        self.send = None if config.collector is None else SpanSender(config, service, counters)
        self._draw = core.random
        self._random = Random()  # noqa: S311 - ids, not secrets
        self._ids = b""
        """Hexadecimal digits for ids to come."""
        self._at = 0
        self._ways = tuple(way for way in config.propagation if way is not Propagation.BAGGAGE)
        self._names = tuple(name for way in self._ways for name in FIELDS[way])
        self._starts = tuple(b"\n%b:" % name for name in self._names)
        self._baggage = Propagation.BAGGAGE in config.propagation
        self._plain = trace_fields(self._ways, False)
        self._traced = trace_fields(self._ways, True)
        self._rate = config.sampling_rate
        self._alone = self._ways == (Propagation.TRACE_CONTEXT,)
        """No field but traceparent is written."""
        self._lets_pass = config.parent_based and not config.sample_errors and self._alone
        """What a caller does not trace passes through untouched, where there is one way only."""
        self._told = (tell,)

    def _digits(self, count: int) -> bytes:
        """So many hexadecimal digits that nobody had. (That all are zeros does not happen.)"""
        at, end = self._at, self._at + count
        if end > len(self._ids):
            self._ids = self._random.randbytes(_DRAWN_BYTES).hex().encode("ascii")
            at, end = 0, count
        self._at = end
        return self._ids[at:end]

    def new_span(self) -> bytes:
        """An id for a span."""
        return self._digits(16)

    def _begin_anew(self, exchange: Exchange) -> None:
        """The same as `begin`, of a request that says nothing of traces: it begins one."""
        trace_id, span = self._digits(32), self._digits(16)
        exchange.trace_id = trace_id
        sampled = self._draw() < self._rate
        if sampled or self.config.sample_errors:
            exchange.trace = Trace(self, self.new_span(), b"", sampled)
            exchange.tells = (*exchange.tells, *self._told)
        elif self._alone:
            exchange.fields = b"".join((exchange.fields, b"traceparent: 00-", trace_id, b"-", span, b"-00\r\n"))
        else:
            exchange.fields += self._plain % ((trace_id, span) * len(self._ways))

    def begin(self, exchange: Exchange) -> Refusal | None:
        """The gate: decide, and see to what backends are told."""
        if exchange.block.traceless:
            self._begin_anew(exchange)
            return None
        fields = exchange.fields
        lower = fields.lower()
        parent: Parent | None = None
        for start in self._starts:
            if start in lower:
                parent = self._parent(fields, lower)
                if parent is not None and parent.sampled is False and self._lets_pass and b"\nbaggage:" not in lower:
                    exchange.trace_id = parent.trace_id
                    return None  # it goes on as it came
                fields = without(fields, self._names)
                break
        config = self.config
        told = parent.sampled if parent is not None and config.parent_based else None
        sampled = self._draw() < self._rate if told is None else told
        if b"\nbaggage:" in lower and (not self._baggage or _baggage_bytes(lower) > BAGGAGE_BYTES):
            fields = without(fields, _BAGGAGE)
        if parent is None or not parent.trace_id:
            trace_id, span, parent_id = self._digits(32), self._digits(16), b""
            if b"\ntracestate:" in lower:
                fields = without(fields, _STATE)
        else:
            trace_id = parent.trace_id
            span = parent_id = parent.span_id
        exchange.trace_id = trace_id
        if not sampled and not config.sample_errors:
            exchange.fields = fields + self._plain % ((trace_id, span) * len(self._ways))
            return None
        exchange.fields = fields
        exchange.trace = Trace(self, self.new_span(), parent_id, sampled)
        exchange.tells = (*exchange.tells, *self._told)
        return None

    def _parent(self, fields: bytes, lower: bytes) -> Parent | None:
        """What the first way says that says something."""
        for way in self._ways:
            found = read_parent(way, fields, lower)
            if found is not None:
                return found
        return None

    def lines(self, exchange: Exchange, trace: Trace, began: float) -> bytes:
        """What the backend of the attempt that began then is told."""
        span = trace.under_way.get(began)
        if span is None:
            span = trace.under_way[began] = self.new_span()
        template = self._traced if trace.sampled else self._plain
        return template % ((exchange.trace_id, span) * len(self._ways))

    def end(self, exchange: Exchange, now: float) -> None:
        """The request is over: its spans go out, if they are to."""
        trace = exchange.trace
        if trace is None or self.send is None:
            return
        status = exchange.status
        failed = status >= 500 or not status
        if not trace.sampled and not failed:
            return
        handler = exchange.handler
        assert handler is not None
        route = handler.route
        pattern = route.match.path.text or "/"
        attributes: dict[str, str | int | bool] = {
            "http.request.method": exchange.method,
            "http.route": pattern,
            "url.path": exchange.target_bytes.partition(b"?")[0].decode("latin-1"),
            "url.scheme": "https" if b"\r\nX-Forwarded-Proto: https\r\n" in exchange.fields else "http",
            "client.address": exchange.client,
            "server.address": exchange.block.host,
            "http.request.body.size": exchange.bytes_in,
            "http.response.body.size": exchange.bytes_out,
            "agw.route": route.iri,
            "agw.request_id": exchange.request_id.decode("ascii", "replace"),
            "agw.revision": exchange.generation.revision,
            "agw.attempts": exchange.attempt,
        }
        agent = exchange.block.header("user-agent")
        if agent:
            attributes["user_agent.original"] = agent[:256]
        if status:
            attributes["http.response.status_code"] = status
        if failed:
            attributes["error.type"] = exchange.problem or (str(status) if status else "client-gone")
        elif exchange.problem:
            attributes["agw.refusal"] = exchange.problem
        if exchange.refused_by is not None:
            attributes["agw.policy"] = exchange.refused_by
        if exchange.flags:
            attributes["agw.flags"] = ",".join(exchange.flags)
        if exchange.caller is not None:
            attributes["agw.authentication"] = exchange.caller.authentication
        if route.breaker is not None:
            attributes["agw.breaker"] = route.breaker.iri
            if exchange.breaker is not None:
                attributes["agw.breaker.state"] = exchange.breaker.state(now).name
            elif exchange.problem == "circuit-open":
                attributes["agw.breaker.state"] = "OPEN"
        offset = _offset()
        trace.spans.append(
            Span(
                exchange.trace_id.decode("ascii"),
                trace.span_id.decode("ascii"),
                trace.parent_id.decode("ascii"),
                f"{exchange.method} {pattern}",
                "SERVER",
                exchange.started + offset,
                now + offset,
                failed,
                attributes,
                (exchange.client, 0),
            )
        )
        self.send(trace.spans)

    def attempted(self, exchange: Exchange, trace: Trace, pool: EndpointPool, outcome: AttemptOutcome) -> None:
        """An attempt is over."""
        began = exchange.attempt_started
        span = trace.under_way.pop(began, None) or self.new_span()
        endpoint = pool.endpoint
        upstream = pool.parent.upstream
        secure = endpoint.tls or upstream.tls is not None
        path = exchange.target_bytes.partition(b"?")[0].decode("latin-1")
        attributes: dict[str, str | int | bool] = {
            "http.request.method": exchange.method,
            "server.address": endpoint.host,
            "server.port": endpoint.port,
            "url.full": f"{'https' if secure else 'http'}://{endpoint.authority}{path}",
            "agw.upstream": upstream.iri,
            "agw.endpoint": endpoint.iri,
        }
        number = sum(1 for made in trace.spans if made.kind == "CLIENT")
        if number:
            attributes["http.request.resend_count"] = number
        if outcome.status:
            attributes["http.response.status_code"] = outcome.status
        failed = outcome.failure is not None or outcome.status >= 400
        if outcome.failure is not None:
            attributes["error.type"] = outcome.failure.value
        elif failed:
            attributes["error.type"] = str(outcome.status)
        elif not outcome.status:
            attributes["agw.given_up"] = True
        if exchange.attempt_breaker is not None:
            attributes["agw.breaker.state"] = exchange.attempt_breaker.state(outcome.now).name
        offset = _offset()
        trace.spans.append(
            Span(
                exchange.trace_id.decode("ascii"),
                span.decode("ascii"),
                trace.span_id.decode("ascii"),
                exchange.method,
                "CLIENT",
                began + offset,
                outcome.now + offset,
                failed,
                attributes,
                (endpoint.host, endpoint.port),
            )
        )

    def close(self, seconds: float = _LAST_SECONDS) -> None:
        """Send what waits; wait for that for at most so many seconds."""
        if self.send is not None:
            self.send.close(seconds)


class Exemplary:
    """Keeps the newest traced request of a route, for whoever wants to see one that took so long."""

    __slots__ = ("_column",)

    def __init__(self, column: ExemplarColumn) -> None:
        self._column = column

    def end(self, exchange: Exchange, now: float) -> None:
        """The request is over."""
        trace = exchange.trace
        if trace is not None and trace.spans and (trace.sampled or exchange.status >= 500 or not exchange.status):
            self._column.note(now - exchange.started, now + _offset(), exchange.trace_id)


def tell(exchange: Exchange, asker: Asker) -> bytes:
    """The trace's lines for an attempt that is about to be sent."""
    trace = exchange.trace
    return b"" if trace is None else trace.tracer.lines(exchange, trace, asker.began)


def tracing_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate that refuses nothing: it takes up the trace, or begins one."""
    tracer = _tracer(handler.route, generation, core)
    return [] if tracer is None else [tracer.begin]


def tracing_ends(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """No gate: sees to the end of the request, behind everybody who ends attempts of it."""
    tracer = _tracer(handler.route, generation, core)
    if tracer is not None and tracer.send is not None:
        handler.on_end = (*handler.on_end, tracer.end)
        slot = generation.slots.get(("exemplar", handler.route.iri))
        if slot is not None:
            column = ExemplarColumn(core.cells.view, slot, core.worker)
            handler.on_end = (*handler.on_end, Exemplary(column).end)
    return []


def watch_trace(target: Target, route: Route) -> None:
    """Note what becomes of each attempt."""
    if route.tracing is not None and route.tracing.collector is not None:
        target.on_attempt = (*target.on_attempt, _attempted)


def _attempted(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
    trace = exchange.trace
    if trace is not None:
        trace.tracer.attempted(exchange, trace, pool, outcome)


def _tracer(route: Route, generation: Generation, core: Core) -> Tracer | None:
    config = route.tracing
    if config is None:
        return None
    slot = generation.slots.get(("tracing", config.iri))
    if slot is None:
        return None
    counters = SpanCounters(core.cells.view, slot, core.worker)
    service = config.service or generation.mesh.name
    tracer = core.tracers.get(config.iri)
    if tracer is None or tracer.config != config or tracer.service != service:
        if tracer is not None:
            tracer.close(0.0)
        tracer = core.tracers[config.iri] = Tracer(config, core, service, counters)
    elif tracer.send is not None:
        tracer.send.counts = counters
    return tracer


def _baggage_bytes(lower: bytes) -> int:
    at = lower.find(b"\nbaggage:")
    return 0 if at < 0 else lower.index(b"\r", at) - at


def _offset() -> float:
    """What to add to a time of the monotonic clock to get seconds since 1970."""
    return datetime.now(UTC).timestamp() - monotonic()
