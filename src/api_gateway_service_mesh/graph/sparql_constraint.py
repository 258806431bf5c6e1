"""``sh:sparql``: a SELECT query whose every row is a violation (SHACL section 5).

The standard runs the query once per focus node with ``$this`` bound. Where that makes no difference (see `_joins`) it
is run once for all and its rows are sorted by ``?this``, which for 1,000 routes is 1,000 times cheaper.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyoxigraph import NamedNode, Quad, QuerySolutions, Store, Variable

from .footprint import Footprint, footprint_of
from .index import TripleIndex
from .patterns import read_patterns
from .results import PropertyPath
from .terms import CONFIG_GRAPH, SH, Resource, Term, lexical

if TYPE_CHECKING:
    from .shacl import Run

__all__ = ["SparqlConstraint", "SparqlRow"]

COMPONENT = NamedNode(SH + "SPARQLConstraintComponent")
_THIS = Variable("this")
_NOISE = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|<[^>\s]*>|#[^\n]*")
_AGGREGATE = re.compile(r"\b(?:COUNT|SUM|MIN|MAX|AVG|SAMPLE|GROUP_CONCAT)\s*\(", re.IGNORECASE)
_GROUP_BY_THIS = re.compile(r"\bGROUP\s+BY\b[^{}]*[?$]this\b", re.IGNORECASE)
_OPENING = re.compile(r"(?P<word>\w+)?\s*\{\s*(?P<first>[?$]\w+)?|\}")


@dataclass(frozen=True, slots=True)
class SparqlRow:
    """One row of the answer: ``?value``, ``?path`` and whatever the message names."""

    value: Term | None
    path: Term | None
    bindings: dict[str, Term]


@dataclass(frozen=True, eq=False, slots=True)
class SparqlConstraint:
    """A query, prefixes put in front and ``$PATH`` filled in."""

    node: Resource
    query: str = field(repr=False)
    message: str | None
    at_once: bool
    footprint: Footprint | None = field(repr=False)
    """What the query looks at for one focus node; None when that cannot be told."""

    @classmethod
    def read(cls, index: TripleIndex, node: Resource, path: PropertyPath | None) -> SparqlConstraint:
        """Raises ValueError when the node has no ``sh:select``, or it is no
        SPARQL, or ``$PATH`` has nothing to stand for."""
        select = index.value(node, NamedNode(SH + "select"))
        if select is None:
            raise ValueError("sh:sparql needs sh:select")
        text = lexical(select)
        if re.search(r"[?$]PATH\b", text):
            if path is None:
                raise ValueError("$PATH is used outside a property shape")
            text = re.sub(r"[?$]PATH\b", str(path), text)
        prefixes = ""
        for holder in index.values(node, NamedNode(SH + "prefixes")):
            for declaration in index.values(holder, NamedNode(SH + "declare")):
                prefix = index.value(declaration, NamedNode(SH + "prefix"))
                namespace = index.value(declaration, NamedNode(SH + "namespace"))
                if prefix is not None and namespace is not None:
                    prefixes += f"PREFIX {lexical(prefix)}: <{lexical(namespace)}>\n"
        message = index.value(node, NamedNode(SH + "message"))
        try:
            Store().query(prefixes + text)
        except SyntaxError as error:
            raise ValueError(f"sh:select is no SPARQL: {error}") from None
        patterns = read_patterns(prefixes + text)
        footprint = footprint_of(patterns, "this") if patterns else None
        return cls(node, prefixes + text, lexical(message) if message else None, _joins(text), footprint)

    def rows(self, run: Run, focus: Term) -> list[SparqlRow]:
        """The violations of one focus node."""
        if run.partial and self.footprint is not None:
            rows = self.footprint.gather(run.index, (focus,))
            if not rows:
                return []
            store = Store()
            store.extend(Quad(*row, CONFIG_GRAPH) for row in rows)
            return [row for _, row in self._run(run, {_THIS: focus}, store)]
        if not self.at_once:
            return [row for _, row in self._run(run, {_THIS: focus})]
        sorted_rows = run.sparql_rows.get(self.node)
        if sorted_rows is None:
            sorted_rows = run.sparql_rows[self.node] = {}
            for this, row in self._every_row(run):
                if this is not None:
                    sorted_rows.setdefault(this, []).append(row)
        return sorted_rows.get(focus, [])

    def _every_row(self, run: Run) -> list[tuple[Term | None, SparqlRow]]:
        """The violations of all nodes, found among what the query can look at, where that can be told."""
        roots = self.footprint.roots(run.index) if self.footprint is not None else None
        if self.footprint is None or roots is None:
            return self._run(run, None)
        rows = self.footprint.gather(run.index, roots)
        if not rows:
            return []
        store = Store()
        store.extend(Quad(*row, CONFIG_GRAPH) for row in rows)
        return self._run(run, None, store)

    def _run(
        self, run: Run, bound: dict[Variable, Term] | None, store: Store | None = None
    ) -> list[tuple[Term | None, SparqlRow]]:
        found = (run.store if store is None else store).query(self.query, default_graph=run.graphs, substitutions=bound)
        if not isinstance(found, QuerySolutions):
            raise ValueError("sh:select must be a SELECT query")
        names = [variable.value for variable in found.variables]
        rows: list[tuple[Term | None, SparqlRow]] = []
        for solution in found:
            bindings = {name: solution[name] for name in names if solution[name] is not None}
            rows.append((bindings.get("this"), SparqlRow(bindings.get("value"), bindings.get("path"), bindings)))
        return rows


def _joins(query: str) -> bool:
    """Whether binding ``$this`` beforehand gives the same rows as joining on it afterwards.

    It does when every group that speaks of it begins with a pattern about it (OPTIONAL and EXISTS see it
    from outside), and nothing counts over all of them.
    """
    text = _NOISE.sub(" ", query)
    if re.search(r"\b(?:LIMIT|OFFSET|MINUS|VALUES)\b", text, re.IGNORECASE):
        return False
    if _AGGREGATE.search(text) and not _GROUP_BY_THIS.search(text):
        return False
    begins: list[bool] = []
    position = 0
    outermost = re.search(r"\{\s*(?:[?$](\w+))?", text)
    if not outermost or outermost[1] != "this":
        return False
    for found in _OPENING.finditer(text):
        speaks = re.search(r"[?$]this\b", text[position : found.start()])
        if speaks and begins and not begins[-1]:
            return False
        position = found.end()
        if found.group() == "}":
            if begins:
                begins.pop()
        else:
            word = (found["word"] or "").upper()
            begins.append(
                (found["first"] or "")[1:] == "this" or (word in ("OPTIONAL", "EXISTS") and bool(begins and begins[-1]))
            )
    return True
