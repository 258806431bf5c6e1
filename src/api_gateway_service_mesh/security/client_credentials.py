"""Access tokens of the gateway's own (RFC 6749 §4.4): fetched in the background, renewed before their end.

- One keeper for each ``agw:ClientCredentials``, in one process; whoever carries requests is told each new token.
- A token is renewed when a part of its life between two thirds and four fifths is over, drawn anew each time, so that
  many gateways do not come together. A server that says no life is taken to mean five minutes.
- A server that gives none is asked again after 1, 2, 4 … 30 seconds, drawn between half and one and a half of that;
  the last token is used until its own end, and not beyond it.
- A token that a backend refused is renewed at once, but not before `REFUSED_SECONDS` are over since the last time: a
  backend that refuses everybody costs the server little, however many ask.
- No token stands in a message, a log or a representation.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from api_gateway_service_mesh.model import ClientCredentials

from .authorization_server import AuthorizationServer, ServerError
from .jwt import wall_clock
from .token import MAX_TOKEN_BYTES

__all__ = [
    "REFUSED_SECONDS",
    "HeldToken",
    "TokenKeepers",
    "TokenStanding",
    "read_token_answer",
    "renewal_seconds",
    "retry_seconds",
]

HeldToken = tuple[str, float]
"""A token, and when it ends, in seconds since 1970."""

REFUSED_SECONDS = 30.0
_UNSAID_SECONDS = 300.0
_LONGEST_SECONDS = 86400.0
_log = logging.getLogger("agw.authentication")


def read_token_answer(answer: Mapping[str, Any], now: float) -> HeldToken:
    """What a token endpoint's answer (RFC 6749 §5.1) comes to at `now`.

    Raises:
        ServerError: there is no bearer token in it that could stand in a header field.
    """
    kind, token = answer.get("token_type"), answer.get("access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer" or not isinstance(token, str) or not token:
        raise ServerError("it gave no bearer token")
    if not token.isascii() or not token.isprintable() or " " in token or len(token) > MAX_TOKEN_BYTES:
        raise ServerError("its access token is none")
    lives = answer.get("expires_in", _UNSAID_SECONDS)
    if isinstance(lives, bool) or not isinstance(lives, int | float) or not 0 < lives < 1e9:
        raise ServerError("it does not say how long its token lives")
    return token, now + min(lives, _LONGEST_SECONDS)


def renewal_seconds(lives: float, random: float) -> float:
    """After how long a token that lives so long is renewed; `random` is in [0, 1)."""
    return max(0.2, lives * (2 / 3 + random * (4 / 5 - 2 / 3)))


def retry_seconds(failures: int, random: float) -> float:
    """After how long a server is asked again that failed so often in a row."""
    return float(min(30.0, 2.0 ** min(failures - 1, 5)) * (0.5 + random))


@dataclass(slots=True)
class TokenStanding:
    """How it stands with a token. ``until``: when it ends, in seconds since 1970; None: there never was one."""

    until: float | None = None
    fetched: int = 0
    failed: int = 0
    refused: int = 0
    fault: str | None = None

    def state(self, now: float) -> str:
        """``agw:tokenState``."""
        if self.until is None:
            return "WAITING" if self.fault is None else "LOST"
        if now >= self.until:
            return "LOST"
        return "HELD" if self.fault is None else "FAILING"


class _Keeper:
    def __init__(self, owner: TokenKeepers, config: ClientCredentials) -> None:
        self.config = config
        self.standing = TokenStanding()
        self.token: HeldToken | None = None
        self._owner = owner
        self._failures = 0
        self._refused_at: float | None = None
        self._refused = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:  # until it is cancelled
            pause = await self._fetch()
            self._refused.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._refused.wait()

    def refused(self, until: float) -> None:
        """A backend refused the token that ends then."""
        now = asyncio.get_running_loop().time()
        recently = self._refused_at is not None and now - self._refused_at < REFUSED_SECONDS
        if self.token is None or self.token[1] != until or recently:
            return
        self._refused_at = now
        self.standing.refused += 1
        _log.warning("%s: a backend refuses the token, which is fetched anew", self.config.iri)
        self._refused.set()

    async def _fetch(self) -> float:
        """Try once; the seconds until the next time."""
        owner, config, standing = self._owner, self.config, self.standing
        form = {"grant_type": "client_credentials"}
        if config.scopes:
            form["scope"] = " ".join(config.scopes)
        if config.audience is not None:
            form["audience"] = config.audience
        if config.resource is not None:
            form["resource"] = config.resource
        try:
            answer = await owner.server.post(config.endpoint, form, config.client)
            now = owner.clock()
            token = read_token_answer(answer, now)
        except ServerError as error:
            self._failures += 1
            standing.failed += 1
            if str(error) != standing.fault:
                standing.fault = str(error)
                _log.warning("%s: no token: %s", config.iri, error)
            owner.changed()
            return retry_seconds(self._failures, owner.random())
        if standing.fault is not None:
            _log.warning("%s: there is a token again", config.iri)
        self._failures, standing.fault = 0, None
        standing.fetched += 1
        self.token, standing.until = token, token[1]
        owner.changed()
        return renewal_seconds(token[1] - now, owner.random())


class TokenKeepers:
    """All of one process. Lives on one event loop, from the first `update` on.

    Args:
        tell: takes all tokens by the credentials' IRI whenever one is new, or could not be had (None).
    """

    def __init__(
        self,
        tell: Callable[[dict[str, HeldToken | None]], None],
        *,
        clock: Callable[[], float] = wall_clock,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock
        self.random = random or Random().random  # noqa: S311 - draws delays, not secrets
        self._tell = tell
        self._server: AuthorizationServer | None = None
        self._keepers: dict[str, _Keeper] = {}

    @property
    def server(self) -> AuthorizationServer:
        """Who asks; made when there is something to ask for."""
        if self._server is None:
            self._server = AuthorizationServer(asyncio.get_running_loop())
        return self._server

    @property
    def standings(self) -> Mapping[str, TokenStanding]:
        """By the credentials' IRI."""
        return {iri: keeper.standing for iri, keeper in self._keepers.items()}

    def update(self, wanted: Iterable[ClientCredentials]) -> None:
        """Keep tokens for these from now on, and for no others. Those that did not change keep theirs."""
        asked = {config.iri: config for config in wanted}
        before = dict(self._keepers)
        for iri, keeper in before.items():
            if asked.get(iri) != keeper.config:
                keeper.task.cancel()
                del self._keepers[iri]
        for iri, config in asked.items():
            if iri not in self._keepers:
                self._keepers[iri] = _Keeper(self, config)
        if self._keepers.keys() != before.keys():
            self.changed()

    def refused(self, iri: str, until: float) -> None:
        """A backend answered 401 to the token of this credential that ends then."""
        keeper = self._keepers.get(iri)
        if keeper is not None:
            keeper.refused(until)

    def changed(self) -> None:
        """Tell what there is."""
        self._tell(
            {
                iri: keeper.token
                for iri, keeper in self._keepers.items()
                if keeper.token is not None or keeper.standing.fault is not None
            }
        )

    async def stop(self) -> None:
        """Ask no more."""
        keepers, self._keepers = list(self._keepers.values()), {}
        for keeper in keepers:
            keeper.task.cancel()
        await asyncio.gather(*(keeper.task for keeper in keepers), return_exceptions=True)
        if self._server is not None:
            self._server.close()
