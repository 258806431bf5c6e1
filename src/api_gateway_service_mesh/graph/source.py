"""The first stage: what people wrote, as triples that still know their place in the text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from pyoxigraph import BlankNode, NamedNode, RdfFormat, Triple, serialize

from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Report, Severity

from .document import Document, read_document, text_document
from .load import parse_document
from .namespace import misspelt_namespaces
from .positions import PositionIndex, Spot
from .skolem import rename, skolem_names
from .terms import AGW, OWL, Row, Term, lexical

if TYPE_CHECKING:
    from rdflib import Graph

__all__ = ["SourceGraph"]

_IMPORTS = OWL + "imports"
_IMPORTS_NODE = NamedNode(_IMPORTS)


@dataclass(frozen=True, eq=False)
class SourceGraph:
    """All triples of a configuration, blank nodes skolemised (`graph.skolem`).

    ``findings`` are the warnings of loading. Two graphs with the same triples have the same ``digest``.
    """

    rows: tuple[Row, ...] = field(repr=False)
    triples: tuple[Triple, ...] = field(repr=False)
    documents: tuple[Document, ...] = ()
    prefixes: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @classmethod
    def load(cls, paths: Sequence[str | Path]) -> SourceGraph:
        """Read and merge files. Nothing else is read: ``owl:imports`` is not followed.

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
        return replace(source, findings=(*source.findings, *misspelt)) if misspelt else source

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
        imports = _imports(source)
        return replace(source, findings=(*findings, *imports)) if imports else source

    @cached_property
    def ntriples(self) -> bytes:
        """All triples as N-Triples, in the order of the files."""
        return serialize(self.triples, format=RdfFormat.N_TRIPLES) or b""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the sorted N-Triples: equal exactly when the triples are."""
        return hashlib.sha256(b"\n".join(sorted(self.ntriples.splitlines()))).hexdigest()

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
            return None
        if predicate is None:
            return self.positions.subject(subject)
        if value is None:
            return self.positions.predicate(subject, predicate)
        return self.positions.object(subject, predicate, value)

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
