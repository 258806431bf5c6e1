"""The compiler in one call: source, inferred, validated, rows, model, table.

Whatever wants a table (``serve``, a reload, an update over HTTP, the Python API, ``agw validate``) comes through here,
so all of them refuse the same configurations with the same report. Every stage stays in the `Build`; `render_stage`
prints each.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, serialize

from api_gateway_service_mesh.errors import ConfigError, Finding, Report, Severity
from api_gateway_service_mesh.graph import InferredGraph, SourceGraph, ValidatedGraph, infer, validate
from api_gateway_service_mesh.graph.change import Change, reinfer
from api_gateway_service_mesh.graph.excerpt import Excerpts, hidden_values, masked, secret_properties
from api_gateway_service_mesh.graph.guarantee import (
    AUTHENTICATION,
    AUTHORIZATION,
    exempt_from,
    guarantee_findings,
    guarded_hosts,
)
from api_gateway_service_mesh.graph.inheritance import Places
from api_gateway_service_mesh.graph.results import ValidationResult
from api_gateway_service_mesh.graph.revalidate import revalidate
from api_gateway_service_mesh.graph.secrets import MASK
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from api_gateway_service_mesh.graph.validate import InvalidGraph
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import shown
from api_gateway_service_mesh.projection import ProjectedRows, assemble, project, render_rows
from api_gateway_service_mesh.projection.assemble import Assembly
from api_gateway_service_mesh.projection.project import Question, questions, reproject
from api_gateway_service_mesh.projection.reassemble import reassemble
from api_gateway_service_mesh.routing import (
    ExplainRequest,
    Explanation,
    RoutingTable,
    as_stated,
    compile_table,
    explain,
    recompile_table,
    render_table,
)
from api_gateway_service_mesh.routing.exposure import NO_AUTHENTICATION, NO_AUTHORIZATION, exposure_findings
from api_gateway_service_mesh.security.tls import mesh_findings
from api_gateway_service_mesh.vocabulary import PREFIXES, RDF_TYPE

from .change_gates import try_queries
from .facts import judged_facts
from .judged import judged
from .packs import Packs
from .progress import Told
from .proof import proven

__all__ = ["STAGES", "Build", "BuildRefused", "Inspection", "build", "inspect", "render_stage"]

STAGES = ("source", "inferred", "report", "rows", "model", "table")

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.VIOLATION: 2}


GUARDS = {AUTHENTICATION: NO_AUTHENTICATION, AUTHORIZATION: NO_AUTHORIZATION}
"""What a virtual service states for its hosts, and the hole that a route without it is."""


@dataclass(frozen=True, eq=False)
class Build:
    """A configuration that may be served, with every stage it went through. ``report`` holds warnings only."""

    source: SourceGraph
    inferred: InferredGraph = field(repr=False)
    validated: ValidatedGraph = field(repr=False)
    rows: ProjectedRows = field(repr=False)
    mesh: Mesh = field(repr=False)
    table: RoutingTable
    report: Report = field(repr=False)
    questions: Mapping[str, Question] = field(default_factory=dict, repr=False)
    """The queries that ``rows`` answers."""
    assembly: Assembly | None = field(default=None, repr=False)
    assembled: object = field(default=None, repr=False)
    """With which gateway and folders the model was put together."""
    change: Change | None = field(default=None, repr=False)
    """What is different from the build that this one was made from, whose source had the identity ``since``; None
    where everything was gone through."""
    since: object = field(default=None, repr=False)

    def explain(self, request: ExplainRequest, weights: Mapping[str, float] | None = None) -> Explanation:
        """Which route takes a request, and why; the triples cited are spelt as the graph has them, and
        what was inherited is cited of the place that states it; with a caller, what the route's rules say
        of it. `weights`: as `routing.explain` takes them."""
        index = self.inferred.index

        def states(subject: str, predicate: str) -> list[str]:
            held = index.values(NamedNode(subject), NamedNode(predicate))
            return [value.value for value in held if not isinstance(value, Triple)]

        places = Places(self.inferred)
        return judged(proven(self, as_stated(explain(self.table, request, weights), states, places.stating)))


@dataclass(frozen=True, eq=False)
class Inspection:
    """As far as a configuration came, for looking at; ``validated`` and ``table`` are None where it was refused."""

    source: SourceGraph
    inferred: InferredGraph = field(repr=False)
    validated: ValidatedGraph | None = field(repr=False)
    rows: ProjectedRows = field(repr=False)
    mesh: Mesh = field(repr=False)
    table: RoutingTable | None
    report: Report
    questions: Mapping[str, Question] = field(default_factory=dict, repr=False)
    results: tuple[ValidationResult, ...] = field(default=(), repr=False)
    """What the shapes said of a configuration they refuse."""
    assembly: Assembly | None = field(default=None, repr=False)
    assembled: object = field(default=None, repr=False)
    change: Change | None = field(default=None, repr=False)


class BuildRefused(ConfigError):
    """A configuration that may not be served; ``results`` is what the shapes said."""

    def __init__(self, report: Report, results: tuple[ValidationResult, ...]) -> None:
        super().__init__(report)
        self.results = results


def build(
    source: SourceGraph,
    gateway: str | None = None,
    *,
    queries: Path | None = None,
    allowed_folders: Sequence[Path] = (),
    previous: Build | None = None,
    today: date | None = None,
    packs: Packs | None = None,
    told: Told | None = None,
) -> Build:
    """Compile a configuration.

    Args:
        gateway: IRI of the gateway meant, where the graph holds several.
        queries: folder of the projection queries (default: those shipped).
        allowed_folders: further folders that certificate files may lie under.
        previous: what was compiled before. The result is the same without it, and comes sooner with it, the more so the
            less is different.
        today: the date (UTC) that exemptions and certificates are held against; default: that of the clock.
        packs: policy packs whose shapes the configuration must conform to as well.
        told: hears how far it is.

    Raises:
        ConfigError: with everything that was found, warnings too.
    """
    with _no_collections():
        found = inspect(
            source,
            gateway,
            queries=queries,
            allowed_folders=allowed_folders,
            previous=previous,
            today=today,
            packs=packs,
            told=told,
        )
    if found.validated is None or found.table is None or not found.report.conforms:
        raise BuildRefused(found.report, _without_secrets(found))
    return Build(
        source,
        found.inferred,
        found.validated,
        found.rows,
        found.mesh,
        found.table,
        found.report,
        found.questions,
        found.assembly,
        found.assembled,
        found.change,
        previous.source.identity if previous is not None and found.change is not None else None,
    )


def inspect(
    source: SourceGraph,
    gateway: str | None = None,
    *,
    queries: Path | None = None,
    allowed_folders: Sequence[Path] = (),
    previous: Build | None = None,
    today: date | None = None,
    packs: Packs | None = None,
    told: Told | None = None,
) -> Inspection:
    """Compile as far as possible, and gather what every stage has to say. For the arguments see `build`.

    Raises:
        ConfigError: the queries or the inference rules themselves are at fault.
    """
    told = told or _nobody
    known = previous if previous is not None and previous.questions else None
    step = reinfer(source, known.inferred) if known is not None else None
    inferred = infer(source) if step is None else step[0]
    told(f"{source.count:,} triples, and {len(inferred.because) + len(inferred.rules):,} that follow from them")
    validated: ValidatedGraph | None
    results: tuple[ValidationResult, ...]
    shapes = packs.shapes if packs is not None else shipped_shapes()
    try:
        if packs is not None:
            try_queries(packs, inferred)
        if known is not None and step is not None and known.validated.shapes is shapes:
            validated = revalidate(inferred, known.validated, step[1])
        else:
            validated = validate(inferred, shapes)
        report, results = validated.report, ()
    except ConfigError as refused:
        validated, report = None, refused.report
        results = refused.results if isinstance(refused, InvalidGraph) else ()
    told("checked against the shapes")
    asked = questions(queries)
    if known is not None and step is not None:
        rows, touched = reproject(inferred, asked, known.rows, known.questions, step[1])
    else:
        rows, touched = project(inferred, queries), None
    assembled = (gateway, tuple(allowed_folders))
    if known is not None and known.assembly is not None and touched is not None and known.assembled == assembled:
        assembly = reassemble(
            rows, inferred, gateway, allowed_folders, known.assembly, known.rows, known.inferred, touched
        )
    else:
        assembly = assemble(rows, inferred, gateway, allowed_folders)
    mesh = assembly.mesh
    told(f"{len(mesh.routes):,} routes and {len(mesh.upstreams):,} services projected")
    blamed = {node.value for result in results for node in (result.focus, result.value) if isinstance(node, NamedNode)}
    # What the shapes have blamed a node for is not said of it once more, in other words, as a whole.
    said_before = [finding for finding in assembly.findings if finding.predicate is None and finding.subject in blamed]
    report = _with(report, (finding for finding in assembly.findings if finding not in said_before), inferred)
    report = _with(report, mesh_findings(mesh), inferred)
    day = today or datetime.now(UTC).date()
    report = _with(report, guarantee_findings(inferred, mesh.exemptions, day), inferred)
    if packs is not None:
        of_facts, findings = judged_facts(inferred, packs.facts, mesh, day)
        report, results = report.merged(findings), (*results, *of_facts)
    table: RoutingTable | None
    try:
        table = compile_table(mesh) if known is None else recompile_table(known.table, mesh)
    except ConfigError as refused:
        table, report = None, _with(report, refused.report.findings, inferred)
    else:
        if report.conforms:
            report = _with(report, (*table.findings, *_nothing_to_serve(mesh)), inferred)
            for policy, open_to_all in GUARDS.items():
                exempted = exempt_from(policy, inferred, mesh.exemptions, day)
                holes = exposure_findings(table, guarded_hosts(inferred, policy), open_to_all, exempted)
                report = _with(report, holes, inferred)
    told("compiled")
    change = step[1] if step is not None else None
    return Inspection(
        source, inferred, validated, rows, mesh, table, report, asked, results, assembly, assembled, change
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    """Little made in a build is garbage, and a collection over a large graph costs more than its building."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _nobody(stage: str) -> None:
    """Nobody wants to know."""


def _with(report: Report, more: Iterable[Finding], graph: InferredGraph) -> Report:
    """`report` with what a later stage found, in its place; without what an earlier stage said of the same thing."""
    said: dict[tuple[str | None, str | None], int] = {}
    for finding in report.findings:
        key = (finding.subject, finding.predicate)
        said[key] = max(said.get(key, 0), _RANK[finding.severity])

    def is_new(finding: Finding) -> bool:
        if finding.subject is None:
            return True
        # A shape that judges a node as a whole names no property.
        earlier = max(said.get((finding.subject, finding.predicate), -1), said.get((finding.subject, None), -1))
        return earlier < _RANK[finding.severity]

    excerpts = Excerpts(graph)
    return report.merged(_shown(finding, graph, excerpts) for finding in more if is_new(finding))


def _shown(finding: Finding, graph: InferredGraph, excerpts: Excerpts) -> Finding:
    """A finding with its line and the ontology's definition, as those of the shapes have them."""
    subject, predicate = finding.subject, finding.predicate
    if subject is None or not _ABSOLUTE.match(subject):
        return finding
    spot = None
    if predicate is not None:
        spot = graph.spot(subject, predicate, finding.value) if finding.value is not None else None
        spot = spot or graph.spot(subject, predicate)
    spot = spot or graph.spot(subject)
    return replace(
        finding,
        location=spot.location if spot else finding.location,
        definition=finding.definition or (graph.ontology.definition(predicate) if predicate else None),
        details=(*finding.details, *excerpts.details(spot)),
    )


def _nothing_to_serve(mesh: Mesh) -> tuple[Finding, ...]:
    if mesh.routes:
        return ()
    return (
        Finding(
            "no-routes",
            "the configuration has no routes: every request is answered 404",
            Severity.WARNING,
            remedy="add an agw:Route with agw:routePath and agw:hasBackendService",
        ),
    )


def render_stage(made: Build | Inspection, stage: str) -> str:
    """One of `STAGES` as text that depends on the configuration alone (not on order, time or place in memory).

    Raises:
        ValueError: there is no such stage, or the configuration was refused before it.
    """
    if stage == "source":
        return _turtle(made.source.triples, made)
    if stage == "inferred":
        return _turtle(made.inferred.inferred, made)
    if stage == "report":
        from api_gateway_service_mesh.graph.report import render_report

        return render_report(made.report, colour=False)
    if stage == "rows":
        return render_rows(made.rows)
    if stage == "model":
        return json.dumps(shown(made.mesh), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if stage == "table" and made.table is not None:
        return render_table(made.table)
    if stage in STAGES:
        raise ValueError(f"the configuration was refused before the stage {stage}")
    raise ValueError(f"there is no stage {stage}; there are {', '.join(STAGES)}")


def _without_secrets(found: Inspection) -> tuple[ValidationResult, ...]:
    """What the shapes said, for whoever asked: no value that may be a secret, wherever a shape came by it."""
    hidden = hidden_values(found.inferred)
    mask = Literal(MASK)
    return tuple(
        replace(
            result,
            focus=mask if result.focus in hidden else result.focus,
            value=mask if result.value in hidden else result.value,
        )
        for result in found.results
    )


def _turtle(triples: Iterable[Triple], made: Build | Inspection) -> str:
    """Triples as Turtle, sorted, ``a`` first; what should be a reference to a secret and is none is masked."""
    secrets = secret_properties(made.inferred)
    shown = sorted((masked(triple, secrets) for triple in triples), key=_turtle_order)
    prefixes = {**PREFIXES, **made.source.prefixes}
    text = (serialize(shown, format=RdfFormat.TURTLE, prefixes=prefixes) or b"").decode()
    # The serialiser writes the prefixes in the order of a hash table, used or not.
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("@prefix ")]
    body = "\n".join(lines[len(head) :])
    used = sorted(line for line in head if re.search(rf"(?<![\w.-]){re.escape(line.split()[1])}", body))
    return "\n".join((*used, "", body, "")) if used else body + "\n"


def _turtle_order(triple: Triple) -> tuple[str, bool, str, str]:
    predicate = triple.predicate.value
    return str(triple.subject), predicate != RDF_TYPE, predicate, str(triple.object)
