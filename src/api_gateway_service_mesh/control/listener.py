"""The live state of listeners, as triples and as metric families: their connections and handshakes, and what goes
over HTTP/2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies.listener import HandshakeFault
from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE, XSD

if TYPE_CHECKING:
    from .live import Live

__all__ = ["listener_families", "listener_triples"]


def listener_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """What every listener has accepted, holds and turned away."""
    for listener, totals in live.listeners():
        yield listener.iri, RDF_TYPE, f"<{AGW.Listener}>"
        for term, count in (
            (AGW.openConnections, totals.open),
            (AGW.acceptedTotal, totals.accepted),
            (AGW.turnedAwayFullTotal, totals.full),
            (AGW.turnedAwayAddressTotal, totals.crowded),
            (AGW.uncappedTotal, totals.uncounted),
            (AGW.handshakeFailedTotal, totals.failed),
        ):
            yield listener.iri, term, f'"{count}"^^<{XSD.integer}>'

    protocol = live.http2()
    for term, count in (
        (AGW.http2Connections, protocol.connections),
        (AGW.http2Streams, protocol.streams),
        (AGW.http2RequestsTotal, protocol.requests),
        (AGW.http2BrokenOffTotal, protocol.broken_off),
    ):
        yield live.mesh.iri, term, f'"{count}"^^<{XSD.integer}>'


def listener_families(live: Live) -> Iterator[Family]:
    """The same as metrics."""
    found = [(totals, (("listener", listener.iri),)) for listener, totals in live.listeners()]
    now = [Sample(totals.open, label) for totals, label in found]
    yield Family("agw_client_connections", "Connections of clients that are open.", Kind.GAUGE, now)
    arrived = [
        Sample(count, (*label, ("result", result)))
        for totals, label in found
        for result, count in (
            ("accepted", totals.accepted),
            ("listener-full", totals.full),
            ("address-full", totals.crowded),
        )
    ]
    yield Family("agw_connections", "Connections that came, by what became of them.", Kind.COUNTER, arrived)
    uncounted = [Sample(totals.uncounted, label) for totals, label in found]
    yield Family("agw_connections_uncapped", "Accepted without room to count their address.", Kind.COUNTER, uncounted)
    failed = [
        Sample(totals.faults[fault], (*label, ("reason", fault.name.lower().replace("_", "-"))))
        for totals, label in found
        for fault in HandshakeFault
        if totals.faults[fault]
    ]
    yield Family("agw_handshake_failures", "TLS handshakes that came to nothing, by reason.", Kind.COUNTER, failed)
    protocol = live.http2()
    held = [Sample(protocol.connections)]
    yield Family("agw_http2_connections", "Connections of clients that speak HTTP/2.", Kind.GAUGE, held)
    under_way = [Sample(protocol.streams)]
    yield Family("agw_http2_streams", "Requests and WebSockets under way over HTTP/2.", Kind.GAUGE, under_way)
    came = [Sample(protocol.requests)]
    yield Family("agw_http2_requests", "Requests that came over HTTP/2.", Kind.COUNTER, came)
    ended = [Sample(protocol.broken_off)]
    yield Family("agw_http2_broken_off", "HTTP/2 connections ended for floods or faults.", Kind.COUNTER, ended)
