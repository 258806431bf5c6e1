"""Instances from Kubernetes: the EndpointSlices of a service, listed and then watched (``discovery.k8s.io/v1``).

- An endpoint that is ready is used. Where none is, those that still serve while they terminate are, as kube-proxy does.
- Of a service with both families the IPv4 addresses are used; of an endpoint with several addresses the first.
- The port is the one of the name asked for, else the only TCP port, else the one named ``http``.
- The zone is the endpoint's. Where all have hints, it is the zone that they are meant for.
- Without an address: the cluster that agw runs in, with the token and the authorities of its service account. They are
  sent nowhere else. The token is read anew for every question: it changes every hour.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api_gateway_service_mesh.model import Discovery, Registry

from . import kubernetes_watch
from .asking import base_url
from .kubernetes_watch import KubernetesWatch, kubernetes_session
from .source import Instance, Instances, SourceError

__all__ = ["KubernetesSource", "reached"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds who it is."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    one: Instance
    hinted: str
    ready: bool
    leaving: bool
    """It terminates, and still serves."""


@dataclass(frozen=True, slots=True)
class _Slice:
    family: str
    endpoints: tuple[_Endpoint, ...]


class KubernetesSource:
    """Follows one service."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        self._wait = int(min(kubernetes_watch.WAIT_SECONDS, max(1.0, discovery.empty_after_seconds)))

    async def watch(self) -> AsyncIterator[Instances]:
        """Answers, as soon as something has changed, or after half a minute.

        Raises:
            SourceError, OSError, TimeoutError: Kubernetes does not answer, or refuses.
        """
        name = self._discovery.name
        registry, namespace = await asyncio.to_thread(_place, self._discovery)
        base = base_url(registry, "https")
        url = f"{base}/apis/discovery.k8s.io/v1/namespaces/{quote(namespace, safe='')}/endpointslices"
        selector = ",".join((f"kubernetes.io/service-name={name}", *self._discovery.tags))
        slices = KubernetesWatch(registry, url, self._slice, query={"labelSelector": selector}, wait=self._wait)
        async with (
            await kubernetes_session(registry, self._wait) as session,
            aclosing(slices.changes(session)) as changes,
        ):
            async for _ in changes:
                yield Instances(name, _found(slices.objects.values()), slices.version, datetime.now(UTC))

    def _slice(self, told: dict[str, Any]) -> _Slice:
        port = self._port(told.get("ports"))
        labels = tuple(
            sorted(
                f"{key}={value}"
                for key, value in (told["metadata"].get("labels") or {}).items()
                if "kubernetes.io/" not in key
            )
        )
        endpoints = told.get("endpoints") or () if port else ()
        return _Slice(str(told["addressType"]), tuple(_endpoint(one, port, labels) for one in endpoints))

    def _port(self, ports: list[dict[str, Any]] | None) -> int:
        """The port that is spoken to, or 0."""
        wanted = self._discovery.port_name
        if ports is None:
            return self._discovery.port or 0  # any
        usable = {
            str(one.get("name") or ""): int(one["port"])
            for one in ports
            if one.get("port") and one.get("protocol", "TCP") == "TCP"
        }
        if wanted is not None:
            return usable.get(wanted, 0)
        if len(usable) > 1 and "http" not in usable:
            names = ", ".join(sorted(usable))
            raise SourceError(f"{self._discovery.name} has several ports ({names}): say which by agw:instancePortName")
        return usable.get("http") or next(iter(usable.values()), 0)


def _found(slices: Iterable[_Slice]) -> tuple[Instance, ...]:
    used: list[_Endpoint] = []
    for families in (("IPv4", "FQDN"), ("IPv6",)):
        known = [one for each in slices if each.family in families for one in each.endpoints]
        used = [one for one in known if one.ready] or [one for one in known if one.leaving]
        if used:
            break
    if all(one.hinted for one in used):
        return tuple(replace(one.one, zone=one.hinted) for one in used)
    return tuple(one.one for one in used)


def _endpoint(told: dict[str, Any], port: int, labels: tuple[str, ...]) -> _Endpoint:
    conditions = told.get("conditions") or {}
    ready = conditions.get("ready") is not False  # what is not known counts as ready
    serving = conditions.get("serving")
    zone = str(told.get("zone") or "")
    hints = [str(each["name"]) for each in (told.get("hints") or {}).get("forZones") or ()]
    return _Endpoint(
        Instance(str(told["addresses"][0]), port, zone=zone, labels=labels),
        zone if zone in hints else next(iter(hints), ""),
        ready,
        bool(conditions.get("terminating")) and (ready if serving is None else bool(serving)),
    )


def _place(discovery: Discovery) -> tuple[Registry, str]:
    """Who is asked, and about which namespace."""
    registry, namespace = reached(discovery.registry), discovery.namespace
    if discovery.registry.address is not None or namespace is not None:
        return registry, namespace or "default"
    try:
        return registry, (ACCOUNT / "namespace").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the namespace of this pod is not known: {type(error).__name__}") from error


def reached(registry: Registry) -> Registry:
    """`registry`, where it says no address as the cluster that agw runs in, with agw's service account.

    Raises:
        SourceError: agw runs in none.
    """
    if registry.address is not None:
        return registry
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SourceError(
            "agw runs in no cluster (KUBERNETES_SERVICE_HOST is not set); outside one, state agw:registryAddress"
        )
    return replace(
        registry,
        address=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        token_ref=registry.token_ref or f"file:{ACCOUNT / 'token'}",
        trust_file=registry.trust_file or str(ACCOUNT / "ca.crt"),
    )
