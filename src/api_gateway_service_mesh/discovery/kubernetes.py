"""Instances from Kubernetes: the EndpointSlices of a service, listed and then watched (``discovery.k8s.io/v1``).

- A list, then a watch from its resourceVersion with bookmarks; where the server has forgotten that version (410) the
  list is fetched anew. A watch ends after half a minute and is begun again where it ended.
- An endpoint that is ready is used. Where none is, those that still serve while they terminate are, as kube-proxy does.
- Of a service with both families the IPv4 addresses are used; of an endpoint with several addresses the first.
- The port is the one of the name asked for, else the only TCP port, else the one named ``http``.
- The zone is the endpoint's. Where all have hints, it is the zone that they are meant for.
- Without an address: the cluster that agw runs in, with the token and the authorities of its service account. They are
  sent nowhere else. The token is read anew for every question: it changes every hour.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.model import Discovery, Registry

from .asking import NONSENSE, base_url, excerpt, limited, quoted, secured, token
from .source import Instance, Instances, SourceError

__all__ = ["KubernetesSource"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds who it is."""
_WAIT_SECONDS = 30
_GRACE_SECONDS = 10.0
_BETWEEN_SECONDS = 0.1
_PAGE = 500
_MOST_PAGES = 200
_MOST_EVENT_BYTES = 8 * 1024 * 1024
"""etcd holds no object of more than 1.5 MiB."""
_HINTS = {
    401: " (whoever asks is not known to it)",
    403: " (whoever asks may not list and watch endpointslices in this namespace)",
    404: " (it knows no discovery.k8s.io/v1 at this address)",
}


class _Gone(Exception):
    """The server does not remember the version asked for."""


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
        self._wait = int(min(_WAIT_SECONDS, max(1.0, discovery.empty_after_seconds)))
        self._slices: dict[str, _Slice] = {}
        self._version = ""
        self._registry = discovery.registry
        self._base = ""

    async def watch(self) -> AsyncIterator[Instances]:
        """Answers, as soon as something has changed, or after `_WAIT_SECONDS`.

        Raises:
            SourceError, OSError, TimeoutError: Kubernetes does not answer, or refuses.
        """
        self._registry, namespace = await asyncio.to_thread(_place, self._discovery)
        base = base_url(self._registry, "https")
        self._base = f"{base}/apis/discovery.k8s.io/v1/namespaces/{quote(namespace, safe='')}/endpointslices"
        loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(total=self._wait + _GRACE_SECONDS, connect=_GRACE_SECONDS)
        connector = aiohttp.TCPConnector(ssl=await secured(self._registry))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=2**18) as session:
            forgotten = 0
            while True:
                try:
                    await self._list(session)
                    yield self._told()
                    while True:
                        began = loop.time()
                        async with aclosing(self._changes(session)) as changes:
                            async for _ in changes:
                                forgotten = 0
                                yield self._told()
                                # What comes meanwhile is taken in together.
                                await asyncio.sleep(_BETWEEN_SECONDS)
                        yield self._told()
                        await asyncio.sleep(max(0.0, _BETWEEN_SECONDS - (loop.time() - began)))
                except _Gone as gone:
                    forgotten += 1
                    if forgotten > 1:
                        raise SourceError("Kubernetes forgets at once what it has listed") from gone

    def _told(self) -> Instances:
        return Instances(self._discovery.name, self._found(), self._version, datetime.now(UTC))

    def _query(self, **more: str) -> dict[str, str]:
        selector = ",".join((f"kubernetes.io/service-name={self._discovery.name}", *self._discovery.tags))
        return {"labelSelector": selector, **more}

    def _headers(self) -> dict[str, str]:
        known = token(self._registry)
        headers = {"Accept": "application/json"}
        return headers if known is None else {**headers, "Authorization": f"Bearer {known}"}

    async def _list(self, session: aiohttp.ClientSession) -> None:
        found: dict[str, _Slice] = {}
        further = ""
        for _ in range(_MOST_PAGES):
            query = self._query(limit=str(_PAGE), **({"continue": further} if further else {}))
            try:
                async with session.get(
                    self._base, params=query, headers=self._headers(), allow_redirects=False
                ) as answer:
                    if answer.status != 200:
                        raise await self._refusal(answer)
                    body = await limited(answer)
                page, version, further = await asyncio.to_thread(self._read_list, body)
            except aiohttp.ClientError as error:
                raise self._failure(error) from error
            except NONSENSE as error:
                raise self._nonsense(error) from error
            found.update(page)
            if not further:
                self._slices, self._version = found, version
                return
        raise SourceError(f"the list of Kubernetes does not end within {_MOST_PAGES} pages")

    def _read_list(self, body: bytes) -> tuple[dict[str, _Slice], str, str]:
        told = json.loads(body)
        page = {str(one["metadata"]["name"]): self._slice(one) for one in told["items"] or ()}
        return page, str(told["metadata"]["resourceVersion"]), str(told["metadata"].get("continue") or "")

    async def _changes(self, session: aiohttp.ClientSession) -> AsyncGenerator[None]:
        """One watch: something each time when something has changed; it ends when the watch does."""
        query = self._query(
            watch="1", resourceVersion=self._version, allowWatchBookmarks="true", timeoutSeconds=str(self._wait)
        )
        try:
            async with session.get(self._base, params=query, headers=self._headers(), allow_redirects=False) as answer:
                if answer.status != 200:
                    raise await self._refusal(answer)
                rest = bytearray()
                async for part in answer.content.iter_any():
                    begun, newline, after = part.rpartition(b"\n")
                    lines = bytes(rest + begun).split(b"\n") if newline else []
                    if newline:
                        rest.clear()
                    rest += after
                    if len(rest) > _MOST_EVENT_BYTES:
                        raise SourceError(f"an event is longer than {_MOST_EVENT_BYTES} bytes")
                    if sum([self._take(line) for line in lines if line.strip()]):
                        yield
                if rest.strip():
                    raise ValueError("an event is cut off")  # or it was no event at all
        except aiohttp.ClientError as error:
            raise self._failure(error) from error
        except NONSENSE as error:
            raise self._nonsense(error) from error

    def _take(self, line: bytes) -> bool:
        """Take in an event; whether it may have changed anything."""
        event = json.loads(line)
        kind, what = event["type"], event["object"]
        if kind == "ERROR":
            raise self._error(int(what.get("code") or 500), str(what.get("message") or what.get("reason") or ""))
        self._version = str(what["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            return False
        name = str(what["metadata"]["name"])
        if kind == "DELETED":
            self._slices.pop(name, None)
        else:
            self._slices[name] = self._slice(what)
        return True

    async def _refusal(self, answer: aiohttp.ClientResponse) -> Exception:
        return self._error(answer.status, await excerpt(answer))

    def _error(self, status: int, said: str) -> Exception:
        """What an answer that is none says, in words that repeat no token."""
        if status == 410:
            return _Gone()
        hint = _HINTS.get(status, "")
        return SourceError(f"Kubernetes answers {status}{hint}{quoted(self._registry, said[:500])}")

    def _failure(self, error: aiohttp.ClientError) -> SourceError:
        known = isinstance(error, aiohttp.ClientConnectorError)
        what = f": {error}" if known else quoted(self._registry, error)
        return SourceError(f"{type(error).__name__}{what}")

    def _nonsense(self, error: Exception) -> SourceError:
        return SourceError(f"this is no answer of Kubernetes: {type(error).__name__}{quoted(self._registry, error)}")

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

    def _found(self) -> tuple[Instance, ...]:
        slices = self._slices.values()
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
    registry, namespace = discovery.registry, discovery.namespace
    if registry.address is not None:
        return registry, namespace or "default"
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SourceError(
            "agw runs in no cluster (KUBERNETES_SERVICE_HOST is not set); outside one, state agw:registryAddress"
        )
    address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    if namespace is None:
        try:
            namespace = (ACCOUNT / "namespace").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"the namespace of this pod is not known: {type(error).__name__}") from error
    return replace(
        registry,
        address=address,
        token_ref=registry.token_ref or f"file:{ACCOUNT / 'token'}",
        trust_file=registry.trust_file or str(ACCOUNT / "ca.crt"),
    ), namespace
