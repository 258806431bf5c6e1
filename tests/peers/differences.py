"""Where the two differ: case, fact, what each does, and why agw does as it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DIFFERENCES", "Differs"]


@dataclass(frozen=True)
class Differs:
    """One fact that the two see differently, and why."""

    agw: object
    envoy: object
    why: str


_BAD_GATEWAY = "Envoy answers 503 whatever kept the backend from answering; agw answers 502 (RFC 9110 §15.6.3)."
_POSTS = (
    "Envoy sends any method again when its policy says so; agw sends what is not idempotent again only when told to "
    "(`agw:retryNonIdempotent`) or when no byte of it left (RFC 9110 §9.2.2)."
)
_DOTS = (
    "Envoy removes dot segments and routes by what is left; agw refuses a path with dot segments, encoded or not, since "
    "a backend may read it otherwise than the gateway did."
)
_AS_SENT = "Envoy forwards the normalised path or host; agw matches what it was sent and forwards it as it was sent."

DIFFERENCES: Final[dict[str, dict[str, Differs]]] = {
    "resetting": {"status": Differs(502, 503, _BAD_GATEWAY)},
    "refused": {"status": Differs(502, 503, _BAD_GATEWAY)},
    "later": {
        "attempts": Differs(
            1,
            3,
            "Envoy heeds a backend's Retry-After only with a back-off of its own; agw does not ask again before the "
            "time that the backend named (`agw:honourRetryAfter`).",
        )
    },
    "leaves": {
        fact: Differs(
            agw,
            envoy,
            "Envoy without a retry policy passes on that a kept connection was closed under a request; agw sends an "
            "idempotent request again once, on a new connection (RFC 9112 §9.3.1).",
        )
        for fact, agw, envoy in (("again", 200, 503), ("asked again", 2, 1))
    },
    "leaves-post": {"again": Differs(502, 503, _BAD_GATEWAY)},
    "leaves-post-retried": {"again": Differs(502, 200, _POSTS), "asked again": Differs(1, 2, _POSTS)},
    "post": {"attempts": Differs(1, 3, _POSTS)},
    "budget": {
        fact: Differs(
            agw,
            envoy,
            "Envoy's budget is a share of the requests under way, and lets one retry through however few they are, so a "
            "client that asks one by one doubles the load; agw's is a share of the requests of the last ten seconds.",
        )
        for fact, agw, envoy in (("load below 1.25", True, False), ("failures seen", True, False))
    },
    "mirrored": {
        "host": Differs("shop", "shop-shadow", "Envoy marks a copy in its Host; agw copies the request as it is.")
    },
    "redirected": {
        "location": Differs(
            "/new/a?b=1",
            "http://shop/new/a?b=1",
            "Envoy writes scheme and host into every Location; agw writes what changes (RFC 9110 §10.2.2), so a proxy "
            "before it that ends TLS is not undone.",
        )
    },
    "direct": {
        "content-type": Differs(
            "text/plain; charset=utf-8", "text/plain", "agw says which encoding its text has; Envoy does not."
        )
    },
    "rated": {
        "says when": Differs(True, False, "agw says when to come back (Retry-After, RFC 6585 §4); Envoy does not.")
    },
    "paths": {
        "/paths/a/../b": Differs((400,), (200, "/paths/b"), _DOTS),
        "/paths/./a": Differs((400,), (200, "/paths/a"), _DOTS),
        "/other/../paths/a": Differs((400,), (200, "/paths/a"), _DOTS),
        "/paths/%2e%2e/other": Differs((400,), (404,), _DOTS),
        "/paths/a%2f..%2fb": Differs((400,), (200, "/paths/a%2f..%2fb"), _DOTS),
        "/paths//a": Differs((200, "/paths//a"), (200, "/paths/a"), _AS_SENT),
        "/paths/%61": Differs((200, "/paths/%61"), (200, "/paths/a"), _AS_SENT),
        "/paths/a\\b": Differs(
            (400,),
            (200, "/paths/a/b"),
            "A backslash is no character of a path (RFC 3986 §3.3): Envoy makes a slash of it, agw refuses it.",
        ),
    },
    "hosts": {
        "shop.example.com:8080": Differs((200, "shop.example.com:8080"), (200, "shop.example.com"), _AS_SENT),
        "shop.example.com.": Differs((200, "shop.example.com."), (200, "shop.example.com"), _AS_SENT),
        "": Differs((400,), (404,), "An empty Host names no server of http (RFC 9110 §4.2.1): agw refuses it."),
    },
    "hops": {
        "proxy-authorization": Differs(
            None, "Basic Og==", "Credentials for a proxy (RFC 9110 §11.7.2) pass through Envoy; agw keeps them back."
        )
    },
    "forwarded": {
        fact: Differs(
            False,
            True,
            "Envoy adds to the addresses that a client states; agw believes them only of proxies that it is told to "
            "trust (`agw:trustedProxy`) and drops them otherwise.",
        )
        for fact in ("keeps what a stranger says", "and in Forwarded")
    },
}
