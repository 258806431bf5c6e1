"""The cookie that keeps a client at its endpoint (``agw:stickyCookie``): read from requests, set in answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from secrets import randbelow
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import SameSite, StickyCookie
from api_gateway_service_mesh.policies.sticky import StickyTokens, shared_key, sticky_key
from api_gateway_service_mesh.security.secret import read_secret

from .key import cookie

if TYPE_CHECKING:
    from .core import Core
    from .exchange import Exchange

__all__ = ["Stickiness"]

_log = logging.getLogger(__name__)

_HTTPS = b"\r\nX-Forwarded-Proto: https\r\n"
"""Stands in the fields for the backend when the client, or a trusted proxy of its, spoke TLS."""


class Stickiness:
    """One upstream's sessions under one balancer. The cookie goes on to the backend, as all cookies do."""

    __slots__ = ("_name", "_secure", "_start", "_tail", "_tokens")

    def __init__(self, config: StickyCookie, endpoints: Sequence[str], core: Core, base: int) -> None:
        self._tokens = StickyTokens(_key(config, core, base), endpoints)
        self._name = config.name
        self._start = f"Set-Cookie: {config.name}=".encode("ascii")
        lasting = f"; Max-Age={int(config.ttl_seconds)}" if config.ttl_seconds is not None else ""
        self._tail = f"; Path={config.path}{lasting}; HttpOnly; SameSite={config.same_site}".encode("ascii")
        self._secure = config.same_site is SameSite.NONE  # browsers drop it otherwise

    def kept(self, exchange: Exchange) -> int:
        """The endpoint that the client was at, by its index; -1: none that is known."""
        return self._tokens.index(cookie(exchange.block, self._name))

    def keep(self, exchange: Exchange, index: int) -> None:
        """Have the answer set the cookie; that of an earlier attempt is taken back."""
        fields = exchange.answer_fields
        at = fields.find(self._start)
        if at >= 0:
            fields = fields[:at] + fields[fields.index(b"\r\n", at) + 2 :]
        secure = b"; Secure" if self._secure or _HTTPS in exchange.fields else b""
        exchange.answer_fields = fields + b"%b%b%b%b\r\n" % (
            self._start,
            self._tokens.tokens[index],
            self._tail,
            secure,
        )


def _key(config: StickyCookie, core: Core, base: int) -> bytes:
    """The shared key; the gateway's own where none is stated, or none can be had any more."""
    if config.key_ref is not None:
        try:
            secret = read_secret(config.key_ref)
        except AgwError as error:
            _log.warning("the cookie %s is known to this gateway alone: %s", config.name, error)
        else:
            if secret:
                return shared_key(secret)
            _log.warning("the cookie %s is known to this gateway alone: its key is empty", config.name)
    return sticky_key(core.cells.view, base, randbelow, core.lock)
