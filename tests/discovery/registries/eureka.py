"""Eureka's REST interface: the whole registry, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import eureka
from api_gateway_service_mesh.model import Registry, RegistryType

from .http import HttpStandIn, each_value_wrong
from .stand_in import Place

__all__ = ["EurekaStandIn"]


class EurekaStandIn(HttpStandIn):
    """See `StandIn`."""

    turtle = (
        '@lookup@ agw:discoveryName "users" . @registry@ agw:registryType "eureka" ; '
        'agw:registryAddress "@address@/eureka" ; agw:fetchInterval "PT0.2S"^^xsd:dayTimeDuration .'
    )

    def __init__(self) -> None:
        super().__init__()
        self._left: dict[Place, None] = {}
        self._had: tuple[Place, ...] = ()

    def registry(self) -> Registry:
        return Registry("urn:x:registry", RegistryType.EUREKA, f"{self.address}/eureka", interval_seconds=0.1)

    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        super().impatient(patch)
        patch.setattr(eureka, "_TIMEOUT_SECONDS", 1.0)

    def has(self, version: int, places: tuple[Place, ...]) -> None:
        for place in self._had:
            self._left[place] = None
        for place in places:
            self._left.pop(place, None)
        self._had = places

    async def truth(self, request: web.Request) -> web.StreamResponse | None:
        told = [_instance(place) for place in self.places]
        if request.path.endswith("/delta"):
            told = [one | {"actionType": "ADDED"} for one in told]
            told += [_instance(place) | {"actionType": "DELETED"} for place in self._left]
        return self.said(_applications(told, len(self.places)))

    def mutations(self) -> Sequence[Any]:
        one = _instance(("10.0.0.1", 8000)) | {
            "securePort": {"$": 8443, "@enabled": "false"},
            "metadata": {"zone": "a"},
            "dataCenterInfo": {"name": "Amazon", "metadata": {"availability-zone": "eu-1"}},
        }
        return tuple(each_value_wrong(_applications([one, _instance(("10.0.0.2", 8000))], 2)))


def _applications(told: list[dict[str, Any]], up: int) -> dict[str, Any]:
    counts = f"UP_{up}_" if up else ""
    return {"applications": {"apps__hashcode": counts, "application": [{"name": "USERS", "instance": told}]}}


def _instance(place: Place) -> dict[str, Any]:
    address, port = place
    return {
        "instanceId": f"{address}:{port}",
        "hostName": address,
        "ipAddr": address,
        "status": "UP",
        "port": {"$": port, "@enabled": "true"},
    }
