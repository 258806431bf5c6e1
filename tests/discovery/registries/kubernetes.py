"""The API server of Kubernetes, of which there are EndpointSlices alone: lists in pages, and watches."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import kubernetes_watch
from api_gateway_service_mesh.model import Registry, RegistryType

from .http import HttpStandIn, each_value_wrong
from .stand_in import Place

__all__ = ["KubernetesStandIn"]

_SLICE = 1000


class KubernetesStandIn(HttpStandIn):
    """See `StandIn`."""

    turtle = (
        '@lookup@ agw:discoveryName "users" . '
        '@registry@ agw:registryType "kubernetes" ; agw:registryAddress "@address@" .'
    )

    def __init__(self) -> None:
        super().__init__()
        self._had: dict[int, dict[str, dict[str, Any]]] = {1: {}}

    def registry(self) -> Registry:
        return Registry("urn:x:registry", RegistryType.KUBERNETES, self.address)

    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        super().impatient(patch)
        patch.setattr(kubernetes_watch, "WAIT_SECONDS", 1)
        patch.setattr(kubernetes_watch, "_GRACE_SECONDS", 1.0)
        patch.setattr(kubernetes_watch, "_MOST_PAGES", 5)

    def has(self, version: int, places: tuple[Place, ...]) -> None:
        self._had[version] = _slices(places)

    async def truth(self, request: web.Request) -> web.StreamResponse | None:
        if "watch" not in request.query:
            items = list(self._had[self.version].values())
            return self.said({"metadata": {"resourceVersion": str(self.version)}, "items": items})
        version = int(request.query["resourceVersion"])
        if version not in self._had:
            return web.json_response({"code": 410}, status=410)
        answer: web.StreamResponse | None = None
        while True:
            stirred = await self.stirred(version, float(request.query["timeoutSeconds"]))
            if self.troubled and answer is None:
                return None
            if answer is None:
                answer = web.StreamResponse()
                await answer.prepare(request)
            if self.troubled or not stirred:
                return answer
            for event in _events(self._had[version], self._had[self.version], self.version):
                await answer.write(json.dumps(event).encode() + b"\n")
            version = self.version

    def mutations(self) -> Sequence[Any]:
        (one,) = _slices((("10.0.0.1", 8000),)).values()
        one["endpoints"][0] |= {"zone": "a", "hints": {"forZones": [{"name": "a"}]}, "targetRef": {"name": "x"}}
        told = {"metadata": {"resourceVersion": "1", "continue": ""}, "items": [one]}
        return tuple(each_value_wrong(told))


def _slices(places: Sequence[Place]) -> dict[str, dict[str, Any]]:
    by_port: dict[int, list[str]] = defaultdict(list)
    for address, port in places:
        by_port[port].append(address)
    made: dict[str, dict[str, Any]] = {}
    for port, addresses in by_port.items():
        for start in range(0, len(addresses), _SLICE):
            name = f"users-{port}-{start}"
            made[name] = {
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "users", "version": "v1"}},
                "addressType": "IPv4",
                "ports": [{"name": "", "port": port, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": True, "serving": True, "terminating": False}}
                    for address in addresses[start : start + _SLICE]
                ],
            }
    return made


def _events(
    before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]], version: int
) -> Sequence[dict[str, Any]]:
    changed = [("MODIFIED" if name in before else "ADDED", one) for name, one in now.items() if before.get(name) != one]
    gone = [("DELETED", one) for name, one in before.items() if name not in now]
    return [
        {"type": kind, "object": {**one, "metadata": {**one["metadata"], "resourceVersion": str(version)}}}
        for kind, one in (*changed, *gone)
    ]
