"""How requests are logged (``agw:AccessLog``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import LogFormat, Mesh
from api_gateway_service_mesh.vocabulary import AGW

from .file import written_file
from .reading import Reading

__all__ = ["AccessLogGatewayRow", "AccessLogRow", "AccessLogValueRow", "with_access_logs"]

#: The members of a line, in its order.
_FIELDS = (
    "time", "request_id", "client", "method", "host", "path", "status", "bytes_in", "bytes_out",
    "duration_ms", "policies_ms", "upstream_ms", "transfer_ms", "route", "pattern", "upstream", "endpoint", "revision",
    "attempts", "flags", "trace_id", "refused_by", "problem", "reason", "caller", "subject",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessLogRow:
    """``access_log.rq``."""

    route: str
    log: str


@dataclass(frozen=True, slots=True)
class AccessLogGatewayRow:
    """``access_log_gateway.rq``."""

    gateway: str
    log: str


@dataclass(frozen=True, slots=True)
class AccessLogValueRow:
    """``access_log_value.rq``."""

    log: str
    property: str
    value: str


def with_access_logs(
    mesh: Mesh,
    switch: str | None,
    rows: Iterable[AccessLogRow],
    gateways: Iterable[AccessLogGatewayRow],
    values: Iterable[AccessLogValueRow],
    reading: Reading,
) -> Mesh:
    """`mesh` with the access logs of its routes and its own. `switch`: ``agw:accessLogEnabled`` as it is stated; where
    it is false nothing is logged."""
    if switch is not None and not mesh.access_log:
        return mesh
    held = {row.route: row.log for row in reversed(tuple(rows))}
    own = next((row.log for row in gateways if row.gateway == mesh.iri), None)
    if own is None and not held:
        return mesh
    stated: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in values:
        stated[row.log][row.property].append(row.value)
    made = {iri: _format(iri, stated[iri], reading) for iri in sorted({*held.values(), *([own] if own else [])})}
    routes = tuple(
        replace(route, access_log=made[held[route.iri]]) if route.iri in held else route for route in mesh.routes
    )
    return replace(mesh, routes=routes, log_format=made[own] if own is not None else None)


def _format(iri: str, stated: Mapping[str, list[str]], reading: Reading) -> LogFormat:
    def one(term: str) -> str | None:
        return next(iter(stated.get(term, ())), None)

    status, slower, file = one(AGW.logMinimumStatus), one(AGW.logSlowerThan), one(AGW.logFile)
    share = 100.0 if status is slower is None else 0.0
    named = set(stated.get(AGW.logField, ()))
    return LogFormat(
        iri,
        tuple(field for field in _FIELDS if field in named),
        tuple(sorted({name.lower() for name in stated.get(AGW.logRequestHeader, ())})),
        (one(AGW.logTemplate) or "").rstrip("\n") or None,
        None if status is None else reading.integer(iri, AGW.logMinimumStatus, status, 0),
        reading.seconds(iri, AGW.logSlowerThan, slower, None),
        reading.number(iri, AGW.logSamplePercent, one(AGW.logSamplePercent), share),
        None if file is None else written_file(iri, AGW.logFile, file, reading),
    )
