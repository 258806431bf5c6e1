"""What happens to a request between its head and its backend, folded into one handler per route.

The order, outermost first, and why it is so:

1. *count and log*: sees every outcome, also what a policy refuses (`Exchange._end`). What the log says of it is
   looked up when the route is folded.
   *tracing*: right behind, so that spans show what the others refuse.
2. *ACME*: answers that one route. *Overload guard*: sheds before anything is spent on a request. *Security headers*:
   all answers get them. *CORS*: before all else that refuses, so that pages may read why; before authentication, as
   preflights come without credentials. *Compression*: stands before the client from here on, whoever answers.
   *Versions*: what is said of one that is withdrawn, or that there is not, is true for everybody.
3. *maintenance*: asks next to nothing of a request, and is not to cost anything.
4. *limits by address*: cheap, and they bound how many tokens a stranger can have checked.
5. *client certificate, intentions of a mesh, authentication*: before every other limit, so that strangers use up no
   share of those who prove who they are; before everything that has a state. *Session cookies* are taken out between
   them: whatever is told of a request from here on is told of none. *Authorization* right behind it: who may not do it
   takes no share of a limit either.
6. *all other limits*: before breakers and balancers, so that callers over their limit cannot move them.
7. *adaptive concurrency*, *WebSockets*: behind all limits, so that what they refuse holds no place.
8. *fault injection*: strikes what was admitted, before anything is chosen for it.
9. *request validation*: behind all that is cheaper, as it may wait for a body; before whatever answers or changes a
   request, so that it judges what the client sent.
10. *redirect, direct response*: answer in the place of an upstream.
11. *transformation of answers*: what the cache has gets these fields as well. *Cache*: behind all that may refuse, so
    that what is stored is given to nobody who would not get it from the backend; before all that is about a backend.
    *Bodies of answers*: behind the cache, which keeps, cuts and validates what clients get.
12. *split*: chooses the upstream; behind the limits, so that shares are shares of what is admitted.
13. *rewrite*, *transformation of requests*, *gRPC-Web*: behind all that looks at the request as the client sent it.
14. *mirror*: copies what the backend is going to see; *client credentials*: right behind it, so that copies carry no
    token of the gateway's own.
15. *breaker*: asked once a request, and told its outcome once, after all retries: it judges what clients get to see. A
    breaker for each instance is asked with the balancer, and judges attempts.
16. *balance*: once an attempt, so that a retry goes to another endpoint.
17. *connect and forward*: with retries, total and per-attempt timeouts (`Exchange`).

A policy that a route lacks is not in its handler at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.policies import RetryPolicy, RouteCounters

from .access_log_format import LogForm, log_forms
from .acme import acme_gates
from .answer_body import answer_body_gates
from .attempt import OnEnd
from .audit import audit_gates
from .authentication import authentication_gate
from .authorization import authorization_gates
from .breaker import breaker_gates
from .cache import cache_gates
from .client_certificate import client_certificate_gates
from .client_credentials import client_credentials_gates
from .compression import compression_gates
from .concurrency import concurrency_gates
from .cors import cors_gates
from .deadline import deadline_gates
from .direct import direct_gates
from .exchange_state import REPLAY_BYTES
from .external_authorization import external_authorization_gates
from .fault import fault_gates
from .grpc_web import grpc_web_gates
from .hedge import hedge_gates
from .intentions import intention_gates
from .login import login_gate
from .maintenance import maintenance_gates
from .mirror import mirror_gates
from .overload import overload_gates
from .problem import Refusal
from .rate_limit import address_limits, rate_limit_fields, rate_limits
from .redirect import redirect_gates
from .retry import retry_gates
from .rewrite import rewrite_gates
from .security_headers import security_headers_gates
from .session_cookie import session_cookie_gates
from .split import upstream_gates
from .target import Target
from .tracing import tracing_ends, tracing_gates
from .transform import answer_gates, request_body_gates, transform_gates
from .validation import validation_gates
from .version import version_gates
from .websocket import websocket_gates

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pool import EndpointPool

__all__ = ["ORDER", "Gate", "RouteHandler", "fold"]

#: Asks a policy: None when the request may go on, `WAIT` when that is not known yet.
Gate = Callable[["Exchange"], Refusal | None]


class RouteHandler:
    """A route, ready to be served."""

    __slots__ = (
        "attempt_seconds",
        "counters",
        "direct",
        "gates",
        "log",
        "no_upstream",
        "on_end",
        "replay_bytes",
        "retry",
        "route",
        "target",
        "timed",
        "total_seconds",
    )

    def __init__(self, route: Route, counters: RouteCounters) -> None:
        self.route = route
        self.counters = counters
        self.gates: tuple[Gate, ...] = ()
        self.target: Target | None = None
        """Where to, unless a gate says otherwise."""
        self.direct: EndpointPool | None = None
        """The only endpoint of ``target``, when nobody watches attempts either: nothing else of it need be looked at.
        With ten thousand routes that is a miss or two of the processor's cache less."""
        self.log: LogForm | None = None
        """How its requests are logged, where something is stated."""
        self.on_end: tuple[OnEnd, ...] = ()
        """Who is told when a request of this route is over."""
        self.retry = RetryPolicy(route.retry) if route.retry is not None and route.retry.attempts else None
        self.replay_bytes = REPLAY_BYTES if self.retry is None else self.retry.config.max_replay_bytes
        timeout = route.timeout
        self.total_seconds = timeout.total_seconds if timeout is not None else None
        self.attempt_seconds = timeout.per_attempt_seconds if timeout is not None else None
        self.timed = self.total_seconds is not None or self.attempt_seconds is not None
        self.no_upstream = Refusal(503, "no-upstream", f"{route.name} has no backend to send to", failure=True)


def fold(route: Route, generation: Generation, core: Core) -> RouteHandler:
    """The handler of `route`: asks the stages in `ORDER` for their gates."""
    handler = RouteHandler(route, RouteCounters(core.cells.view, generation.slots["route", route.iri], core.worker))
    gates: list[Gate] = []
    for stage in ORDER:
        gates.extend(stage(handler, generation, core))
    handler.gates = tuple(gates)
    if handler.target is not None and not handler.target.on_attempt:
        handler.direct = handler.target.only
    return handler


def _authentication(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    demand = handler.route.authentication
    if demand is None:
        return []
    others = bool(demand.jwt or demand.introspections or demand.api_keys)
    gate = authentication_gate(demand, core, generation.slots) if others or not demand.logins else None
    for login in demand.logins:
        gate = login_gate(core.authenticators.login(login), core, generation.slots, gate)
    return [] if gate is None else [gate]


#: See the module for the reasons. Each stage gives the gates that a route needs, none when it lacks the policy.
ORDER: tuple[Callable[[RouteHandler, Generation, Core], list[Gate]], ...] = (
    tracing_gates,
    acme_gates,
    overload_gates,
    security_headers_gates,
    cors_gates,
    compression_gates,
    version_gates,
    maintenance_gates,
    address_limits,
    client_certificate_gates,
    intention_gates,
    session_cookie_gates,
    _authentication,
    authorization_gates,
    external_authorization_gates,
    audit_gates,
    rate_limits,
    rate_limit_fields,
    concurrency_gates,
    websocket_gates,
    fault_gates,
    validation_gates,
    redirect_gates,
    direct_gates,
    answer_gates,
    cache_gates,
    answer_body_gates,
    upstream_gates,
    request_body_gates,
    rewrite_gates,
    transform_gates,
    grpc_web_gates,
    mirror_gates,
    client_credentials_gates,
    breaker_gates,
    retry_gates,
    deadline_gates,
    hedge_gates,
    tracing_ends,
    log_forms,
)
