"""The gateway's entry in Consul: a service of the agent, with a check that lives on heartbeats.

The check's time to live is three heartbeats; a heartbeat says passing, or critical and why. What stays critical for
`_GONE` is taken out by the agent itself. Sources: Consul's "Service - Agent HTTP API" and "Check - Agent HTTP API".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.model import Registry

from .asking import base_url, excerpt, quoted, secured, token
from .registration import Entry
from .source import SourceError

__all__ = ["ConsulRegistrar"]

_GONE = "10m"


class ConsulRegistrar:
    """Speaks to one agent."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def register(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> None:
        """See `Registrar`."""
        body = {
            "ID": entry.id,
            "Name": entry.name,
            "Address": entry.address,
            "Port": entry.port,
            "Tags": list(entry.tags),
            "Meta": {"gateway": "agw", "scheme": "https" if entry.secure else "http"},
            "Check": {
                "CheckID": f"service:{entry.id}",
                "Name": "agw is ready",
                "TTL": f"{entry.lives_seconds:g}s",
                "Status": "passing" if fault is None else "critical",
                "DeregisterCriticalServiceAfter": _GONE,
            },
        }
        if await self._put(session, "/v1/agent/service/register?replace-existing-checks=1", body) != 200:
            raise SourceError("Consul has no agent at this address")
        await self.beat(session, entry, fault)

    async def beat(self, session: aiohttp.ClientSession, entry: Entry, fault: str | None) -> bool:
        """See `Registrar`."""
        body = {"Status": "passing" if fault is None else "critical", "Output": fault or "ready"}
        path = f"/v1/agent/check/update/{quote(f'service:{entry.id}', safe='')}"
        return await self._put(session, path, body) == 200

    async def withdraw(self, session: aiohttp.ClientSession, entry: Entry) -> None:
        """See `Registrar`."""
        await self._put(session, f"/v1/agent/service/deregister/{quote(entry.id, safe='')}", None)

    async def _put(self, session: aiohttp.ClientSession, path: str, body: Any) -> int:
        """200, or 404 where there is no such thing."""
        registry = self._registry
        known = token(registry)
        headers = {} if known is None else {"X-Consul-Token": known}
        url = base_url(registry) + path
        secure = await secured(registry)
        async with session.put(url, json=body, headers=headers, allow_redirects=False, ssl=secure) as answer:
            if answer.status in (200, 404):
                return answer.status
            text = await excerpt(answer)
            if (
                answer.status == 500
                and "check" in text.lower()
                and ("unknown" in text.lower() or "not" in text.lower())
            ):
                return 404  # how Consul before 1.11 said that it knows no such check
            raise SourceError(f"Consul answers {answer.status}{quoted(registry, text)}")
