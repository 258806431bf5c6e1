"""Who may do what, as a stage behind authentication: puts what is known of a request to the route's rules.

Where a rule speaks of who is calling, the caller is who authentication or the handshake proved; what a request merely
says of itself (header fields, `X-Forwarded-Client-Cert`) proves nothing. The client is told that it may not, the
access log which rule said so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Caller
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.policies.authorization import (
    ALLOWED,
    AUDITED,
    DENIED,
    MATCHED,
    NOBODY,
    AccessRequest,
    AccessVerdict,
    Authorizer,
)

from .problem import Refusal

if TYPE_CHECKING:
    from api_gateway_service_mesh.security.identity import Identity

    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["AUDIT_FLAG", "authorization_gates", "caller_of"]

AUDIT_FLAG = "authorization-audit"
"""The flag in the access log of a request that a policy which only audits would have refused."""


def authorization_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that asks what its callers may do."""
    config = handler.route.authorization
    return [] if config is None else [_Gate(Authorizer(config), generation, core).ask]


class _Gate:
    """The rules of one route in one worker."""

    def __init__(self, authorizer: Authorizer, generation: Generation, core: Core) -> None:
        config = authorizer.config
        view, slots, worker = core.cells.view, generation.slots, core.worker
        self._authorizer = authorizer
        self._asks_identity = any(rule.asks_identity for policy in config.policies for rule in policy.rules)
        self._asks_certificate = any(
            rule.asks_certificate or rule.principals for policy in config.policies for rule in policy.rules
        )
        self._counters = {
            iri: EventCounters(view, slots["event", iri], worker)
            for policy in config.policies
            for iri in (policy.iri, *(rule.iri for rule in policy.rules))
        }
        self._gateway = generation.mesh.iri

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Whether the request may go on."""
        authorizer = self._authorizer
        caller = NOBODY
        if self._asks_identity or authorizer.config.scopes:
            caller = caller_of(exchange.caller, exchange if self._asks_certificate else None)
        missing = authorizer.missing_scopes(caller)
        if missing:
            return _scope_refusal(missing, authorizer.config.stated_by)
        path = exchange.target_bytes.partition(b"?")[0].decode("latin-1")
        now = datetime.now(UTC).timestamp()
        verdict = authorizer.decide(AccessRequest(caller, exchange.method, path, exchange.client, now))
        self._count(verdict)
        if verdict.audited:
            exchange.flags = (*exchange.flags, AUDIT_FLAG)
            exchange.reason = f"{verdict.audited[0][1] or verdict.audited[0][0]} would refuse this, if it were enforced"
        if verdict.allowed:
            exchange.allowed_by = verdict.decided_by
            return None
        by = verdict.decided_by or self._gateway
        said = "denies this" if verdict.rule else "has no rule that allows this"
        return Refusal(403, "access-denied", "this caller may not do that", b"", by, reason=f"{by} {said}")

    def _count(self, verdict: AccessVerdict) -> None:
        counters = self._counters
        if verdict.policy is not None:
            counters[verdict.policy].count(ALLOWED if verdict.allowed else DENIED)
        if verdict.rule is not None:
            counters[verdict.rule].count(MATCHED)
        for policy, rule in verdict.audited:
            counters[policy].count(AUDITED)
            if rule is not None:
                counters[rule].count(MATCHED)


def caller_of(identity: Identity | None, exchange: Exchange | None) -> Caller:
    """What is proved of a caller: by token or key (`identity`), and by the client certificate of `exchange`."""
    certificate = exchange.certificate if exchange is not None else None
    facts = certificate.facts if certificate is not None else None
    if identity is None and facts is None:
        return NOBODY
    spiffe = ""
    names: tuple[str, ...] = ()
    if facts is not None:
        spiffe = facts.identity or ""
        names = (
            *(f"dns:{name.lower()}" for name in facts.dns_names),
            *(f"uri:{name}" for name in facts.uris),
            *(f"ip:{name}" for name in facts.ip_addresses),
            *(f"email:{name}" for name in facts.emails),
        )
    if identity is None:
        return Caller(spiffe_id=spiffe, names=names)
    subject = identity.claims.get("sub")
    return Caller(
        identity.issuer,
        subject if isinstance(subject, str) else "",
        identity.claims,
        identity.scopes,
        identity.api_key,
        identity.owner,
        spiffe,
        names,
    )


def _scope_refusal(missing: tuple[str, ...], by: str) -> Refusal:
    """RFC 6750 §3.1."""
    scope = " ".join(missing)
    challenge = f'WWW-Authenticate: Bearer realm="agw", error="insufficient_scope", scope="{scope}"\r\n'
    return Refusal(
        403,
        "insufficient-scope",
        f"this takes the scope {scope}",
        challenge.encode("ascii"),
        by,
        reason=f"{len(missing)} of the demanded scopes are missing",
    )
