"""Instances from Eureka: its REST interface in JSON (Netflix Eureka's "REST operations", Spring Cloud Netflix).

- The whole registry once, then what has changed (``apps/delta``), every ``interval_seconds``: Eureka has no question
  that waits. After every change the counts by status are compared with those that Eureka tells (``apps__hashcode``);
  where they differ, or the last whole registry is `_WHOLE_SECONDS` old, the whole registry is fetched again. A server
  that gives no changes (403, 404) is asked for the whole registry each time.
- Only instances whose status is UP; STARTING, DOWN, OUT_OF_SERVICE and UNKNOWN are not used. An application is known by
  its name, however it is written. Metadata are labels ``key=value``; an instance must have all the tags asked for.
- As Eureka's own clients do: the host name that an instance states, else its address; the plain port where it is
  enabled, else the secure one. The zone is its metadata ``zone``, or Amazon's availability zone.
- The token is sent as Basic credentials where it is ``user:password``, as Bearer otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from api_gateway_service_mesh.model import Discovery

from .asking import NONSENSE, base_url, basic_or_bearer, excerpt, limited, quoted, secured
from .source import Instance, Instances, SourceError

__all__ = ["EurekaSource"]

_TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_SHORTEST_SECONDS = 0.1
_WHOLE_SECONDS = 300.0
"""Counts by status tell nothing of one instance in the place of another."""
_REMEMBERED_SECONDS = 120.0
"""Eureka tells of the changes of three minutes."""

_T = TypeVar("_T")
_Known = dict[tuple[str, str], tuple[str, Instance | None]]
"""Of each instance, by application and id: its status, and what it is where it is looked for."""


class EurekaSource:
    """Follows one application."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._wanted = discovery.name.upper()
        self._known: _Known = {}

    async def watch(self) -> AsyncIterator[Instances]:
        """Answers, every ``interval_seconds``.

        Raises:
            SourceError, OSError, TimeoutError: Eureka does not answer, or refuses.
        """
        interval = max(_SHORTEST_SECONDS, self._discovery.registry.interval_seconds)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS)
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(ssl=await secured(self._discovery.registry))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            mark = await self._whole(session)
            whole = loop.time()
            while True:
                yield Instances(self._discovery.name, self._found(), mark, datetime.now(UTC))
                await asyncio.sleep(interval)
                now = loop.time()
                told = None
                if interval < _REMEMBERED_SECONDS and now - whole < _WHOLE_SECONDS:
                    told = await self._changes(session)
                if told is None:
                    told = await self._whole(session)
                    whole = now
                mark = told

    async def _whole(self, session: aiohttp.ClientSession) -> str:
        """Fetch all there is; Eureka's mark of it."""
        body = await self._ask(session, "/apps/")
        if body is None:
            raise SourceError("Eureka has no registry at this address; it usually ends with /eureka")
        return await self._read(self._take_whole, body)

    async def _changes(self, session: aiohttp.ClientSession) -> str | None:
        """Fetch what has changed; None where that does not tell all."""
        body = await self._ask(session, "/apps/delta")
        return None if body is None else await self._read(self._take_changes, body)

    async def _ask(self, session: aiohttp.ClientSession, path: str) -> bytes | None:
        """A body; None where there is none."""
        registry = self._discovery.registry
        url = base_url(registry)
        if url.count("/") == 2:
            url += "/eureka"
        try:
            async with session.get(url + path, headers=self._headers(), allow_redirects=False) as answer:
                if answer.status in (204, 404) or (answer.status == 403 and path.endswith("delta")):
                    return None
                if answer.status != 200:
                    raise SourceError(f"Eureka answers {answer.status}{quoted(registry, await excerpt(answer))}")
                return await limited(answer)
        except aiohttp.ClientConnectorError as error:
            raise SourceError(f"{type(error).__name__}: {error}") from error
        except aiohttp.ClientError as error:
            raise SourceError(f"{type(error).__name__}{quoted(registry, error)}") from error

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", **basic_or_bearer(self._discovery.registry)}

    async def _read(self, take: Callable[[bytes], _T], body: bytes) -> _T:
        try:
            return await asyncio.to_thread(take, body)
        except NONSENSE as error:
            what = quoted(self._discovery.registry, error)
            raise SourceError(f"this is no answer of Eureka: {type(error).__name__}{what}") from error

    def _take_whole(self, body: bytes) -> str:
        told = json.loads(body)["applications"]
        known: _Known = {}
        for application, one in _instances(told):
            known[_key(application, one)] = str(one["status"]), self._instance(application, one)
        self._known = known
        return _mark(told)

    def _take_changes(self, body: bytes) -> str | None:
        told = json.loads(body)["applications"]
        known = dict(self._known)
        for application, one in _instances(told):
            if one.get("actionType") == "DELETED":
                known.pop(_key(application, one), None)
            else:
                known[_key(application, one)] = str(one["status"]), self._instance(application, one)
        mark = _mark(told)
        if mark != _counts(known):
            return None
        self._known = known
        return mark

    def _found(self) -> tuple[Instance, ...]:
        return tuple(one for status, one in self._known.values() if status == "UP" and one is not None)

    def _instance(self, application: str, one: dict[str, Any]) -> Instance | None:
        if application != self._wanted:
            return None
        address = one.get("hostName") or one["ipAddr"]
        port = _port(one.get("port")) or _port(one.get("securePort")) or self._discovery.port or 0
        if not isinstance(address, str) or not 0 < port < 65536:
            return None  # nothing to connect to
        meta = {key: str(value) for key, value in (one.get("metadata") or {}).items() if not key.startswith("@")}
        amazon = (one.get("dataCenterInfo") or {}).get("metadata") or {}
        labels = {f"{key}={value}" for key, value in meta.items()}
        if not labels.issuperset(self._discovery.tags):
            return None
        zone = meta.get("zone") or str(amazon.get("availability-zone") or "")
        return Instance(address, port, zone=zone, labels=tuple(sorted(labels)))


def _instances(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each instance with its application's name."""
    for application in _listed(told.get("application")):
        for one in _listed(application.get("instance")):
            yield str(application["name"]).upper(), one


def _listed(value: Any) -> list[Any]:
    """Eureka's older writers of JSON put a single thing where others put a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _key(application: str, one: dict[str, Any]) -> tuple[str, str]:
    return application, str(one.get("instanceId") or one["hostName"])


def _port(value: Any) -> int:
    """A port that is enabled, or 0."""
    if not isinstance(value, dict) or str(value.get("@enabled", "true")).lower() != "true":
        return 0
    return int(value["$"])


def _mark(told: dict[str, Any]) -> str:
    return str(told.get("apps__hashcode") or "")


def _counts(known: _Known) -> str:
    """What Eureka's mark is of these: ``DOWN_2_UP_7_``."""
    counted = Counter(status for status, _ in known.values())
    return "".join(f"{status}_{counted[status]}_" for status in sorted(counted))
