"""Fetching anew what was given stale, behind the answer (stale-while-revalidate, RFC 5861 §3)."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.policies import RouteCounters
from api_gateway_service_mesh.policies.cache import Asked, Stored, Use, use
from api_gateway_service_mesh.policies.counters import ROUTE_CELLS

from .cache_front import Storing
from .cache_key import CONDITIONS
from .cache_turn import CacheTurn, Fetch
from .nobody import Nobody

if TYPE_CHECKING:
    from .cache import RouteCache
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import RouteHandler

__all__ = ["Refresher"]

REFRESH_SECONDS: Final = 60.0
"""How long it may take in all."""


class Refresher:
    """Fetches for one route's cache: requests of the cache's own, which are no requests of the route's."""

    def __init__(self, cache: RouteCache, handler: RouteHandler, generation: Generation, core: Core) -> None:
        self._cache = cache
        self._handler = handler
        self._generation = generation
        self._core = core
        self._behind: RouteHandler | None = None

    def fetch(self, exchange: Exchange, turn: CacheTurn, entry: Stored) -> None:
        """Fetch anew what `exchange` was given: by an exchange of its own, which passes the stages behind the cache.
        Where another gateway has done so meanwhile, that is taken."""
        key, handler, cache = turn.key, self._serving(), self._cache
        if key in cache.pending:
            return
        behind = CacheTurn(key, turn.url, turn.sent, Asked(), monotonic())
        behind.entry = entry
        behind.fetch = cache.pending[key] = Fetch()
        fields = CONDITIONS.sub(b"", turn.sent)
        if entry.validator:
            behind.validates = True
            fields += entry.conditions()
        fresh = type(exchange)(
            self._core,
            self._generation.unlogged(),
            Storing(Nobody(), cache, behind, b"", frozenset()),
            handler,
            "GET",
            exchange.target_bytes,
            exchange.block,
            fields,
            exchange.client,
            exchange.request_id,
        )
        fresh.caller = exchange.caller
        fresh.authority = exchange.authority
        fresh.caching = behind
        shared = cache.shared

        def found(there: Stored | None) -> None:
            if there is not None and cache.take(behind, there) and use(there, behind.said, monotonic()) == Use.FRESH:
                cache.release(behind, alone=False)
                return
            behind.asked_at = monotonic()
            behind.position = None if shared is None else shared.position
            fresh.resend([])

        if shared is None or not shared.find(key, behind.lines, found):
            self._core.loop.call_soon(found, None)

    def _serving(self) -> RouteHandler:
        """What serves these requests."""
        made, handler = self._behind, self._handler
        if made is None:
            cells = memoryview(bytearray(ROUTE_CELLS * 8)).cast("d")
            made = self._behind = type(handler)(handler.route, RouteCounters(cells, 0))
            made.gates = handler.gates[handler.gates.index(self._cache.gate) + 1 :]
            made.target, made.direct = handler.target, handler.direct
            made.on_end = (self._cache.ended,)
            made.timed = True
            made.total_seconds = handler.total_seconds or REFRESH_SECONDS
        return made
