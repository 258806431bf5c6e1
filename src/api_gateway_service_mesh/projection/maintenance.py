"""Routes and gateways that are closed for a while (``agw:MaintenanceMode``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import Maintenance, RequestCondition
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["MaintenanceRow", "maintenances"]


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """``maintenance.rq``."""

    route: str
    maintenance: str
    enabled: str | None
    message: str | None
    retry_after: str | None
    address: str | None


def maintenances(
    rows: Iterable[MaintenanceRow], conditions: Mapping[str, tuple[RequestCondition, ...]], reading: Reading
) -> Mapping[str, Maintenance]:
    """The maintenance mode of each route, by route IRI."""
    found: dict[str, Maintenance] = {}
    for row in rows:
        iri, standard = row.maintenance, Maintenance(row.maintenance, row.route)
        made = found.get(row.route)
        if made is None:
            made = found[row.route] = Maintenance(
                iri,
                row.route,
                reading.boolean(iri, AGW.maintenanceEnabled, row.enabled, standard.enabled),
                row.message or standard.message,
                reading.seconds(iri, AGW.maintenanceRetryAfter, row.retry_after, standard.retry_after_seconds),
                conditions.get(iri, ()),
            )
        block = _block(iri, row.address, reading) if row.address is not None and made.iri == iri else None
        if block is not None and block not in made.bypass_addresses:
            found[row.route] = replace(made, bypass_addresses=(*made.bypass_addresses, block))
    return found


def _block(iri: str, text: str, reading: Reading) -> str | None:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:bypassAddress is {text!r}, which is no address block: {error}",
            iri,
            AGW.bypassAddress,
            text,
            allowed='a CIDR block such as "10.0.0.0/8" or "fd00::/8"',
        )
        return None
