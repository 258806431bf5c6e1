"""What the audit log hears of requests: every decision about who is calling and what they may do.

Who is let through is noted right behind authorization, before anything else is asked; a refusal when it is told. A
record holds names, IRIs, the path without its query, and never what was shown: no token, no key, no field of a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from api_gateway_service_mesh.model import AuditedKind

from .authorization import caller_of
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["audit_gates"]

_REFUSALS: Mapping[str, AuditedKind] = {
    "authentication-required": AuditedKind.AUTHENTICATION,
    "invalid-credentials": AuditedKind.AUTHENTICATION,
    "authentication-unavailable": AuditedKind.AUTHENTICATION,
    "client-certificate-required": AuditedKind.AUTHENTICATION,
    "client-certificate-refused": AuditedKind.AUTHENTICATION,
    "intention-denied": AuditedKind.AUTHORIZATION,
    "intention-unavailable": AuditedKind.AUTHORIZATION,
    "misdirected-request": AuditedKind.AUTHENTICATION,
    "login-failed": AuditedKind.AUTHENTICATION,
    "forbidden": AuditedKind.AUTHENTICATION,
    "insufficient-scope": AuditedKind.AUTHORIZATION,
    "access-denied": AuditedKind.AUTHORIZATION,
    "external-denied": AuditedKind.AUTHORIZATION,
    "external-unavailable": AuditedKind.AUTHORIZATION,
}
"""Which decision a kind of refusal is."""


def audit_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate that notes who is let through, and the ear for refusals; none where nothing is decided or recorded."""
    log, buffer, route = generation.mesh.audit, core.audit, handler.route
    if log is None or buffer is None:
        return []
    kinds: list[AuditedKind] = []
    if route.authentication is not None and AuditedKind.AUTHENTICATION in log.kinds:
        kinds.append(AuditedKind.AUTHENTICATION)
    decides = route.authorization is not None or route.external_authorization is not None
    if decides and AuditedKind.AUTHORIZATION in log.kinds:
        kinds.append(AuditedKind.AUTHORIZATION)
    if not kinds:
        return []
    note, random, share = buffer.note, core.random, log.allowed_percent / 100.0
    revision, iri = generation.revision, route.iri

    def allowed(exchange: Exchange) -> Refusal | None:
        if random() < share:
            for kind in kinds:
                note(_record(exchange, kind, iri, revision, "allowed"))
        return None

    def refused(exchange: Exchange, _now: float) -> None:
        kind = _REFUSALS.get(exchange.problem)
        if kind is AuditedKind.AUTHORIZATION and exchange.caller is not None and AuditedKind.AUTHENTICATION in kinds:
            note(_record(exchange, AuditedKind.AUTHENTICATION, iri, revision, "allowed"))
        if kind is not None and kind in kinds:
            note(_record(exchange, kind, iri, revision, "denied"))

    handler.on_end = (*handler.on_end, refused)
    return [allowed]


def _record(exchange: Exchange, kind: AuditedKind, route: str, revision: str, outcome: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": kind.value,
        "outcome": outcome,
        "request": exchange.request_id.decode("ascii", "replace"),
        "method": exchange.method,
        "path": exchange.target_bytes.partition(b"?")[0].decode("latin-1"),
        "client": exchange.client,
        "route": route,
        "revision": revision,
    }
    identity = exchange.caller
    if identity is not None:
        record["authentication"] = identity.authentication
    principals = caller_of(identity, exchange).principals
    if principals:
        record["caller"] = list(principals)
    elif identity is not None and identity.api_key:
        record["caller"] = [identity.api_key]
    if outcome == "denied":
        record["by"], record["problem"] = exchange.refused_by, exchange.problem
        record["reason"] = exchange.reason
    elif kind is AuditedKind.AUTHORIZATION and exchange.allowed_by is not None:
        record["by"] = exchange.allowed_by
    return record
