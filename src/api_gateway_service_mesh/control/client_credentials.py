"""The tokens that backends are shown, kept by the control process for all workers; and their live state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import ClientCredentials, Mesh
from api_gateway_service_mesh.security.client_credentials import HeldToken, TokenKeepers
from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE, XSD

from .plane import Pool

if TYPE_CHECKING:
    from .live import Live

__all__ = ["BackendTokenKeepers", "stated_credentials", "token_families", "token_triples"]


def stated_credentials(mesh: Mesh) -> tuple[ClientCredentials, ...]:
    """All of a mesh, each once."""
    found = {
        route.client_credentials.iri: route.client_credentials
        for route in mesh.routes
        if route.client_credentials is not None
    }
    return tuple(found.values())


class BackendTokenKeepers(TokenKeepers):
    """Tells those who serve."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._spread)
        self._pool = pool
        pool.on_refused_token = self.refused
        self._telling: set[asyncio.Task[None]] = set()

    def _spread(self, tokens: dict[str, HeldToken | None]) -> None:
        task = asyncio.get_running_loop().create_task(self._pool.stand("tokens", tokens))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def token_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """How it stands with the tokens."""
    now = datetime.now(UTC)
    for iri, standing in live.tokens().items():
        yield iri, RDF_TYPE, f"<{AGW.ClientCredentials}>"
        yield iri, AGW.tokenState, f'"{standing.state(now.timestamp())}"'
        yield iri, AGW.tokenFetchedTotal, f'"{standing.fetched}"^^<{XSD.integer}>'
        yield iri, AGW.tokenFetchFailedTotal, f'"{standing.failed}"^^<{XSD.integer}>'
        yield iri, AGW.tokenRefusedTotal, f'"{standing.refused}"^^<{XSD.integer}>'
        if standing.until is not None:
            ends = datetime.fromtimestamp(standing.until, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            yield iri, AGW.tokenExpiry, f'"{ends}"^^<{XSD.dateTime}>'
        if standing.fault is not None:
            yield iri, AGW.tokenFault, json.dumps(standing.fault)


def token_families(live: Live) -> Iterator[Family]:
    """The same as metrics."""
    found = [(standing, (("credentials", iri),)) for iri, standing in live.tokens().items()]
    if not found:
        return
    fetches = [
        Sample(count, (*label, ("result", result)))
        for standing, label in found
        for result, count in (("fetched", standing.fetched), ("failed", standing.failed))
    ]
    yield Family("agw_backend_token_fetches", "Tokens asked for, to show to backends.", Kind.COUNTER, fetches)
    refused = [Sample(standing.refused, label) for standing, label in found]
    yield Family(
        "agw_backend_token_refusals", "Tokens fetched anew, since a backend refused them.", Kind.COUNTER, refused
    )
    ends = [Sample(standing.until, label) for standing, label in found if standing.until is not None]
    yield Family("agw_backend_token_expiry_timestamp_seconds", "When the token in use ends.", Kind.GAUGE, ends)
