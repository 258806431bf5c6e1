"""``agw doctor`` and ``/doctor``: the diagnoses asked over a configuration, its live state and an examination.

A finding has its evidence (what the question's columns hold), the triples it hangs on with file and line, and the
remedy, in words and, where it is an edit, as the Turtle that ``agw apply`` takes.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import pyoxigraph as ox

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.graph.inheritance import Places
from api_gateway_service_mesh.graph.terms import GENID, Term, lexical, turtle
from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, PREFIXES

from .build import Build
from .diagnosis import SEVERITIES, Diagnosis, Row
from .examination import connected, counted, kept, written
from .live import Live
from .remedy import edited
from .sparql.dataset import DEFAULT_GRAPHS, dataset_quads
from .sparql.service import Dataset, SparqlLimits, SparqlService

__all__ = ["Doctor", "diagnosed", "diagnosed_files", "examined", "render_findings"]

Ask = Callable[[str], Awaitable[bytes]]
"""A query to its answer as SPARQL 1.1 Query Results JSON."""

_NAME = re.compile(r"(?:https?://|urn:)")
_BESIDE = frozenset(("severity", "remedy"))


async def examined(
    build: Build, live: Live | None, failures: Mapping[str, str], uptime: float | None, *, connect: bool
) -> bytes:
    """An examination as N-Triples. ``connect``: endpoints are tried."""
    facts = await asyncio.to_thread(lambda: list(kept(build.mesh, build.table, uptime)))
    if live is not None:
        facts += await asyncio.to_thread(lambda: list(counted(live, failures)))
    if connect:
        facts += await connected(build.mesh)
    return written(facts)


async def diagnosed(ask: Ask, asked: Sequence[Diagnosis], build: Build) -> dict[str, Any]:
    """What the diagnoses find, as plain data, the worst first."""
    found: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for diagnosis in asked:
        try:
            rows = json.loads(await ask(diagnosis.text))["results"]["bindings"]
        except AgwError as error:
            failed.append({"diagnosis": diagnosis.name, "why": error.message})
            continue
        found += await asyncio.to_thread(lambda: [_finding(diagnosis, row, build) for row in rows])  # noqa: B023
    found.sort(key=lambda each: (SEVERITIES.index(each["severity"]), each["diagnosis"]))
    return {"asked": [diagnosis.name for diagnosis in asked], "failed": failed, "findings": found}


async def diagnosed_files(build: Build, asked: Sequence[Diagnosis], *, connect: bool) -> dict[str, Any]:
    """`diagnosed` of a configuration that nobody serves: what its files, and (``connect``) its endpoints tell."""
    facts = await examined(build, None, {}, None, connect=connect)
    service = SparqlService(SparqlLimits(children=1))
    prefixes = {**PREFIXES, **build.source.prefixes}

    try:
        await service.start()
        dataset = Dataset(1, lambda: dataset_quads(build.validated), DEFAULT_GRAPHS, GRAPH_RUNTIME, prefixes)
        service.use(dataset, lambda: facts)
        return await diagnosed(_asking(service), asked, build)
    finally:
        await service.stop()


def _asking(service: SparqlService) -> Ask:
    async def ask(text: str) -> bytes:
        return (await service.query(text, {"solutions": "json", "boolean": None, "graph": None})).body

    return ask


class Doctor:
    """The doctor of a running gateway. One examination at a time; who asks within two seconds of one gets that one."""

    _FRESH_SECONDS = 2.0

    def __init__(self, service: SparqlService, failures: Mapping[str, str]) -> None:
        self._service = service
        self._failures = failures
        self._started = time.monotonic()
        self._busy = asyncio.Lock()
        self._examined: tuple[int, bool, float, bytes] = (-1, False, 0.0, b"")

    def facts(self, revision: int) -> bytes:
        """What the last examination of this revision found, for the runtime graph."""
        return self._examined[3] if self._examined[0] == revision else b""

    async def asked(self, asked: Sequence[Diagnosis], build: Build, live: Live, *, connect: bool) -> dict[str, Any]:
        """Examine, and ask `asked` over it."""
        async with self._busy:
            revision, connected_then, at, _ = self._examined
            fresh = revision == live.revision and time.monotonic() - at < self._FRESH_SECONDS
            if not fresh or (connect and not connected_then):
                facts = await examined(build, live, self._failures, time.monotonic() - self._started, connect=connect)
                self._examined = (live.revision, connect, time.monotonic(), facts)
            self._service.refresh()
            return {"revision": live.revision, **await diagnosed(_asking(self._service), asked, build)}


def _finding(diagnosis: Diagnosis, row: Row, build: Build) -> dict[str, Any]:
    places = Places(build.inferred)
    terms = {name: _term(bound) for name, bound in row.items()}
    said = {name: _said(term, places, build) for name, term in terms.items()}
    about = terms.get(diagnosis.about)
    stated = said.get("severity", diagnosis.severity)
    template = lexical(terms["remedy"]) if "remedy" in terms else diagnosis.remedy
    finding: dict[str, Any] = {
        "diagnosis": diagnosis.name,
        "question": diagnosis.question,
        "severity": stated if stated in SEVERITIES else "warning",
        "about": about.value if isinstance(about, ox.NamedNode) else None,
        "message": diagnosis.sentence(diagnosis.finding, said),
        "evidence": {name: lexical(term) for name, term in terms.items() if name not in _BESIDE},
        "triples": list(_cited(diagnosis, terms, build)),
        "remedy": diagnosis.sentence(template, said),
        "edit": None,
    }
    if diagnosis.edit is not None:
        subject, name, value = (terms.get(diagnosis.edit[0]), diagnosis.edit[1], terms.get(diagnosis.edit[2]))
        if isinstance(subject, ox.NamedNode) and value is not None:
            finding["edit"] = edited(build, subject, ox.NamedNode(name), value)
    return finding


def _term(bound: Mapping[str, Any]) -> Term:
    if bound["type"] == "uri":
        return ox.NamedNode(bound["value"])
    if "xml:lang" in bound:
        return ox.Literal(bound["value"], language=bound["xml:lang"])
    if "datatype" in bound:
        return ox.Literal(bound["value"], datatype=ox.NamedNode(bound["datatype"]))
    return ox.Literal(bound["value"])


def _said(term: Term, places: Places, build: Build) -> str:
    """A term in a sentence: names as the configuration writes them, values bare, what has no name by its place."""
    if not isinstance(term, ox.NamedNode):
        return lexical(term)
    if term.value.startswith(GENID):
        at = build.inferred.locate(term.value)
        return f"at {at}" if at is not None else "without a name"
    return places.short(term.value)


def _cited(diagnosis: Diagnosis, terms: Mapping[str, Term], build: Build) -> Iterator[dict[str, Any]]:
    prefixes = {**PREFIXES, **build.source.prefixes}
    seen = set()
    for variable, name in diagnosis.cites:
        subject = terms.get(variable)
        if not isinstance(subject, ox.NamedNode):
            continue
        predicate = ox.NamedNode(name)
        for value in build.inferred.index.values(subject, predicate):
            if isinstance(value, ox.Triple) or (subject, name, value) in seen:
                continue
            seen.add((subject, name, value))
            at = build.inferred.locate(subject.value, name, value)
            yield {
                "triple": f"{turtle(subject, prefixes)} {turtle(predicate, prefixes)} {turtle(value, prefixes)}",
                "at": str(at) if at is not None else None,
            }


def render_findings(found: Mapping[str, Any]) -> str:
    """`diagnosed` for people."""
    lines: list[str] = []
    for each in found["findings"]:
        lines.append(f"{each['severity']}[{each['diagnosis']}]: {each['message']}")
        # What the sentence has told, and names, are not told again.
        more = [
            f"{name} {value}"
            for name, value in each["evidence"].items()
            if value not in each["message"] and not _NAME.match(value)
        ]
        if more:
            lines.append(f"  = evidence: {', '.join(more)}")
        lines += [f"  = triple: {one['triple']}" + (f"  {one['at']}" if one["at"] else "") for one in each["triples"]]
        if each["remedy"]:
            lines.append(f"  = remedy: {each['remedy']}")
        if each["edit"]:
            lines += ["  = edit:", *(f"      {line}" for line in each["edit"].rstrip("\n").split("\n"))]
        lines.append("")
    lines += [f"error[not-asked]: {one['diagnosis']}: {one['why']}" for one in found["failed"]]
    counts = {severity: sum(each["severity"] == severity for each in found["findings"]) for severity in SEVERITIES}
    told = ", ".join(
        f"{count} {name}{'s' if count != 1 and name != 'info' else ''}" for name, count in counts.items() if count
    )
    asked = len(found["asked"])
    lines.append(f"{asked} question{'s' if asked != 1 else ''} asked: {told or 'nothing found'}")
    return "\n".join(lines) + "\n"
