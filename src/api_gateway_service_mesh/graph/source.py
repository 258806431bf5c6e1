"""The first stage: what people wrote, as triples that still know their place in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from pyoxigraph import BlankNode, NamedNode, RdfFormat, Triple, serialize

from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Report, Severity

from .digest import TripleSetDigest
from .document import Document, read_document, text_document
from .load import parse_document
from .namespace import misspelt_namespaces
from .positions import PositionIndex, Spot
from .skolem import generated_names, owned_nodes, rename, skolem_names
from .terms import AGW, OWL, Resource, Row, Term, lexical

if TYPE_CHECKING:
    from rdflib import Graph

__all__ = ["SourceGraph", "Step"]

_IMPORTS = OWL + "imports"
_IMPORTS_NODE = NamedNode(_IMPORTS)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What makes a source graph of the one before it (whose ``identity`` is ``parent``)."""

    parent: object
    removed: tuple[Row, ...]
    added: tuple[Row, ...]
    """Triples that came; one that was removed and added again stands in both, and now behind its neighbours."""


class SourceGraph:
    """All triples of a configuration, blank nodes skolemised (`graph.skolem`). Never changed once made.

    ``findings`` are the warnings of loading. Two graphs with the same triples have the same ``digest``. ``step`` says
    how this graph came of another one, where `changed` made it; ``identity`` is one object for all graphs with the
    same triples in the same order that were made of one another.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        triples: Sequence[Triple],
        documents: Sequence[Document] = (),
        prefixes: Mapping[str, str] | None = None,
        findings: Sequence[Finding] = (),
    ) -> None:
        self.documents: tuple[Document, ...] = tuple(documents)
        self.prefixes: Mapping[str, str] = prefixes if prefixes is not None else {}
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.identity = object()
        self.step: Step | None = None
        self.stated_once = False
        """Of texts: no triple is stated twice, so that what a statement says goes with it."""
        self._rows: tuple[Row, ...] | None = tuple(rows)
        self._triples: tuple[Triple, ...] | None = tuple(triples)
        self._subjects: dict[Resource, tuple[Row, ...]] | None = None
        self._digest: TripleSetDigest | None = None
        self._count: int | None = None
        self._written: SourceGraph | None = None
        """What this graph was made of by changes and stands in texts: where what it still says of that stands."""

    def __repr__(self) -> str:
        return f"<SourceGraph {', '.join(self.files) or 'of no file'}>"

    @property
    def rows(self) -> tuple[Row, ...]:
        """The triples, taken apart; those of one subject in the order in which they were stated."""
        if self._rows is None:
            assert self._subjects is not None
            self._rows = tuple(chain.from_iterable(self._subjects.values()))
        return self._rows

    @property
    def count(self) -> int:
        """How many triples there are; `rows` need not be put together for it."""
        if self._count is None:
            self._count = sum(map(len, self._by_subject().values())) if self._rows is None else len(self._rows)
        return self._count

    @property
    def triples(self) -> tuple[Triple, ...]:
        """The same as triples, in the same order."""
        if self._triples is None:
            self._triples = tuple(Triple(*row) for row in self.rows)
        return self._triples

    def stated(self, subject: Resource) -> tuple[Row, ...]:
        """The triples about one subject, in their order."""
        return self._by_subject().get(subject, ())

    def states(self, row: Row) -> bool:
        """Whether this graph has a triple."""
        return row in self.stated(row[0])

    def _by_subject(self) -> dict[Resource, tuple[Row, ...]]:
        if self._subjects is None:
            found: dict[Resource, list[Row]] = {}
            for row in self.rows:
                held = found.get(row[0])
                if held is None:
                    found[row[0]] = [row]
                else:
                    held.append(row)
            self._subjects = {subject: tuple(held) for subject, held in found.items()}
        return self._subjects

    def changed(
        self, removed: Iterable[Row], added: Iterable[Row], prefixes: Mapping[str, str] | None = None
    ) -> SourceGraph:
        """This graph without the triples `removed`, and then with those `added`, which stand behind the others of their
        subject. It costs what the change does (and the copying of a table of subjects). It has no documents: nothing of
        it stands in a text any more."""
        subjects = self._by_subject().copy()
        known: dict[Resource, set[Row]] = {}

        def held(subject: Resource) -> set[Row]:
            if subject not in known:
                known[subject] = set(subjects.get(subject, ()))
            return known[subject]

        gone: dict[Row, None] = {}
        for row in removed:
            if row in held(row[0]):
                gone[row] = None
        for subject in dict.fromkeys(row[0] for row in gone):
            kept = tuple(row for row in subjects[subject] if row not in gone)
            known[subject].difference_update(gone)
            if kept:
                subjects[subject] = kept
            else:
                del subjects[subject]
        come: dict[Resource, dict[Row, None]] = {}
        for row in added:
            if row not in held(row[0]):
                come.setdefault(row[0], {})[row] = None
        for subject, rows in come.items():
            subjects[subject] = (*subjects.get(subject, ()), *rows)
        made = SourceGraph((), (), (), {**self.prefixes, **(prefixes or {})})
        made._rows = made._triples = None
        stands = any(document.has_positions and document.text for document in self.documents)
        made._written = self if stands else self._written
        made._subjects = subjects
        made.step = Step(self.identity, tuple(gone), new := tuple(chain.from_iterable(come.values())))
        made._count = self.count - len(gone) + len(new)
        names = self.__dict__.get("generated")
        if names is not None:
            names = Counter(names)
            names.update(name for row in new for name in generated_names(row))
            names.subtract(name for row in gone for name in generated_names(row))
            made.__dict__["generated"] = +names
        owners = self.__dict__.get("owners")
        if owners is not None:
            owners = dict(owners)
            for node, subject in owned_nodes(gone):
                if owners.get(node) == subject:
                    del owners[node]
            owners.update(owned_nodes(new))
            made.__dict__["owners"] = owners
        if self._digest is not None:
            made._digest = self._digest.changed(_lines(gone), _lines(new))
        return made

    def restated(
        self, *, documents: Sequence[Document] | None = None, findings: Sequence[Finding] | None = None
    ) -> SourceGraph:
        """The same triples, with other documents or findings."""
        made = copy(self)
        made.__dict__.pop("positions", None)
        made.documents = self.documents if documents is None else tuple(documents)
        if any(document.has_positions and document.text for document in made.documents):
            made._written = None
        made.findings = self.findings if findings is None else tuple(findings)
        return made

    @classmethod
    def load(cls, paths: Sequence[str | Path], previous: SourceGraph | None = None) -> SourceGraph:
        """Read and merge files. Nothing else is read: ``owl:imports`` is not followed. `previous` is what they gave
        before: then the cost is that of what was edited since (`graph.reread`).

        Raises:
            ConfigError: with a finding for each file that cannot be read or parsed.
        """
        documents: dict[Path, Document] = {}
        broken: list[Finding] = []
        for path in paths:
            try:
                documents.setdefault(Path(path).resolve(), read_document(path))
            except ConfigError as error:
                broken += error.report.findings
        if not paths:
            broken.append(
                Finding("missing-file", "no configuration file was named", remedy="name at least one Turtle file")
            )
        if previous is not None and not broken:
            from .reread import reread

            return reread(list(documents.values()), previous)
        return cls._of(list(documents.values()), broken)

    @classmethod
    def of_documents(cls, documents: Sequence[Document]) -> SourceGraph:
        """Merge texts that were read already.

        Raises:
            ConfigError: one of them is not well formed.
        """
        return cls._of(documents, [])

    @classmethod
    def parse(cls, text: str, name: str = "<text>", base_dir: Path | None = None) -> SourceGraph:
        """Parse one Turtle text; `base_dir` is the folder its relative certificate paths are taken from.

        Raises:
            ConfigError: the text is not well formed.
        """
        return cls._of([text_document(text, name, base_dir)], [])

    @classmethod
    def from_rdflib(cls, graph: Graph) -> SourceGraph:
        """A configuration built with rdflib; its triples have no places."""
        from .rdflib_bridge import rows_from

        prefixes = {prefix: str(iri) for prefix, iri in graph.namespaces()}
        return cls._merged(rows_from(graph), [], prefixes)

    @classmethod
    def of(cls, triples: Iterable[Triple], prefixes: Mapping[str, str] | None = None) -> SourceGraph:
        """A configuration made of triples, for example by the Python API; they have no places."""
        found = list(triples)
        rows: list[Row] = [(subject, predicate, value) for subject, predicate, value in found]
        return cls._merged(rows, found, dict(prefixes or {}))

    @classmethod
    def _of(cls, documents: Sequence[Document], broken: list[Finding]) -> SourceGraph:
        rows: list[Row] = []
        triples: list[Triple] = []
        prefixes: dict[str, str] = {}
        misspelt: list[Finding] = []
        for number, document in enumerate(documents):
            try:
                parsed = parse_document(document, f"d{number}." if len(documents) > 1 else "")
            except ConfigError as error:
                broken += error.report.findings
            else:
                rows += parsed.rows
                triples += parsed.triples
                prefixes = {**parsed.prefixes, **prefixes}
                misspelt += misspelt_namespaces(document, parsed.prefixes)
        if broken:
            raise ConfigError(Report().merged(broken))
        source = cls._merged(rows, triples, prefixes, documents)
        return source.restated(findings=(*source.findings, *misspelt)) if misspelt else source

    @classmethod
    def _merged(
        cls, rows: list[Row], triples: list[Triple], prefixes: Mapping[str, str], documents: Sequence[Document] = ()
    ) -> SourceGraph:
        """Name the blank nodes and drop doubles; `triples`, when given, are `rows` as the parser made them."""
        names = skolem_names(rows)
        merged: dict[Row, Triple]
        if names or not triples:
            merged = {}
            for row, triple in zip_longest(rows, triples):
                named = _named(row, names) if names else row
                merged[named] = triple if triple is not None and named is row else Triple(*named)
        else:
            merged = dict(zip(rows, triples, strict=True))
        findings = tuple(finding for document in documents for finding in document.findings)
        source = cls(tuple(merged), tuple(merged.values()), tuple(documents), prefixes, findings)
        source.stated_once = len(merged) == len(rows)
        imports = _imports(source)
        return source.restated(findings=(*findings, *imports)) if imports else source

    @cached_property
    def ntriples(self) -> bytes:
        """All triples as N-Triples, in the order of the files."""
        return serialize(self.triples, format=RdfFormat.N_TRIPLES) or b""

    @cached_property
    def owners(self) -> Mapping[Term, Resource]:
        """Of skolemised blank nodes: a subject that points at each."""
        return dict(owned_nodes(self.rows))

    @cached_property
    def generated(self) -> Mapping[str, int]:
        """The names of skolemised blank nodes that occur, with how often they do."""
        return Counter(name for row in self.rows for name in generated_names(row))

    @property
    def digest(self) -> str:
        """A SHA-256 (hex) over all triples: equal exactly when the triples are (`graph.digest`)."""
        if self._digest is None:
            self._digest = TripleSetDigest(self.ntriples.splitlines())
        return self._digest.hex

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the documents, as they were given."""
        return tuple(document.name for document in self.documents)

    @cached_property
    def positions(self) -> PositionIndex:
        """The place of every triple; built when first asked for."""
        parsed = [() if document.has_positions else parse_document(document).rows for document in self.documents]
        return PositionIndex(self.documents, parsed)

    def spot(self, subject: str, predicate: str | None = None, value: Term | str | None = None) -> Spot | None:
        """Like `locate`, with the length of what stands there and the document it stands in."""
        if not self.documents:
            found = None
        elif predicate is None:
            found = self.positions.subject(subject)
        elif value is None:
            found = self.positions.predicate(subject, predicate)
        else:
            found = self.positions.object(subject, predicate, value)
        return found if found is not None or self._written is None else self._kept(subject, predicate, value)

    def _kept(self, subject: str, predicate: str | None, value: Term | str | None) -> Spot | None:
        """Where the texts that this graph was made of say what it still says."""
        assert self._written is not None
        try:
            node = NamedNode(subject)
        except ValueError:
            return None
        before = set(self._written.stated(node))
        for row in self.stated(node):
            if row in before and (predicate is None or row[1].value == predicate):
                if predicate is None:
                    return self._written.spot(subject)
                if value is None or value in (row[2], lexical(row[2])):
                    return self._written.spot(subject, predicate, row[2])
        return None

    def locate(self, subject: str, predicate: str | None = None, value: Term | str | None = None) -> Location | None:
        """Where a subject, one of its properties, or one value stands; None when the source does not say it.

        `subject` and `predicate` are IRIs (skolem IRIs for blank nodes); a plain string `value` is an IRI or a
        lexical form.
        """
        spot = self.spot(subject, predicate, value)
        return spot.location if spot else None

    def file_of(self, subject: str, predicate: str, value: Term | str | None = None) -> Document | None:
        """The document that states a triple. Its ``folder`` is what relative certificate paths are taken from."""
        if len(self.documents) == 1:
            return self.documents[0]
        spot = self.spot(subject, predicate, value)
        return spot.document if spot else None

    def to_rdflib(self) -> Graph:
        """The triples as an rdflib graph, prefixes bound, lexical forms untouched."""
        from .rdflib_bridge import graph_of

        return graph_of(self.rows, self.prefixes)


def _lines(rows: Iterable[Row]) -> list[bytes]:
    text = serialize((Triple(*row) for row in rows), format=RdfFormat.N_TRIPLES) or b""
    return text.splitlines()


def _named(row: Row, names: dict[BlankNode, NamedNode]) -> Row:
    subject, predicate, value = row
    if type(subject) is NamedNode and type(value) not in (BlankNode, Triple):
        return row
    return rename(subject, names), predicate, rename(value, names)  # type: ignore[return-value]


def _imports(source: SourceGraph) -> list[Finding]:
    found = []
    for subject, predicate, value in source.rows:
        if predicate == _IMPORTS_NODE and lexical(value).rstrip("#") != AGW.rstrip("#"):
            found.append(
                Finding(
                    "import-not-followed",
                    f"owl:imports {value} is not followed",
                    Severity.WARNING,
                    source.locate(lexical(subject), _IMPORTS, value),
                    lexical(subject),
                    _IMPORTS,
                    str(value),
                    remedy="name the file on the command line: agw merges all files it is given, and fetches none",
                )
            )
    return found
