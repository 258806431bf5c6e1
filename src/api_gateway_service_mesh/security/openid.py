"""An OpenID provider as its discovery document tells of it (OpenID Connect Discovery 1.0 §4), pinned to its issuer.

The document's issuer must be the configured one, letter by letter, and every address in it must be https (or loopback);
it is asked for again every hour, and an hour's failure changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from api_gateway_service_mesh.model import JwtAuthentication, OpenIdLogin

from .authorization_server import AuthorizationServer, ServerError
from .identity import Denial, Identity
from .jwks import KeySource
from .jwt import JwtVerifier
from .token import TokenError, read_token

__all__ = ["OpenIdProvider", "ProviderFacts", "read_discovery"]

FRESH_SECONDS = 3600.0
_ADDRESS = re.compile(r"(https://[^\s/?#@\\]+|http://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?)(/[!-~]*)?\Z")

_log = logging.getLogger("agw.authentication")


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is used of a discovery document. ``tells_issuer``: answers carry ``iss`` (RFC 9207)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    tells_issuer: bool


def read_discovery(document: dict[str, Any], issuer: str) -> ProviderFacts:
    """What the document of `issuer` says.

    Raises:
        ServerError: it is another's, or says what cannot be used.
    """
    if document.get("issuer") != issuer:
        raise ServerError("its discovery document names another issuer")
    found: dict[str, str | None] = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"):
        value = document.get(name)
        if value is None and name == "end_session_endpoint":
            found[name] = None
        elif isinstance(value, str) and _ADDRESS.match(value) and "#" not in value:
            found[name] = value
        else:
            raise ServerError(f"its discovery document has no usable {name}")
    methods = document.get("code_challenge_methods_supported")
    if methods is not None and (not isinstance(methods, list) or "S256" not in methods):
        raise ServerError("it does not take PKCE with S256")
    return ProviderFacts(
        str(found["authorization_endpoint"]),
        str(found["token_endpoint"]),
        str(found["jwks_uri"]),
        found["end_session_endpoint"],
        document.get("authorization_response_iss_parameter_supported") is True,
    )


class OpenIdProvider:
    """The provider of one login. Lives on one event loop."""

    def __init__(
        self,
        config: OpenIdLogin,
        server: AuthorizationServer,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._server = server
        self._loop = loop
        self._clock = clock
        self._facts: ProviderFacts | None = None
        self._asked = -1e300
        self._keys: KeySource | None = None
        self._lock = asyncio.Lock()

    async def facts(self) -> ProviderFacts:
        """The discovery document's.

        Raises:
            ServerError: there is none, and never was.
        """
        async with self._lock:
            if self._facts is None or monotonic() - self._asked > FRESH_SECONDS:
                await self._discover()
            assert self._facts is not None
            return self._facts

    async def _discover(self) -> None:
        issuer = self._config.issuer
        try:
            document = await self._server.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            facts = read_discovery(document, issuer)
        except ServerError as error:
            if self._facts is None:
                raise
            _log.warning("%s: the provider: %s; what it said before is used on", self._config.iri, error)
        else:
            if self._keys is None or self._keys.uri != facts.jwks_uri:
                if self._keys is not None:
                    self._keys.retire()
                self._keys = KeySource(facts.jwks_uri, self._loop)
            self._facts = facts
        self._asked = monotonic()

    async def id_token(self, text: str) -> Identity:
        """Who an ID token (OpenID Connect Core §3.1.3.7) speaks of: signature, issuer, audience, times.

        Raises:
            ServerError: it is not good, or there are no keys to check it with.
        """
        facts, config = await self.facts(), self._config
        keys = self._keys
        assert keys is not None
        demand = JwtAuthentication(
            config.iri, config.issuer, (config.client.client_id,), facts.jwks_uri, config.algorithms
        )
        verifier = JwtVerifier(demand, keys, self._clock)
        try:
            token = read_token(text.encode("ascii", "replace"))
        except TokenError as error:
            raise ServerError(f"its ID token: {error}", refused=True) from None
        verdict = verifier.judge(token, b"")
        if not isinstance(verdict, Identity) and verdict.denial is Denial.PENDING and keys.want():
            over: asyncio.Future[None] = self._loop.create_future()
            keys.wait(_Done(over))
            await over
            verdict = verifier.judge(token, b"")
        if not isinstance(verdict, Identity):
            raise ServerError(f"its ID token: {verdict.reason}", refused=True)
        audience, party = verdict.claims.get("aud"), verdict.claims.get("azp")
        several = isinstance(audience, list) and len(audience) > 1
        if (several or party is not None) and party != config.client.client_id:
            raise ServerError("its ID token is another party's", refused=True)
        return verdict

    def retire(self) -> None:
        """Refresh no keys any more."""
        if self._keys is not None:
            self._keys.retire()

    def close(self) -> None:
        """End everything now."""
        if self._keys is not None:
            self._keys.close()


class _Done:
    """Ends a future, whoever gave up on it meanwhile."""

    def __init__(self, over: asyncio.Future[None]) -> None:
        self._over = over

    def __call__(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
