"""The gateway as it was: the build of any revision (or moment), and SPARQL over it.

A past revision is built again from its triples, with the date it went live on, so that an exemption that has ended
since does not stand in the way; the latest few stay at hand. Queries about the past have a process of their own for as
long as they take, so that those about the present never wait for them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ClientError, ConfigError, Origin
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, PREFIXES

from .build import Build, build
from .history import History, Revision
from .options import ServeOptions
from .sparql.dataset import DEFAULT_GRAPHS, dataset_quads
from .sparql.service import Answer, Dataset, SparqlLimits, SparqlService

__all__ = ["AsOf", "PastQueries", "PastRefused", "refuse_past", "wanted_revision"]

_KEPT = 4
_QUERIES = 2


class PastRefused(AgwError):
    """A revision that was served once cannot be built any more (a file that it names is gone, say)."""

    origin = Origin.CONFIG
    status = 409
    problem = "past-refused"


def wanted_revision(text: str) -> int | datetime:
    """A revision as callers name it: its number, or a moment in ISO 8601 (of the gateway's zone where it names none).

    Raises:
        ClientError: it is neither.
    """
    if text.isascii() and text.isdigit() and len(text) < 12:
        return int(text)
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ClientError(f"{text[:60]!r} is neither a revision's number nor a moment (2026-01-31T12:00:00Z)") from None


class AsOf:
    """See the module."""

    def __init__(self, history: History, options: ServeOptions) -> None:
        self._history = history
        self._options = options
        self._builds: OrderedDict[str, Build] = OrderedDict()
        self._building = asyncio.Lock()
        self._asking = asyncio.Semaphore(_QUERIES)

    async def build(self, wanted: int | datetime, present: Build | None = None) -> tuple[Revision, Build]:
        """A revision and its build. `present`: the build in force.

        Raises:
            UnknownRevision: there was none, or what it was is not kept any more.
            PastRefused: it cannot be built any more.
        """
        revision = self._history.revision(wanted)
        if present is not None and revision.digest == present.source.digest:
            return revision, present
        key = revision.digest or str(revision.number)
        async with self._building:
            made = self._builds.get(key)
            if made is None:
                source = await asyncio.to_thread(self._history.graph_at, revision.number or 0)
                made = await asyncio.to_thread(self._built, revision, source, present)
                self._builds[key] = made
            self._builds.move_to_end(key)
            while len(self._builds) > _KEPT:
                self._builds.popitem(last=False)
        return revision, made

    def _built(self, revision: Revision, source: SourceGraph, present: Build | None) -> Build:
        try:
            return build(source, self._options.gateway, previous=present, today=revision.at.date())
        except ConfigError as error:
            said = "; ".join(finding.message for finding in error.report.violations[:3])
            raise PastRefused(f"revision {revision.number} cannot be built any more: {said}") from None

    def queries(self, made: Build) -> PastQueries:
        """What answers queries over a past build."""
        return PastQueries(made, replace(self._options.sparql, children=1), self._asking)


class PastQueries:
    """Answers queries over a past build, whose runtime graph is empty."""

    def __init__(self, made: Build, limits: SparqlLimits, turns: asyncio.Semaphore) -> None:
        self._made = made
        self._limits = limits
        self._turns = turns

    async def query(
        self,
        text: str,
        formats: Mapping[str, str | None],
        *,
        default_graphs: Sequence[str] | None = None,
        named_graphs: Sequence[str] = (),
        base: str | None = None,
    ) -> Answer:
        """As `SparqlService.query`."""
        prefixes = {**PREFIXES, **self._made.source.prefixes}
        made = self._made.validated
        async with self._turns:
            service = SparqlService(self._limits)
            try:
                await service.start()
                service.use(Dataset(1, lambda: dataset_quads(made), DEFAULT_GRAPHS, GRAPH_RUNTIME, prefixes), bytes)
                return await service.query(
                    text, formats, default_graphs=default_graphs, named_graphs=named_graphs, base=base
                )
            finally:
                await service.stop()


async def refuse_past(text: str, using: Sequence[str] | None, named: Sequence[str] | None) -> web.Response:
    """The answer to an update of a revision.

    Raises:
        ClientError: always.
    """
    raise ClientError("the past is only read", remedy="send the update without revision=, or roll back")
