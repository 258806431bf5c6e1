"""Routes that a Kubernetes cluster states: Gateway API objects, and Services with an annotation.

They are listed and watched, translated as ``agw import gateway-api`` does, and kept in a Turtle file of their own that
is served beside the others: what changes there is judged, swapped and remembered like any edit. Before the file is
touched the whole configuration is built with it. An object that would have it refused is left out, or stays as it was,
and is told of; the routes before stay in force. A cluster that does not answer changes nothing, and neither does a
restart without one: the file is there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.discovery import SourceError
from api_gateway_service_mesh.discovery.asking import base_url
from api_gateway_service_mesh.discovery.kubernetes import reached
from api_gateway_service_mesh.discovery.kubernetes_watch import WAIT_SECONDS, KubernetesWatch, kubernetes_session
from api_gateway_service_mesh.errors import AgwError, ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.document import read_document, text_document
from api_gateway_service_mesh.importers import NOT_IMPORTED, Imported, Joined, import_texts
from api_gateway_service_mesh.model import Registry
from api_gateway_service_mesh.security.issued import write_whole
from api_gateway_service_mesh.vocabulary import AGW, RDF_TYPE

from .build import build
from .cluster_objects import RESOURCES, Key, wanted

__all__ = ["BASE", "ClusterRoutes", "RouteSourceStanding", "RouteSourceState"]

BASE = "urn:agw:cluster:"
"""What the IRIs of what is taken over begin with."""
_QUIET_SECONDS = 0.1
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_AGAIN_SECONDS = 10.0
_MOST_TRIALS = 50
_log = logging.getLogger("agw.discovery")


class RouteSourceState(StrEnum):
    """``agw:routeSourceState``."""

    WAITING = "WAITING"
    CURRENT = "CURRENT"
    STALE = "STALE"


@dataclass
class RouteSourceStanding:
    """What came of it. ``refused``: objects that are not served as they are stated, and why; ``taken``: how many are.
    ``fault``: why there is no answer, since ``stale_since``."""

    state: RouteSourceState = RouteSourceState.WAITING
    taken: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    stale_since: datetime | None = None


class ClusterRoutes:
    """See the module. Lives on one event loop.

    Args:
        registry: the cluster.
        namespace: whose objects count; None: those of all.
        gateway_class: of Gateways that count, with the HTTPRoutes that hang on them.
        file: what is written; one of those that are served.
        others: the others that are served.
        gateway: which ``agw:ApiGateway`` of theirs is meant, where they have several.
    """

    def __init__(
        self,
        registry: Registry,
        namespace: str | None,
        gateway_class: str,
        file: Path,
        others: tuple[Path, ...],
        gateway: str | None = None,
    ) -> None:
        self.standing = RouteSourceStanding()
        self.registry = registry
        self._namespace = namespace
        self._class = gateway_class
        self._file = file
        self._others = others
        self._gateway = gateway
        self._good: dict[Key, dict[str, Any]] = {}
        self._heard = asyncio.Event()

    def prepare(self) -> None:
        """See that the file is there.

        Raises:
            OSError: it cannot be written.
            ConfigError: the other files are wrong.
        """
        if not self._file.exists():
            write_whole(self._file, self._imported({}, self.registry).turtle.encode(), 0o644)
        with suppress(OSError, ValueError, TypeError):
            self._good = {
                (kind, space, name): told for kind, space, name, told in json.loads(self._objects.read_text())
            }

    @property
    def _objects(self) -> Path:
        """What was taken last, object by object: a restart tells one that has become wrong from one that is new."""
        return self._file.with_name(self._file.name + ".objects.json")

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow the cluster; `changed` is called when the file has. Never ends by itself."""
        pause = _PAUSE_SECONDS
        while True:
            try:
                await self._follow(changed)
            except (SourceError, OSError, TimeoutError, aiohttp.ClientError) as error:
                reason = str(error) or type(error).__name__
            except Exception as error:
                _log.exception("routes of the cluster cannot be followed")
                reason = type(error).__name__
            standing = self.standing
            if standing.stale_since is None:
                _log.warning("routes of the cluster are not told of: %s", reason)
                standing.stale_since, pause = datetime.now(UTC), _PAUSE_SECONDS
            standing.fault = reason
            if standing.state is not RouteSourceState.WAITING:
                standing.state = RouteSourceState.STALE
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _follow(self, changed: Callable[[], None]) -> None:
        registry = await asyncio.to_thread(reached, self.registry)
        base = base_url(registry, "https")
        below = f"/namespaces/{quote(self._namespace, safe='')}" if self._namespace is not None else ""
        watches = {
            kind: KubernetesWatch(registry, f"{base}/{api}{below}/{plural}", _plain, query={}, wait=WAIT_SECONDS)
            for kind, (api, plural) in RESOURCES.items()
        }
        listed: set[str] = set()
        async with await kubernetes_session(registry, WAIT_SECONDS) as session:
            tasks = [asyncio.create_task(self._watch(*each, session, listed)) for each in watches.items()]
            tasks.append(asyncio.create_task(self._takes(watches, listed, registry, changed)))
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _takes(
        self,
        watches: Mapping[str, KubernetesWatch[dict[str, Any]]],
        listed: set[str],
        registry: Registry,
        changed: Callable[[], None],
    ) -> None:
        """Take what there is, whenever something has changed and all kinds were listed."""
        seen: object = None
        while True:
            try:
                async with asyncio.timeout(_AGAIN_SECONDS if self.standing.refused else None):
                    await self._heard.wait()
            except TimeoutError:
                seen = None  # it may have been another file that was wrong
            await asyncio.sleep(_QUIET_SECONDS)  # what comes together is taken in together
            self._heard.clear()
            if len(listed) < len(watches):
                continue
            self.standing.fault = self.standing.stale_since = None
            self.standing.state = RouteSourceState.CURRENT
            objects = wanted({kind: watch.objects for kind, watch in watches.items()}, self._class)
            if objects != seen:
                await asyncio.to_thread(self._take, objects, registry, changed)
                seen = objects

    async def _watch(
        self, kind: str, watch: KubernetesWatch[dict[str, Any]], session: aiohttp.ClientSession, listed: set[str]
    ) -> None:
        try:
            async with aclosing(watch.changes(session)) as changes:
                async for _ in changes:
                    listed.add(kind)
                    self._heard.set()
        except (SourceError, OSError, TimeoutError, aiohttp.ClientError) as error:
            raise SourceError(f"{kind}: {str(error) or type(error).__name__}") from error

    def _take(self, objects: dict[Key, dict[str, Any]], registry: Registry, changed: Callable[[], None]) -> None:
        """Write what `objects` say, but for those that would have the configuration refused. Runs in a thread."""
        kept = {key: told for key, told in self._good.items() if key in objects}
        refused: dict[str, str] = {}
        if (reason := self._refusal(objects, registry)) is None:
            kept = objects
        else:
            new = [key for key in objects if kept.get(key) != objects[key]]
            if len(new) > _MOST_TRIALS:
                refused = {_called(key): reason for key in new}
                new = []
            for key in new:
                tried = kept | {key: objects[key]}
                trial = {each: tried[each] for each in objects if each in tried}
                if (reason := self._refusal(trial, registry)) is None:
                    kept = trial
                else:
                    refused[_called(key)] = reason
        for called, reason in refused.items():
            if self.standing.refused.get(called) != reason:
                _log.error("%s of the cluster is refused, what was served before still is: %s", called, reason)
        self._good = kept
        self.standing.taken, self.standing.refused = len(kept), refused
        write_whole(self._objects, json.dumps([[*key, told] for key, told in kept.items()]).encode(), 0o644)
        text = self._imported(kept, registry).turtle
        if text != self._file.read_text("utf-8"):
            write_whole(self._file, text.encode(), 0o644)
            changed()

    def _refusal(self, objects: Mapping[Key, dict[str, Any]], registry: Registry) -> str | None:
        """Why `objects` cannot be served as they are stated beside the other files; None: they can."""
        try:
            imported = self._imported(objects, registry)
            lost = [finding for finding in imported.report.findings if finding.code == NOT_IMPORTED]
            if lost:
                return _said(lost)
            documents = [read_document(file) for file in self._others]
            made = text_document(imported.turtle, self._file.name, self._file.resolve().parent)
            build(SourceGraph.of_documents([*documents, made]), self._gateway)
        except ConfigError as error:
            return _said(error.report.violations) or error.message
        except AgwError as error:
            return error.message
        return None

    def _imported(self, objects: Mapping[Key, dict[str, Any]], registry: Registry) -> Imported:
        text = json.dumps({"kind": "List", "apiVersion": "v1", "items": list(objects.values())})
        joined = Joined(self._gateway or self._only_gateway(), registry)
        return import_texts("gateway-api", {"the cluster": text}, base=BASE, joined=joined)

    def _only_gateway(self) -> str:
        """The gateway of the other files, else one of the cluster's own."""
        rows = SourceGraph.load(list(self._others)).rows if self._others else ()
        found = [row[0].value for row in rows if row[1].value == RDF_TYPE and str(row[2]) == f"<{AGW.ApiGateway}>"]
        return found[0] if found else f"{BASE}gateway"


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """What of an object somebody stated."""
    meta = told["metadata"]
    stated = {name: meta[name] for name in ("name", "namespace", "annotations", "creationTimestamp") if name in meta}
    return {"metadata": stated, "spec": told.get("spec") or {}}


def _said(findings: Iterable[Finding]) -> str:
    return "; ".join(finding.message for finding in list(findings)[:3])


def _called(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}"
