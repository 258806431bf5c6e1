"""Intentions of Consul's mesh as a gate: may this service call that one?

Asked behind what the policy itself says of certificates, of each request and not of a connection: what an operator
forbids is forbidden at once, for connections that are open too. What Consul has said is remembered, so that a request
waits for it at most once a change (`security.intentions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import IntentionFailureMode, MtlsMode
from api_gateway_service_mesh.policies import EventCounters

from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["OPEN_FLAG", "intention_gates"]

OPEN_FLAG = "intentions-open"
"""The flag in the access log of a request whose caller Consul said nothing of, and that was let through."""
_DENIED, _UNAVAILABLE = 2, 3


def intention_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose callers Consul decides about."""
    policy = handler.route.client_certificate
    if policy is None or policy.intentions is None or policy.mode is MtlsMode.DISABLE:
        return []
    config = policy.intentions
    iri, registry, service = policy.iri, config.registry.iri, config.service
    adviser = core.advisers.of(config)
    counters = EventCounters(core.cells.view, generation.slots["event", policy.iri], core.worker)
    lets_through = config.failure_mode is IntentionFailureMode.OPEN

    def denied(reason: str) -> Refusal:
        counters.count(_DENIED)
        return Refusal(403, "intention-denied", "this service may not call that one", b"", iri, reason=reason)

    def ask(exchange: Exchange) -> Refusal | None:
        certificate = exchange.certificate
        if certificate is None:  # the policy lets callers in that show none
            return None
        caller = certificate.spiffe_id
        if caller is None:
            return denied("the certificate has no SPIFFE ID, so it is of no service of Consul's mesh")
        verdict = adviser.known(caller)
        if verdict is not None:
            if verdict.allowed:
                return None
            return denied(f"the intentions of {registry} for {service}: {verdict.reason}")
        if exchange.waits_at is not ask and adviser.ask(caller, exchange.proceed):
            exchange.waits_at = ask
            return WAIT
        counters.count(_UNAVAILABLE)
        if lets_through:
            exchange.flags = (*exchange.flags, OPEN_FLAG)
            return None
        return Refusal(
            503,
            "intention-unavailable",
            "whether this service may call that one cannot be told at the moment",
            b"Retry-After: 1\r\n",
            iri,
            failure=True,
            reason=f"{registry} does not say: {adviser.fault or 'it was not asked'}",
        )

    return [ask]
