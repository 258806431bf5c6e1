"""Consul's health interface, with its blocking queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import consul
from api_gateway_service_mesh.model import Registry, RegistryType

from .http import HttpStandIn, each_value_wrong

__all__ = ["ConsulStandIn"]


class ConsulStandIn(HttpStandIn):
    """See `StandIn`."""

    turtle = (
        '@lookup@ agw:discoveryName "users" . @registry@ agw:registryType "consul" ; agw:registryAddress "@address@" .'
    )

    def registry(self) -> Registry:
        return Registry("urn:x:registry", RegistryType.CONSUL, self.address)

    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        super().impatient(patch)
        patch.setattr(consul, "_WAIT_SECONDS", 1)
        patch.setattr(consul, "_GRACE_SECONDS", 1.0)

    async def truth(self, request: web.Request) -> web.StreamResponse | None:
        if request.query.get("index") == str(self.version):
            await self.stirred(self.version, float(request.query["wait"].rstrip("s")))
            if self.troubled:
                return None
        return self.said([_entry(*place) for place in self.places], {"X-Consul-Index": str(self.version)})

    def mutations(self) -> Sequence[Any]:
        return tuple(each_value_wrong([_entry("10.0.0.1", 8000), _whole("10.0.0.2", 8000)]))


def _entry(address: str, port: int) -> dict[str, Any]:
    return {"Node": {"Address": "10.9.9.9"}, "Service": {"Address": address, "Port": port}, "Checks": []}


def _whole(address: str, port: int) -> dict[str, Any]:
    entry = _entry(address, port)
    entry["Service"] |= {
        "Tags": ["v1"],
        "Meta": {"zone": "a"},
        "Weights": {"Passing": 5, "Warning": 1},
        "Locality": {"Region": "eu", "Zone": "eu-1"},
    }
    return entry
