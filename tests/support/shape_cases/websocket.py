"""Which WebSockets a route takes."""

from __future__ import annotations

from .case import Case, duration, integer, right, warned, wrong

BOUND = "ex:route agw:hasWebSocketPolicy ex:chat . ex:chat a agw:WebSocketPolicy ; agw:maximumWebSockets 9"
NAMED = "ex:route agw:hasWebSocketPolicy ex:chat . ex:chat a agw:WebSocketPolicy"

WEBSOCKET: list[Case] = [
    *right(
        "WebSocketPolicy",
        f"{NAMED} ; agw:allowsWebSockets true .",
        f"{NAMED} ; agw:allowsWebSockets false .",
        f'{NAMED} ; agw:maximumWebSockets 10 ; agw:webSocketIdleTimeout "PT5M"^^xsd:dayTimeDuration .',
        f'{NAMED} ; agw:webSocketMaximumAge "P1D"^^xsd:dayTimeDuration .',
        "ex:gateway agw:hasWebSocketPolicy [ a agw:WebSocketPolicy ; agw:maximumWebSockets 5 ] .",
    ),
    *wrong(
        "WebSocketPolicy",
        ("ex:route agw:hasWebSocketPolicy ex:service .", "No such WebSocketPolicy"),
        (
            f"{BOUND} . ex:route agw:hasWebSocketPolicy [ a agw:WebSocketPolicy ; agw:maximumWebSockets 5 ] .",
            "has one WebSocket policy",
        ),
        (f"ex:service agw:hasWebSocketPolicy ex:chat . {BOUND} .", "no WebSocket would be bound"),
        (f'{NAMED} ; agw:allowsWebSockets "no" .', "must be true or false"),
        ("ex:service agw:maximumWebSockets 5 .", "belong to an agw:WebSocketPolicy"),
    ),
    *integer("maximumWebSockets", NAMED, 1, 10_000_000),
    *duration("webSocketIdleTimeout", NAMED),
    *duration("webSocketMaximumAge", NAMED),
    *warned(
        "WebSocketPolicy",
        (f"{NAMED} .", "bounds nothing"),
        ("ex:chat agw:openWebSockets 1 .", "is live state"),
        ("ex:chat agw:openedWebSocketsTotal 1 .", "is live state"),
        ("ex:chat agw:refusedWebSocketsTotal 1 .", "is live state"),
        ("ex:chat agw:timedOutWebSocketsTotal 1 .", "is live state"),
    ),
]
