"""What is purged on the admin port, told to the gateways that keep the same cache together (``agw:sharedThrough``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

from api_gateway_service_mesh.model import Cache, RedisStore
from api_gateway_service_mesh.policies.cache_store import OF_ALL, OF_TAG, OF_URL
from api_gateway_service_mesh.proxy.cache_key import url_of
from api_gateway_service_mesh.proxy.cache_purges import PurgeLog
from api_gateway_service_mesh.proxy.redis import SharedStores

from .cache import Purge

__all__ = ["Replicas"]

TELL_SECONDS = 2.0
"""How long whoever purges waits for the others to be told."""


class Replicas:
    """The stores that this process tells purges to. Made, used and closed on one event loop."""

    def __init__(self) -> None:
        self._stores: SharedStores | None = None
        self._logs: dict[RedisStore, PurgeLog] = {}

    async def tell(self, caches: Iterable[Cache], purge: Purge) -> bool | None:
        """Have all of `purge` known by every gateway that shares one of `caches`. True: it is; False: not yet, the
        store is away, and it is tried again and again as long as this process lives; None: nobody shares any."""
        left = 0
        done = asyncio.Event()

        def told() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        what = [(OF_URL, url_of(url)) for url in purge.urls]
        what += [(OF_TAG, tag.encode("utf-8")) for tag in purge.tags]
        if purge.everything:
            what = [(OF_ALL, b"")]
        shared = [cache for cache in caches if cache.store is not None]
        left = len(what) * len(shared)
        if left == 0:
            return None
        for cache in shared:
            assert cache.store is not None
            log = self._log(cache.store)
            for kind, each in what:
                log.purged(cache.iri, kind, each, told)
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await done.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Let go of the stores."""
        if self._stores is not None:
            self._stores.close()
            self._stores = None
        self._logs.clear()

    def _log(self, store: RedisStore) -> PurgeLog:
        if self._stores is None:
            random = Random().random  # noqa: S311 - spreads attempts, no secret
            self._stores = SharedStores(asyncio.get_running_loop(), random, lambda _iri, _state: None)
        found = self._logs.get(store)
        if found is None:
            found = self._logs[store] = PurgeLog(self._stores.of(store), reads=False)
        return found
