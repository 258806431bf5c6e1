"""The answering half of an exchange: what came from the backend goes to the client, or the gateway answers for itself.

An exchange ends in exactly one way, through `_end`: there it is counted, its breaker told, its line logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.policies import Bulkhead, CircuitBreaker, EndpointCounters, Failure, ShareCounters

from .answer import AnswerHead
from .asker import Asker
from .attempt import AttemptField, AttemptOutcome
from .client_side import Downstream
from .grpc import grpc_answer, speaks_grpc
from .head import Block
from .problem import Refusal, problem_answer
from .refusals import flags_with
from .tunnel import Tunnel

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.identity import Identity
    from api_gateway_service_mesh.security.login import Step
    from api_gateway_service_mesh.security.peer import PeerCertificate

    from .backend_side import BackendSide
    from .core import Core, Generation
    from .exchange import Exchange
    from .external_authorization import Verdict as ExternalVerdict
    from .hedge import Hedge
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .redis import Verdict
    from .target import Target
    from .tracing import Trace

__all__ = ["REPLAY_BYTES", "Answering"]

REPLAY_BYTES = 64 * 1024
"""So much of a body is kept where no retry policy says otherwise: a connection may be lost that had served before."""


class Answering(Asker):
    """The state of an exchange, and its answering half. ``status`` is 0 until an answer begins."""

    # What every request reads or writes has a place of its own. The interpreter keeps the others, for policies, in
    # a table that all exchanges share as long as there are no more than thirty of them; beyond that each exchange would
    # get a table of its own, for a microsecond or two. A default at the class costs a request nothing until it is read.
    __slots__ = (
        "answer_fields", "attempt", "attempt_started", "block", "body_done", "body_paused", "bytes_in", "bytes_out",
        "client", "committed", "connection", "core", "down", "endpoint_counters", "fields",
        "generation", "handler", "is_head", "method", "over", "pool", "replay", "request_id", "sent", "started",
        "status", "target", "target_bytes", "tells", "ticket", "waiting", "watched",
    )  # fmt: skip

    authority: bytes | None = None
    tried = 0
    deadline: float | None = None
    attempt_deadline: float | None = None
    head_at = 0.0
    """When the head of a watched attempt's answer came, where its body follows."""
    share: ShareCounters | None = None
    """Of the route's split, the share that took this."""
    breaker: CircuitBreaker | None = None
    """The circuit breaker that let this request through."""
    attempt_breaker: CircuitBreaker | None = None
    """The same for the attempt under way, where each endpoint has its breaker."""
    attempt_ticket = 0.0
    hedge: Hedge | None = None
    """The second attempt beside the first, while there is one."""
    parked: tuple[Failure, Refusal] | None = None
    """How the first attempt failed, while the second is under way."""
    allowed_seconds: float | None = None
    """How long the caller said it waits, where it is believed."""
    from_trusted = False
    """The peer is one of the trusted proxies."""
    entered: Bulkhead | None = None
    """Where the attempt under way has a place that must be given back."""
    entered_retry: Bulkhead | None = None
    """The same for a retry."""
    queue_deadline: float | None = None
    """Until when the attempt may be without a connection."""
    kept = 0
    stale_retried = False
    retrying = False
    refused_by: str | None = None
    reason: str | None = None
    problem: str = ""
    """The kind of refusal, where the gateway answered for itself."""
    external_verdict: ExternalVerdict | None = None
    """What a service said that was asked about this, from the first asking of the gate to the second."""
    allowed_by: str | None = None
    """The IRI of the rule or policy that let this through, where the route has some."""
    caller: Identity | None = None
    """Who is calling, where the route asks."""
    certificate: PeerCertificate | None = None
    """The client's certificate, where it showed one and the handshake verified it."""
    limits_told: tuple[tuple[float, int, float, bytes], ...] = ()
    """What limiters have left for this caller: the share, tokens, seconds until all are back, the limiter's name."""
    holds_place = False
    """Whether this is counted by a concurrency limit, which has to be told of its end."""
    limit_verdict: Verdict | None = None
    """What a shared limit's store said, from the first asking of the gate to the second."""
    trace_id: bytes = b""
    """The trace that this is part of, 32 hexadecimal digits, where the route is traced."""
    trace: Trace | None = None
    """What is noted of this for its spans."""
    flags: tuple[str, ...] = ()
    """What is marked in the access log."""
    login_step: Step | None = None
    """What a login's work came to, from the first asking of its gate to the second."""
    waits_at: Gate | None = None
    """The gate that made this wait last; no gate does so twice."""
    shown: dict[str, bytes] | None = None
    """The keys that were shown, from the first asking of a gate to the second."""
    idle_ticks = 0
    answer_drops: frozenset[bytes] = frozenset()
    """Fields (names in lower case) that the answer loses before it gets ``answer_fields``, if it gets any."""
    takes_trailers = False
    """Whoever stands for the client takes trailers, whatever the client says."""
    unwrap: Callable[[bytes], bytes] | None = None
    """What pieces of the request's body are passed through; a ValueError is the client's fault."""
    request_trailers: Sequence[tuple[bytes, bytes]] = ()
    """What followed the request's body: names in lower case, and values."""
    answer_trailers: Sequence[tuple[bytes, bytes]] = ()
    """The same of the answer."""

    def __init__(
        self,
        core: Core,
        generation: Generation,
        down: Downstream,
        handler: RouteHandler | None,
        method: str,
        target: bytes,
        block: Block,
        fields: bytes,
        client: str,
        request_id: bytes,
    ) -> None:
        self.core = core
        self.generation = generation
        self.down = down
        self.handler = handler
        self.method = method
        self.target_bytes = target
        self.block = block
        self.fields = fields
        self.client = client
        self.request_id = request_id
        self.started = monotonic()
        self.is_head = method == "HEAD"
        self.body_done = True
        self.attempt = self.status = self.bytes_in = self.bytes_out = self.sent = 0
        self.committed = self.over = self.body_paused = False
        self.watched = False
        """Among the core's deadlines."""
        self.connection: BackendSide | None = None
        self.pool: EndpointPool | None = None
        self.target: Target | None = None
        self.endpoint_counters: EndpointCounters | None = None
        self.ticket = 0.0
        """What to report to the circuit breaker on."""
        self.attempt_started = 0.0
        """When the attempt under way began; 0.0 when nobody watches attempts (``Target.on_attempt``), or none is under
        way."""
        self.answer_fields = b""
        """Header lines (each with CR LF) that the client's answer gets beside its own, whoever made it."""
        self.tells: tuple[AttemptField, ...] = ()
        """What backends are told with each attempt anew: how much time is left, where the trace goes on."""
        self.replay: list[bytes] | None = []
        """The request's body, or None when it is no longer kept whole."""
        self.waiting: list[bytes] = []
        """What of the body has not been given to a connection yet."""

    @property
    def wants_trailers(self) -> bool:
        """The client takes trailers (RFC 9110 §6.5.1)."""
        return self.takes_trailers or "trailers" in (self.block.header("te") or "").lower()

    # -- what the other half does

    def _try_again(self, failure: Failure, status: int, answer: AnswerHead | None = None) -> bool:
        """Arrange for another attempt; False when there will be none. `answer`: what came, when something did."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Act on a deadline that is over."""
        raise NotImplementedError

    # -- from the backend's side

    def answered(self, connection: BackendSide, head: AnswerHead, payload: bytes, raw: bytes) -> None:
        """The whole answer at once."""
        status = head.status
        if status >= 400 and self._retry_status(connection, head, whole=True):
            return
        self.status = status
        self.committed = True
        self.bytes_out = len(payload)
        if self.ticket:
            self._tell_breaker(status)
        if self.attempt_started:
            self._tell_attempt(status, None)
        if self.answer_fields:
            self.down.respond(self, head.with_fields(self.answer_fields, self.answer_drops), payload, None)
        else:
            self.down.respond(self, head, payload, raw if head.unchanged else None)
        self._answer_over(connection)

    def answer_begins(self, connection: BackendSide, head: AnswerHead) -> bool:
        """The head of an answer whose body follows; False when this answer is not wanted."""
        if head.status >= 400 and self._retry_status(connection, head, whole=False):
            return False
        self.status = head.status
        self.committed = True
        if self.ticket and self.breaker is not None and self.breaker.fails(head.status):
            self._tell_breaker(head.status)
        if self.attempt_started or self.ticket:
            self.head_at = monotonic()
        self.down.begin(self, head.with_fields(self.answer_fields, self.answer_drops) if self.answer_fields else head)
        return True

    def _retry_status(self, connection: BackendSide, head: AnswerHead, *, whole: bool) -> bool:
        status = head.status
        if status >= 500 and self.hedge is not None:
            said = "the backend answered with an error, and the second attempt failed too"
            self.parked = (Failure.STATUS, Refusal(502, "upstream-error", said, failure=True))
        elif not self._try_again(Failure.STATUS, status, head):
            return False
        self.connection = None
        if whole:
            connection.finish(self.body_done, monotonic())
        else:
            connection.detach()
            connection.abort()
        self._attempt_over(ok=False, status=status)
        return True

    def answer_body(self, payload: bytes) -> None:
        """A piece of the answer's body."""
        self.idle_ticks = 0
        self.bytes_out += len(payload)
        self.down.more(payload)

    def answer_ends(self, connection: BackendSide) -> None:
        """The body ended exactly where it should."""
        if self.attempt_started and not self.over:
            self._tell_attempt(self.status, None)
        self.down.end()
        self._answer_over(connection)

    def trailed(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """Trailers of the answer, which ends now."""
        self.answer_trailers = trailers

    def _answer_over(self, connection: BackendSide) -> None:
        if self.over:
            return
        now = monotonic()
        self.connection = None
        connection.finish(self.body_done, now)
        counters = self.endpoint_counters
        if counters is not None:
            self.endpoint_counters = None
            counters.finish(self.status < 500)
        self._end(now=now)

    def interim(self, head: AnswerHead) -> None:
        """A 1xx answer other than 101."""
        if not self.committed:
            self.down.interim(head)

    def upgraded(self, connection: BackendSide, head: AnswerHead, rest: bytes) -> None:
        """101 as asked for: from now on it is a tunnel. The exchange ends when the tunnel does."""
        self.status = 101
        self.committed = True
        self.core.deadlines.discard(self)
        connection.detach()
        connection.resume()
        tunnel = Tunnel(self, connection)
        if self.answer_fields:
            head = head.with_fields(self.answer_fields, self.answer_drops)
        self.down.tunnel(head, tunnel)
        if rest:
            tunnel.from_upstream(rest)

    def tunnel_over(self, bytes_in: int, bytes_out: int) -> None:
        """The tunnel is closed on both sides."""
        if self.over:
            return
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        self.connection = None
        self._attempt_over(ok=True, status=101)
        self._end()

    def upstream_full(self) -> None:
        """The backend takes no more for now."""
        if not self.body_paused:
            self.body_paused = True
            self.down.pause_body()

    def upstream_ready(self) -> None:
        """The backend takes more again."""
        if self.body_paused:
            self.body_paused = False
            self.down.resume_body()

    # -- the end

    def refuse(self, refusal: Refusal) -> None:
        """Answer for ourselves."""
        if self.over:
            return
        handler = self.handler
        route = handler.route.iri if handler is not None else None
        head, payload = problem_answer(refusal, self.request_id.decode("ascii"), route, self.trace_id.decode("ascii"))
        if speaks_grpc(self.block):
            told = grpc_answer(refusal, self.request_id)
            if told is not None:
                head, payload = told, b""
        self.status = refusal.status
        self.refused_by = refusal.refused_by
        self.problem = refusal.problem
        self.flags = flags_with(self.flags, refusal.problem)
        self.generation.count_refusal(refusal.problem)
        self.reason = refusal.reason or (refusal.detail if refusal.failure else None)
        self.committed = True
        if self.answer_fields:
            head = head.with_fields(self.answer_fields, self.answer_drops)
        if self.is_head:
            payload = b""
        self.bytes_out = len(payload)
        if handler is not None:
            if refusal.failure:
                handler.counters.gateway_error()
                if self.ticket:
                    self._tell_breaker(0, failed=True)
            elif self.ticket and self.breaker is not None:
                self.breaker.cancel(self.ticket)  # the client is at fault: that says nothing of the backend
                self.ticket = 0.0
        self.down.respond(self, head, payload, None)
        self._end(failed=refusal.failure)

    def _end(self, *, now: float | None = None, failed: bool = False, gone: bool = False) -> None:
        """The one way out."""
        self.over = True
        handler = self.handler
        if now is None:
            now = monotonic()
        if handler is not None:
            if self.watched:
                self.core.deadlines.discard(self)
            status = self.status
            if self.ticket:
                if not gone:
                    self._tell_breaker(status, failed=failed)
                elif self.breaker is not None:
                    self.breaker.cancel(self.ticket)
            handler.counters.observe(status, now - self.started, self.bytes_in, self.bytes_out)
            if handler.on_end:
                for ended in handler.on_end:
                    ended(cast("Exchange", self), now)
        if self.generation.access_log:
            self.core.log(self, now)
        if not gone:
            self.down.finished(self)

    def _tell_breaker(self, status: int, *, failed: bool = False) -> None:
        """The outcome, as soon as it is certain: before the client hears of it, so that its next request, on whichever
        worker, meets a breaker that knows."""
        breaker = self.breaker
        assert breaker is not None
        ticket, self.ticket = self.ticket, 0.0
        now = monotonic()
        breaker.record(ticket, not failed and not breaker.fails(status), now, (self.head_at or now) - self.started)

    def _attempt_over(self, *, ok: bool, status: int = 0, failure: Failure | None = None) -> None:
        counters = self.endpoint_counters
        if counters is not None:
            self.endpoint_counters = None
            counters.finish(ok)
        if self.attempt_started:
            self._tell_attempt(status or self.status, failure)

    def _tell_attempt(self, status: int, failure: Failure | None) -> None:
        """The attempt under way is over: tell those who watch."""
        handler, pool = self.handler, self.pool
        assert handler is not None
        target = self.target or handler.target
        if target is not None and pool is not None:
            now = monotonic()
            outcome = AttemptOutcome(status, failure, (self.head_at or now) - self.attempt_started, now)
            for told in target.on_attempt:
                told(cast("Exchange", self), pool, outcome)
        self.attempt_started = 0.0
