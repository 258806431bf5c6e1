"""Instances from Consul: its health interface, by blocking queries (Consul's "Blocking Queries" and "Health").

- Only instances whose checks all pass. Tags, the datacenter and the token are those of the look-up.
- A question waits at Consul until something has changed; an index that went back, or is 0, starts anew. No two
  questions within `_BETWEEN_SECONDS`.
- Weights are those for passing instances; the zone is the instance's locality, or its metadata ``zone``.
- A prepared query says itself which instances there are, and where else when there are none (Consul's "Prepared
  Queries"); those that it tells of with a warning have the weight for warnings. It is asked every ``interval_seconds``:
  no question about it waits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.model import Discovery

from .asking import NONSENSE, base_url, excerpt, limited, quoted, secured, token
from .source import Instance, Instances, SourceError

__all__ = ["ConsulSource"]

_WAIT_SECONDS = 30
_GRACE_SECONDS = 10.0
"""Consul adds up to a sixteenth to the wait; the rest is for the answer itself."""
_BETWEEN_SECONDS = 0.1


class ConsulSource:
    """Follows one service."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._wait = int(min(_WAIT_SECONDS, max(1.0, discovery.empty_after_seconds)))

    async def watch(self) -> AsyncIterator[Instances]:
        """Answers, as soon as something has changed, or after `_WAIT_SECONDS`.

        Raises:
            SourceError, OSError, TimeoutError: Consul does not answer, or refuses.
        """
        index = 0
        timeout = aiohttp.ClientTimeout(total=self._wait * 17 / 16 + _GRACE_SECONDS, connect=_GRACE_SECONDS)
        between = _BETWEEN_SECONDS
        if self._discovery.prepared:
            between = max(_BETWEEN_SECONDS, self._discovery.registry.interval_seconds)
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(ssl=await secured(self._discovery.registry))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            while True:
                began = loop.time()
                told, found = await self._ask(session, index)
                index = told if told >= index else 0
                yield Instances(self._discovery.name, found, str(told), datetime.now(UTC))
                await asyncio.sleep(max(0.0, between - (loop.time() - began)))

    async def _ask(self, session: aiohttp.ClientSession, index: int) -> tuple[int, tuple[Instance, ...]]:
        wanted = self._discovery
        query = [] if wanted.prepared else [("passing", "1"), *(("tag", tag) for tag in wanted.tags)]
        if wanted.registry.datacenter:
            query.append(("dc", wanted.registry.datacenter))
        if index and not wanted.prepared:
            query += [("index", str(index)), ("wait", f"{self._wait}s")]
        name = quote(wanted.name, safe="")
        path = f"/v1/query/{name}/execute" if wanted.prepared else f"/v1/health/service/{name}"
        url = base_url(wanted.registry) + path
        try:
            async with session.get(url, params=query, headers=self._headers(), allow_redirects=False) as answer:
                if answer.status != 200:
                    raise SourceError(f"Consul answers {answer.status}{quoted(wanted.registry, await excerpt(answer))}")
                body = await limited(answer)
                told = 0 if wanted.prepared else max(1, int(answer.headers["X-Consul-Index"]))
            return told, await asyncio.to_thread(self._read, body)
        except aiohttp.ClientConnectorError as error:
            raise SourceError(f"{type(error).__name__}: {error}") from error
        except aiohttp.ClientError as error:
            raise SourceError(f"{type(error).__name__}{quoted(wanted.registry, error)}") from error
        except NONSENSE as error:
            raise SourceError(
                f"this is no answer of Consul: {type(error).__name__}{quoted(wanted.registry, error)}"
            ) from error

    def _headers(self) -> dict[str, str]:
        known = token(self._discovery.registry)
        return {} if known is None else {"X-Consul-Token": known}

    def _read(self, body: bytes) -> tuple[Instance, ...]:
        entries = json.loads(body)
        if self._discovery.prepared:
            entries = entries["Nodes"] or []
        if not isinstance(entries, list):
            raise ValueError("no list")
        return tuple(found for entry in entries if (found := self._instance(entry)) is not None)

    def _instance(self, entry: dict[str, Any]) -> Instance | None:
        service, node = entry["Service"], entry["Node"]
        address = service.get("Address") or node["Address"]
        port = int(service.get("Port") or self._discovery.port or 0)
        if not isinstance(address, str) or not 0 < port < 65536:
            return None  # nothing to connect to
        meta = service.get("Meta") or {}
        locality = service.get("Locality") or node.get("Locality") or {}
        labels = {*map(str, service.get("Tags") or ()), *(f"{key}={value}" for key, value in meta.items())}
        if not labels.issuperset(self._discovery.tags):
            return None  # a prepared query is not asked for them
        warned = any(each.get("Status") == "warning" for each in entry.get("Checks") or ())
        weight = (service.get("Weights") or {}).get("Warning" if warned else "Passing", 1)
        zone = str(locality.get("Zone") or meta.get("zone") or "")
        return Instance(address, port, max(0, int(weight)), zone, labels=tuple(sorted(labels)))
