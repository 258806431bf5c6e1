"""The gateway's entry in Eureka: an instance with a lease (Netflix Eureka's "REST operations").

The lease lasts three heartbeats. Eureka learns of no reason: a gateway that is not ready is DOWN there. (An
instance that was UP and registers anew as OUT_OF_SERVICE stays UP: that status is an operator's to give.)
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.model import Registry

from .asking import base_url, basic_or_bearer, excerpt, quoted, secured
from .registration import Entry
from .source import SourceError

__all__ = ["EurekaRegistrar"]

_MY_OWN = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}


class EurekaRegistrar:
    """Speaks to one server."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._told: str | None = None

    async def register(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> None:
        """See `Registrar`."""
        status = _status(fault)
        port = {"$": entry.port, "@enabled": str(not entry.secure).lower()}
        secure = {"$": entry.port, "@enabled": str(entry.secure).lower()}
        metadata = {key: value or "true" for key, _, value in (tag.partition("=") for tag in entry.tags)}
        body = {
            "instance": {
                "instanceId": entry.id,
                "app": entry.name.upper(),
                "hostName": entry.address,
                "ipAddr": entry.address,
                "vipAddress": entry.name.lower(),
                "secureVipAddress": entry.name.lower(),
                "status": status,
                "port": port,
                "securePort": secure,
                "metadata": {"gateway": "agw", **metadata},
                "dataCenterInfo": _MY_OWN,
                "leaseInfo": {
                    "renewalIntervalInSecs": max(1, round(entry.interval_seconds)),
                    "durationInSecs": max(3, round(entry.lives_seconds)),
                },
            }
        }
        if await self._ask(session, "POST", f"/apps/{_app(entry)}", body) == 404:
            raise SourceError("Eureka has no registry at this address; it usually ends with /eureka")
        self._told = status

    async def beat(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> bool:
        """See `Registrar`."""
        status = _status(fault)
        if status != self._told:  # an instance that registers anew has the status that it states
            await self.register(session, entry, fault)
        return await self._ask(session, "PUT", f"/apps/{_app(entry)}/{quote(entry.id, safe='')}?status={status}") != 404

    async def withdraw(self, session: aiohttp.ClientSession, entry: Entry) -> None:
        """See `Registrar`."""
        await self._ask(session, "DELETE", f"/apps/{_app(entry)}/{quote(entry.id, safe='')}")

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> int:
        registry = self._registry
        url = base_url(registry)
        if url.count("/") == 2:
            url += "/eureka"
        headers = {"Accept": "application/json", **basic_or_bearer(registry)}
        secure = await secured(registry)
        async with session.request(
            method, url + path, json=body, headers=headers, allow_redirects=False, ssl=secure
        ) as answer:
            if answer.status in (200, 204, 404):
                return answer.status
            raise SourceError(f"Eureka answers {answer.status}{quoted(registry, await excerpt(answer))}")


def _app(entry: Entry) -> str:
    return quote(entry.name.upper(), safe="")


def _status(fault: str | None) -> str:
    return "UP" if fault is None else "DOWN"
