"""What is known of a request that is under way: the state that both halves of an exchange share (`answering`,
`exchange`), and that gates leave for each other and for the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import Bulkhead, CircuitBreaker, EndpointCounters, Failure, ShareCounters

from .asker import Asker
from .attempt import AttemptField
from .client_side import Downstream
from .head import Block
from .problem import Refusal

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.identity import Identity
    from api_gateway_service_mesh.security.login import Step
    from api_gateway_service_mesh.security.peer import PeerCertificate

    from .backend_side import BackendSide
    from .cache_turn import CacheTurn
    from .core import Core, Generation
    from .exchange import Exchange
    from .external_authorization import Verdict as ExternalVerdict
    from .hedge import Hedge
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .redis import Verdict
    from .request_cost import AnswerCost
    from .target import Target
    from .tracing import Trace
    from .websocket import TunnelWatch

__all__ = ["REPLAY_BYTES", "ExchangeState"]

REPLAY_BYTES = 64 * 1024
"""So much of a body is kept where no retry policy says otherwise: a connection may be lost that had served before."""


class ExchangeState(Asker):
    """The state of an exchange. ``status`` is 0 until an answer begins."""

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
    unasked = False
    """The connection is TLS, and was not asked for the client's certificate, though the listener may."""
    limits_told: tuple[tuple[float, int, float, bytes], ...] = ()
    """What limiters have left for this caller: the share, tokens, seconds until all are back, the limiter's name."""
    costs: tuple[tuple[AnswerCost, int, int], ...] = ()
    """Limiters that the answer says a cost for: which, of which key, and what was paid before."""
    holds_place = False
    """Whether this is counted by a concurrency limit, which has to be told of its end."""
    websocket: TunnelWatch | None = None
    """What looks after this once it is a WebSocket, where the route bounds them."""
    limit_verdict: Verdict | None = None
    """What a shared limit's store said, from the first asking of the gate to the second."""
    trace_id: bytes = b""
    """The trace that this is part of, 32 hexadecimal digits, where the route is traced."""
    trace: Trace | None = None
    """What is noted of this for its spans."""
    flags: tuple[str, ...] = ()
    """What is marked in the access log."""
    log_times: tuple[float, float] | None = None
    """Seconds before the last attempt, and from there to its answer's head, where the access log tells them."""
    login_step: Step | None = None
    """What a login's work came to, from the first asking of its gate to the second."""
    waits_at: Gate | None = None
    """The gate that made this wait last; no gate does so twice."""
    shown: dict[str, bytes] | None = None
    """The keys that were shown, from the first asking of a gate to the second."""
    caching: CacheTurn | None = None
    """What this has to do with a cache, where the route has one."""
    idle_ticks = 0
    answer_drops: frozenset[bytes] = frozenset()
    """Fields (names in lower case) that the answer loses before it gets ``answer_fields``."""
    takes_trailers = False
    """Whoever stands for the client takes trailers, whatever the client says."""
    unwrap: Callable[[bytes], bytes] | None = None
    """What pieces of the request's body are passed through; a ValueError is the client's fault."""
    gathering: Callable[[Exchange], None] | None = None
    """What a gate has told of each piece of the body that it waits for; nothing is forwarded meanwhile."""
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
    def idle_seconds(self) -> float | None:
        """How long nothing may move, where the route says so."""
        timeout = None if self.handler is None else self.handler.route.timeout
        return None if timeout is None else timeout.idle_seconds

    @property
    def wants_trailers(self) -> bool:
        """The client takes trailers (RFC 9110 §6.5.1)."""
        return self.takes_trailers or self.block.marks.trailers
