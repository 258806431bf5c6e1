"""Bounds on WebSockets from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import WebSocketBounds
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasWebSocketPolicy ex:w .
ex:w a agw:WebSocketPolicy """


def test_all_that_it_says() -> None:
    (route,) = mesh_of(TEXT + ".").routes
    assert route.websocket == WebSocketBounds(EX + "w")
    (route,) = mesh_of(
        TEXT
        + """; agw:allowsWebSockets false ; agw:maximumWebSockets 12 ;
        agw:webSocketIdleTimeout "PT1.5S"^^xsd:dayTimeDuration ; agw:webSocketMaximumAge "P1D"^^xsd:dayTimeDuration ."""
    ).routes
    assert route.websocket == WebSocketBounds(EX + "w", False, 12, 1.5, 86400)


def test_a_gateway_hands_it_down() -> None:
    text = """ex:g a agw:ApiGateway ; agw:hasRoute ex:r ; agw:hasWebSocketPolicy [ a agw:WebSocketPolicy ;
        agw:allowsWebSockets false ] . ex:s a agw:BackendService ; agw:address "s:80" .
        ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ."""
    (route,) = mesh_of(text).routes
    assert route.websocket is not None and not route.websocket.allowed
