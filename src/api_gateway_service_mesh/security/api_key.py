"""API keys: known by their SHA-256 alone, so that neither the configuration nor agw's memory holds one.

A key is 256 random bits, so a fast hash is enough (a slow one protects what people can remember), and a lookup by the
hash of what a stranger sent tells him nothing by its time: he cannot choose a hash that begins like another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from api_gateway_service_mesh.model import ApiKey

from .identity import Denial, Denied, Identity, header_text
from .jwt import wall_clock

__all__ = ["OWNER_HEADER", "ApiKeys", "new_key"]

OWNER_HEADER = "X-Api-Key-Owner"
_MAX_KEY_BYTES = 1024
_PREFIX = "agw_"


def new_key() -> tuple[str, str]:
    """A new key, and what stands for it in a configuration (``sha256:…``)."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, f"sha256:{sha256(key.encode('ascii')).hexdigest()}"


class ApiKeys:
    """The callers that one route knows by a key, and where they show it."""

    __slots__ = ("_clock", "_known", "headers", "parameters")

    def __init__(self, keys: Iterable[ApiKey], clock: Callable[[], float] = wall_clock) -> None:
        keys = tuple(keys)
        self._clock = clock
        self.headers = tuple(dict.fromkeys(key.header for key in keys))
        """Header fields (lower case) that a key may be shown in."""
        self.parameters = tuple(dict.fromkeys(key.query_parameter for key in keys if key.query_parameter))
        """Query parameters likewise."""
        self._known: dict[tuple[str, bytes], Identity] = {}
        for key in keys:
            identity = _identity(key)
            for hashed in key.hashes:
                digest = bytes.fromhex(hashed)
                self._known["h:" + key.header, digest] = identity
                if key.query_parameter:
                    self._known["q:" + key.query_parameter, digest] = identity

    def judge(self, shown: Mapping[str, bytes]) -> Identity | Denied:
        """Whose key is among `shown`: by ``h:`` and header field or ``q:`` and parameter, what stood there."""
        if not shown:
            return Denied(Denial.ABSENT, "there is no key")
        over: Identity | None = None
        for place, key in shown.items():
            if len(key) > _MAX_KEY_BYTES:
                continue
            identity = self._known.get((place, sha256(key).digest()))
            if identity is not None:
                if self._clock() < identity.until:
                    return identity
                over = identity
        if over is not None:
            return Denied(Denial.EXPIRED, "the key is over", over.authentication)
        return Denied(Denial.INVALID, "the key is not known here")


def _identity(key: ApiKey) -> Identity:
    fields = b""
    if key.owner is not None:
        fields = f"{OWNER_HEADER}: {header_text(key.owner)}\r\n".encode("ascii")
    until = float("inf") if key.expires is None else key.expires
    return Identity(key.iri, fields, api_key=key.iri, until=until, scopes=frozenset(key.scopes), owner=key.owner or "")
