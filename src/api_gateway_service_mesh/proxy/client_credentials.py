"""The token that a backend is shown, as a stage (``agw:hasClientCredentials``).

Tokens are fetched elsewhere (`security.client_credentials`); here is what this process was told. A request that comes
before anything is known of its token waits for that, at most `FIRST_SECONDS`; without a token it is refused. A backend
that answers 401 may know the token no more, as when keys were changed: whoever fetches is told so, at most once a
second; the client is given the answer as it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from api_gateway_service_mesh.security.jwt import wall_clock

from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["FIRST_SECONDS", "BackendTokens", "client_credentials_gates"]

FIRST_SECONDS = 5.0
_TOLD_SECONDS = 1.0
_AUTHORIZATION = re.compile(rb"(?im)^Authorization[ \t]*:[^\r\n]*\r\n")


class BackendTokens:
    """What this process knows of tokens. Lives on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = wall_clock) -> None:
        self._loop = loop
        self._clock = clock
        self._known: dict[str, tuple[bytes, float] | None] = {}
        self._waiting: list[Callable[[], None]] = []
        self._refused: dict[str, float] = {}
        self._untold: list[tuple[str, float]] = []

    def told(self, tokens: Mapping[str, tuple[str, float] | None]) -> None:
        """These are the tokens now, by the credentials' IRI, with when each ends; None: it cannot be had."""
        self._known = {
            iri: (b"Authorization: Bearer %b\r\n" % held[0].encode("ascii"), held[1]) if held is not None else None
            for iri, held in tokens.items()
        }
        waiting, self._waiting = self._waiting, []
        for proceed in waiting:
            proceed()

    def line(self, iri: str) -> bytes | None:
        """The field line with the token; None when there is none."""
        held = self._known.get(iri)
        return held[0] if held is not None and self._clock() < held[1] else None

    def knows(self, iri: str) -> bool:
        """Whether it is known how things stand with this token."""
        return iri in self._known

    def refused(self, iri: str, shown: bytes) -> None:
        """A backend took a request with the field lines `shown` for one of nobody. Of the token in use alone this means
        something."""
        held = self._known.get(iri)
        now = self._loop.time()
        if held is not None and held[0] in shown and now >= self._refused.get(iri, 0.0):
            self._refused[iri] = now + _TOLD_SECONDS
            self._untold.append((iri, held[1]))

    def take_refused(self) -> list[tuple[str, float]]:
        """What was refused since the last time: credentials by their IRI, with when the token ends."""
        untold = self._untold
        if untold:
            self._untold = []
        return untold

    def wait(self, proceed: Callable[[], None]) -> None:
        """Call `proceed` when something new is told, or after a while."""
        self._waiting.append(proceed)
        self._loop.call_later(FIRST_SECONDS, self._enough, proceed)

    def _enough(self, proceed: Callable[[], None]) -> None:
        if proceed in self._waiting:
            self._waiting.remove(proceed)
            proceed()


def client_credentials_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose backends are shown a token: in the place of what the client sent as Authorization."""
    credentials = handler.route.client_credentials
    if credentials is None:
        return []
    iri, tokens, loop = credentials.iri, core.backend_tokens, core.loop
    refusal = Refusal(
        503,
        "backend-token-unavailable",
        "the gateway has no token for the backend",
        b"Retry-After: 5\r\n",
        iri,
        failure=True,
        reason="no token of the client credentials is to be had",
    )

    def show(exchange: Exchange) -> Refusal | None:
        line = tokens.line(iri)
        if line is not None:
            exchange.fields = _AUTHORIZATION.sub(b"", exchange.fields) + line
            return None
        if not tokens.knows(iri) and loop.time() - exchange.started < FIRST_SECONDS:
            exchange.waits_at = show
            tokens.wait(exchange.proceed)
            return WAIT
        return refusal

    def ended(exchange: Exchange, _now: float) -> None:
        if exchange.status == 401 and not exchange.problem:
            tokens.refused(iri, exchange.fields)

    handler.on_end = (*handler.on_end, ended)
    return [show]
