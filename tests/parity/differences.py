"""Where Envoy, told by agw, still does otherwise than agw itself: case, fact, both, and why it is left so.

What each target cannot say at all stands in ontology/target.ttl, and is refused or reported."""

from __future__ import annotations

from typing import Final

from tests.peers.differences import Differs

__all__ = ["DIFFERENCES"]

DIFFERENCES: Final[dict[str, dict[str, Differs]]] = {
    "later": {
        "attempts": Differs(
            1,
            3,
            "Envoy waits for a Retry-After that is within its longest back-off, and does not wait for a longer one.",
        )
    },
    "leaves": {
        fact: Differs(
            agw, envoy, "Envoy without a retry policy passes on that a kept connection was closed under a request."
        )
        for fact, agw, envoy in (("again", 200, 502), ("asked again", 2, 1))
    },
    "redirected": {
        "location": Differs("/new/a?b=1", "http://shop/new/a?b=1", "Envoy writes scheme and host into every Location.")
    },
    "rated": {"says when": Differs(True, False, "Envoy's answer to who is over a limit has no Retry-After.")},
    "cors": {
        "preflight's status": Differs(204, 200, "Envoy's filter answers preflights 200; browsers take both."),
        "foreign preflight's status": Differs(
            403,
            200,
            "Envoy answers a preflight that it does not allow without a word of CORS; browsers take it for a no.",
        ),
        "preflight expose-headers": Differs(
            None, "x-b", "Envoy names the exposed fields to preflights too; browsers do not look at them there."
        ),
    },
    "compressed": {
        f"/compressed/a Accept-Encoding: {accepted}: tag": Differs(
            'W/"1"', None, "Envoy takes a strong ETag out of what it compresses; 1.39 and later could weaken it."
        )
        for accepted in ("gzip", "br;q=0.5, gzip;q=1")
    },
    "careful": {
        f"/careful/{path} strict-transport-security": Differs(
            None,
            "max-age=31536000",
            "agw says it over TLS alone; Envoy's routes do not know of it. Browsers pass over it in the clear (RFC 6797 8.1).",
        )
        for path in ("a", "broken")
    },
    "hosts": {"": Differs((400,), (404,), "To Envoy an empty Host is one that no route has.")},
}
