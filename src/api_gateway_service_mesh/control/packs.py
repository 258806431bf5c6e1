"""Policy packs: the rules of an organisation, as SHACL shapes and change gates, switched on with ``--policy``.

A pack is a Turtle file of shapes that every configuration must conform to besides agw's own, and of change gates
(`control.change_gates`). Those agw ships with go by name; any other is a path. A pack is text that somebody wrote:
nothing in it is fetched or run as a program, it can change neither agw's own shapes nor another pack's, and what it may
cost is bounded. Whatever it asks for beyond that is refused with a sentence, before anything is served.

A query in a pack that is not agw's own is first tried in a process that is killed at its bound, on the very
configuration it is about to judge (`Packs.trials`).
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyoxigraph import BlankNode, NamedNode, QueryBoolean, RdfFormat, Store

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph.constraints import ShapeConstraint
from api_gateway_service_mesh.graph.document import Document, read_document
from api_gateway_service_mesh.graph.index import TripleIndex
from api_gateway_service_mesh.graph.load import Parsed, parse_document
from api_gateway_service_mesh.graph.positions import PositionIndex
from api_gateway_service_mesh.graph.revalidate import shape_reads
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from api_gateway_service_mesh.graph.shapes import Shape, ShapesGraph
from api_gateway_service_mesh.graph.skolem import rename, skolem_names
from api_gateway_service_mesh.graph.terms import GENID, Row, Term, lexical, local_name
from api_gateway_service_mesh.vocabulary import AGW, OWL, PREFIXES, SH

from .sparql.guard import GuardLimits, QueryRefused, check_query

__all__ = ["FACTS", "ChangeGate", "Packs", "load_packs", "shipped_packs"]

FACTS = frozenset((NamedNode(AGW.certificateDaysLeft),))
"""Properties that no configuration states: the build works them out for shapes to judge (`control.facts`)."""

_MOST_BYTES = 256 * 1024
_MOST_SHAPES = 256
_MOST_WORK = 4096
_QUERY = GuardLimits(bytes=8 * 1024, depth=20, operators=60, patterns=24, all_patterns=32)
_MOST_QUERIES = 32
_FICKLE = re.compile(r"\b(?:NOW|RAND|UUID|STRUUID)\s*\(", re.IGNORECASE)
_PREFIX = re.compile(r"[A-Za-z][\w-]*|")
_NAMESPACE = re.compile(r"[^\s<>\"{}|^`\\]*")
_SH = PREFIXES["sh"]
_ASK, _GATE = NamedNode(AGW.ask), NamedNode(AGW.ChangeGate)
_SELECT, _MESSAGE = NamedNode(SH.select), NamedNode(SH.message)


@dataclass(frozen=True, slots=True)
class ChangeGate:
    """A question about what is served and what would be (``urn:agw:graph:old`` and ``:new``) that must be answered
    with yes."""

    iri: str
    ask: str
    message: str
    pack: str


@dataclass(frozen=True, eq=False)
class Packs:
    """The packs that are switched on.

    ``shapes`` are agw's own and those of the packs, ``facts`` the packs' shapes that look at `FACTS`. ``trials`` are
    the queries that are tried before they are trusted, by the name of their shape. ``key`` tells one choice of packs
    from another.
    """

    names: tuple[str, ...]
    shapes: ShapesGraph = field(repr=False)
    facts: ShapesGraph = field(repr=False)
    gates: tuple[ChangeGate, ...]
    trials: tuple[tuple[str, str], ...] = field(repr=False)
    key: str = field(repr=False)


def shipped_packs() -> tuple[str, ...]:
    """The names of the packs that agw ships with."""
    return tuple(sorted(path.stem for path in resources.packs().glob("*.ttl")))


def load_packs(names: Sequence[str]) -> Packs | None:
    """The packs of these names, or in these files; None for none.

    Raises:
        ConfigError: there is no such pack, or it asks for what is not supported; with the place.
    """
    return _loaded(tuple(dict.fromkeys(names))) if names else None


def _loaded(names: tuple[str, ...]) -> Packs:
    rows: list[Row] = list(shipped_shapes().rows)
    taken: set[Term] = {subject for subject, _, _ in rows}
    digest = hashlib.sha256()
    packs = []
    for name in names:
        pack = _Pack.read(name)
        pack.check(taken)
        taken.update(subject for subject, _, _ in pack.rows)
        rows += pack.rows
        digest.update(pack.document.text.encode() + b"\0")
        packs.append(pack)
    shapes = ShapesGraph(rows)
    own = {shape.node for shape in shipped_shapes().targeted}
    fresh = [shape for shape in shapes.targeted if shape.node not in own]
    of_facts = {shape.node for shape in fresh if _looks_at_facts(shape)}
    gates = tuple(gate for pack in packs for gate in pack.gates())
    trials = tuple(trial for pack in packs if not pack.shipped for trial in pack.trials(shapes))
    return Packs(
        names,
        _with_targeted(shapes, (s for s in shapes.targeted if s.node not in of_facts)),
        _with_targeted(shapes, (s for s in shapes.targeted if s.node in of_facts)),
        gates,
        trials,
        digest.hexdigest(),
    )


def _with_targeted(shapes: ShapesGraph, targeted: Iterable[Shape]) -> ShapesGraph:
    part = copy.copy(shapes)
    part.targeted = tuple(targeted)
    return part


def _looks_at_facts(shape: Shape) -> bool:
    return any(value in FACTS for _, value in shape.targets) or any(
        read.predicate in FACTS for read in shape_reads(shape)
    )


@dataclass(frozen=True, eq=False)
class _Pack:
    """One pack, read and not yet trusted. ``stated`` are its triples as written, ``rows`` with blank nodes named."""

    name: str
    document: Document
    stated: Sequence[Row]
    rows: Sequence[Row]
    index: TripleIndex
    shipped: bool

    @classmethod
    def read(cls, name: str) -> _Pack:
        shipped = name in shipped_packs()
        path = resources.packs() / f"{name}.ttl" if shipped else Path(name)
        if not shipped and not path.exists() and path.suffix != ".ttl":
            known = ", ".join(shipped_packs())
            raise ConfigError(
                Finding(
                    "unknown-pack",
                    f"there is no policy pack {name[:200]!r}, and no file of this name",
                    remedy=f"name a file of shapes (.ttl), or one of: {known}",
                )
            )
        document = read_document(path)
        if shipped:
            document = replace(document, name=f"{name}.ttl")
        if document.format != RdfFormat.TURTLE:
            raise ConfigError(
                Finding("unsupported-format", f"{name}: a policy pack is Turtle", remedy="save it as .ttl")
            )
        if len(document.text) > _MOST_BYTES:
            raise ConfigError(
                Finding("pack-too-large", f"{name} is larger than {_MOST_BYTES // 1024} KiB", remedy="split the pack")
            )
        parsed: Parsed = parse_document(document)
        names = skolem_names(parsed.rows)
        rows = [(rename(s, names), p, rename(o, names)) for s, p, o in parsed.rows]
        return cls(name, document, parsed.rows, rows, TripleIndex(rows), shipped)  # type: ignore[arg-type]

    def refused(self, node: Term, why: str, remedy: str) -> ConfigError:
        """The error that says `why`, at the place where `node` is spoken of."""
        places = PositionIndex([self.document], [self.stated])
        spot = places.subject(lexical(node))
        return ConfigError(
            Finding(
                "pack-refused",
                f"policy pack {self.name}: {why}",
                location=spot.location if spot else None,
                subject=lexical(node),
                remedy=remedy,
            )
        )

    def check(self, taken: set[Term]) -> None:
        """Refuse what a pack may not say, and shapes that would cost too much.

        Raises:
            ConfigError: it does.
        """
        for subject, predicate, value in self.rows:
            if predicate.value == OWL.imports:
                raise self.refused(subject, "owl:imports is not followed", "name each file with its own --policy")
            local = predicate.value.removeprefix(_SH)
            if local.startswith("js"):
                raise self.refused(subject, "sh:js runs programs, and is not run here", "say it in SHACL or SPARQL")
            if local == "prefix" and not _PREFIX.fullmatch(lexical(value)):
                raise self.refused(subject, "sh:prefix is no prefix", 'write sh:prefix "ex"')
            if local == "namespace" and not _NAMESPACE.fullmatch(lexical(value)):
                raise self.refused(subject, "sh:namespace is no namespace", "write the IRI that the prefix stands for")
        for subject, _, _ in self.stated:
            if type(subject) is BlankNode:
                continue
            if subject in taken or lexical(subject).startswith(GENID):
                raise self.refused(
                    subject,
                    f"{local_name(lexical(subject))} is described elsewhere; a pack adds rules and changes none",
                    "give the shape an IRI of your own",
                )
        self._check_queries()
        own = self._shapes(self.rows)
        for shape in own:
            for query in shape.sparql:
                if not query.at_once and not self.shipped:
                    raise self.refused(
                        shape.node,
                        "its query cannot be asked of all nodes at once",
                        "begin each group that speaks of $this with a pattern about it, without LIMIT, MINUS or VALUES",
                    )

    def _check_queries(self) -> None:
        asked = [row for row in self.rows if row[1] in (_SELECT, _ASK)]
        if len(asked) > _MOST_QUERIES:
            raise self.refused(asked[-1][0], f"it holds more than {_MOST_QUERIES} queries", "split the pack")
        for subject, predicate, value in asked:
            text = lexical(value)
            try:
                check_query(text, _QUERY)
            except QueryRefused as error:
                raise self.refused(subject, f"its query is refused: {error}", error.remedy or "ask for less") from None
            if predicate == _SELECT and _FICKLE.search(text):
                raise self.refused(
                    subject,
                    "its query asks for the time or for chance, so one configuration would be judged in two ways",
                    "for certificates, look at agw:certificateDaysLeft",
                )

    def _shapes(self, rows: Sequence[Row]) -> list[Shape]:
        """The shapes of the pack, none of which costs more than agw's own may."""
        try:
            graph = ShapesGraph([*shipped_shapes().rows, *rows])
        except ConfigError as error:
            first = error.report.findings[0]
            node = NamedNode(first.subject) if first.subject else NamedNode(GENID)
            raise self.refused(node, first.message, first.remedy or "change the shape") from None
        except RecursionError:
            raise self.refused(
                rows[0][0], "its shapes are nested too deeply", "name fewer shapes in one another"
            ) from None
        own = {subject for subject, _, _ in rows}
        shapes = [shape for shape in graph if shape.node in own]
        if len(shapes) > _MOST_SHAPES:
            raise self.refused(shapes[-1].node, f"it has more than {_MOST_SHAPES} shapes", "split the pack")
        costs: dict[Term, int] = {}
        for shape in shapes:
            if _cost(shape, costs) > _MOST_WORK:
                raise self.refused(shape.node, "it refers to shapes that refer to shapes, too many times", "flatten it")
        return shapes

    def gates(self) -> Iterator[ChangeGate]:
        """The change gates of the pack.

        Raises:
            ConfigError: one of them has no question, or no sentence for who is refused.
        """
        for subject in self.index.instances(_GATE):
            asks, messages = self.index.values(subject, _ASK), self.index.values(subject, _MESSAGE)
            if len(asks) != 1 or len(messages) != 1:
                raise self.refused(
                    subject,
                    "a change gate has one agw:ask and one sh:message",
                    'write agw:ask "ASK { … }" ; sh:message "What must hold. What to do." .',
                )
            text = lexical(asks[0])
            try:
                if not isinstance(Store().query(text, prefixes=PREFIXES), QueryBoolean):
                    raise self.refused(subject, "agw:ask is no ASK query", 'write agw:ask "ASK { … }"')
            except SyntaxError as error:
                raise self.refused(subject, f"agw:ask is no SPARQL: {error}", "correct the query") from None
            yield ChangeGate(lexical(subject), text, lexical(messages[0]), self.name)

    def trials(self, shapes: ShapesGraph) -> Iterator[tuple[str, str]]:
        """The queries of the pack's shapes, by the shape."""
        own = {subject for subject, _, _ in self.rows}
        for shape in shapes:
            if shape.node in own:
                yield from ((lexical(shape.node), query.query) for query in shape.sparql)


def _cost(shape: Shape, costs: dict[Term, int]) -> int:
    """How many shapes are looked at, at most, for one node."""
    known = costs.get(shape.node)
    if known is None:
        inner = [*shape.properties]
        for constraint in shape.constraints:
            if isinstance(constraint, ShapeConstraint):
                inner += constraint.shapes
        known = costs[shape.node] = min(1 + sum(_cost(each, costs) for each in inner), _MOST_WORK + 1)
    return known
