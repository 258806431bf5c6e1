"""Versions as a stage: requests that name a version which there is not are refused, and answers of one that is
withdrawn say so.

What tells versions apart is in the routing table. Behind CORS, so that pages may read what is said; before
authentication, since it is true for everybody.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import ApiVersion, Deprecation, Route, VersionedBy
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.version import deprecation_fields, other_version, successor_path

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["DEPRECATED", "version_gates"]

DEPRECATED: Final = "deprecated"
"""The flag in the access log."""
_SERVED, _REFUSED = 0, 1
_WARNS_AFTER: Final = 60.0
_SHOWN: Final = 40
_LOG = logging.getLogger(__name__)


def version_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gates of a route in a version that is not told apart by path, and of one that is withdrawn."""
    gates: list[Gate] = []
    version, deprecation = handler.route.version, handler.route.deprecation
    if version is not None and version.by is not VersionedBy.QUERY:
        gates.append(_varies(version))
    if version is not None and version.is_default:
        gates.append(_guard(version))
    if deprecation is not None:
        counters = EventCounters(core.cells.view, generation.slots["event", deprecation.iri], core.worker)
        gates.append(_withdrawal(handler.route, deprecation, counters))
    return gates


def _varies(version: ApiVersion) -> Gate:
    """Caches learn what the answer depends on, since the target alone does not say it."""
    field = "Accept" if version.by is VersionedBy.MEDIA_TYPE else version.field
    line = b"Vary: %b\r\n" % field.encode("ascii")

    def vary(exchange: Exchange) -> Refusal | None:
        exchange.answer_fields += line
        return None

    return vary


def _guard(version: ApiVersion) -> Gate:
    find = other_version(version)
    status = 406 if version.by is VersionedBy.MEDIA_TYPE else 400
    iri = version.iri

    def guard(exchange: Exchange) -> Refusal | None:
        query = exchange.target_bytes.partition(b"?")[2].decode("ascii", "replace")
        other = find(exchange.block.header, query)
        if other is None:
            return None
        return Refusal(status, "unknown-version", f"this is not served in version {other[:_SHOWN]!r}", b"", iri)

    return guard


def _withdrawal(route: Route, deprecation: Deprecation, counters: EventCounters) -> Gate:
    stated = deprecation_fields(deprecation)
    fields = b"".join([b"%b: %b\r\n" % (name.encode("ascii"), value.encode("ascii")) for name, value in stated])
    drops = frozenset(name.lower().encode("ascii") for name, _ in stated if name != "Link")
    segments, iri = deprecation.segments, deprecation.iri
    refused_from = deprecation.sunset_at if deprecation.refuses else None
    warned = _Warned(route, deprecation)

    def withdraw(exchange: Exchange) -> Refusal | None:
        lines = fields
        if segments is not None:
            path = exchange.target_bytes.partition(b"?")[0].decode("latin-1")
            moved = successor_path(path, segments) if path.startswith("/") and ">" not in path else None
            if moved is not None:
                lines += b'Link: <%b>; rel="successor-version"\r\n' % moved.encode("latin-1")
        exchange.answer_fields += lines
        exchange.answer_drops |= drops
        if refused_from is not None and datetime.now(UTC).timestamp() >= refused_from:
            counters.count(_REFUSED)
            return Refusal(410, "version-withdrawn", f"{route.name} is withdrawn since its sunset", b"", iri)
        exchange.flags = (*exchange.flags, DEPRECATED)
        counters.count(_SERVED)
        warned.use(exchange.client)
        return None

    return withdraw


class _Warned:
    """Says in the log that something deprecated is used: at once, then once a minute at most."""

    __slots__ = ("_deprecation", "_next", "_route", "_times")

    def __init__(self, route: Route, deprecation: Deprecation) -> None:
        self._route = route
        self._deprecation = deprecation
        self._next = 0.0
        self._times = 0

    def use(self, client: str) -> None:
        """One request, of `client`."""
        self._times += 1
        now = monotonic()
        if now >= self._next:
            said = "%s is deprecated (%s) and was asked %d times since the last warning, last by %s"
            _LOG.warning(said, self._route.iri, self._deprecation.iri, self._times, client)
            self._next = now + _WARNS_AFTER
            self._times = 0
