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
    "hosts": {"": Differs((400,), (404,), "To Envoy an empty Host is one that no route has.")},
}
