"""The bounds on WebSockets in words."""

from __future__ import annotations

from api_gateway_service_mesh.model import WebSocketBounds
from api_gateway_service_mesh.routing.websocket import websocket_part
from tests.support.gateway import route


def said(bounds: WebSocketBounds) -> tuple[str, list[str]]:
    part = websocket_part(route("/x", websocket=bounds), bounds)
    return part.text, [citation.object for citation in part.citations]


def test_each_bound_is_said_with_its_triple() -> None:
    assert said(WebSocketBounds("urn:w")) == ("taken, and counted", ["urn:w"])
    assert said(WebSocketBounds("urn:w", False)) == ("none: handshakes are answered 403", ["urn:w", "false"])
    text, cited = said(WebSocketBounds("urn:w", True, 5, 1.5, 60))
    assert text == "at most 5 open at once, closed after 1.5 s without a byte, closed after 60 s"
    assert cited == ["urn:w", "5", "PT1.5S", "PT60S"]
