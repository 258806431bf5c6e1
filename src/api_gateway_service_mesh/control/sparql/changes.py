"""Updates, evaluated in the child: what they would add to the configuration and take from it.

Like `child` this stands alone (pyoxigraph and the standard library), since the child loads it by its path. An operation
is run as the queries it is made of: the templates as CONSTRUCT over the WHERE group, and only the difference is put
into the store, so that the cost is that of what changes. The configuration is the default graph of an update; the
other graphs can be read, and never written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyoxigraph as ox

__all__ = ["Editor", "Refused", "changed"]


class Refused(Exception):
    """An operation that is not done. ``problem`` says of what kind the refusal is."""

    def __init__(self, message: str, problem: str = "update-refused") -> None:
        super().__init__(message)
        self.problem = problem


def changed(store: ox.Store, prefixes: dict[str, str], head: dict[str, Any], text: str) -> tuple[bytes, bytes]:
    """What the update `text` adds to and removes from the configuration, as N-Triples. `store` is as before afterwards.

    Raises:
        SyntaxError: it is no update.
        Refused: it is not done.
    """
    parts = head["operations"]
    try:
        _check_syntax(text, prefixes, head.get("base"))
    except SyntaxError:
        # The engine takes no PREFIX after a semicolon, as the grammar does: so each operation by itself.
        if not parts:
            raise
        for part in parts:
            _check_syntax(part["prologue"] + part["text"], prefixes, head.get("base"))
    if parts is None:
        raise Refused("the update has a form that cannot be taken apart")
    editor = Editor(store, head["config"], prefixes, head["limit"], head.get("base"))
    try:
        for part in parts:
            editor.run(part, head["using"], head["using_named"])
        added, removed = list(editor.added), list(editor.removed)
    finally:
        editor.undo()
    return _ntriples(added), _ntriples(removed)


def _check_syntax(text: str, prefixes: dict[str, str], base: str | None) -> None:
    try:
        ox.Store().update(text, base_iri=base, prefixes=prefixes)
    except (OSError, RuntimeError, ValueError):
        pass  # of an empty store: a graph that is not there


def _ntriples(triples: Iterable[ox.Triple]) -> bytes:
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""


class Editor:
    """Runs operations on `store`, whose default graph and graph `config` hold the same triples, and keeps account.

    ``added`` and ``removed`` are the difference from the beginning; `undo` takes it back.
    """

    def __init__(
        self, store: ox.Store, config: str, prefixes: dict[str, str], limit: int, base: str | None = None
    ) -> None:
        self.base = base
        self.store = store
        self.config = ox.NamedNode(config)
        self.prefixes = prefixes
        self.added: dict[ox.Triple, None] = {}
        self.removed: dict[ox.Triple, None] = {}
        self._limit = limit

    def run(self, operation: dict[str, Any], using: list[str] | None = None, named: list[str] | None = None) -> None:
        """One operation. `using` and `named` are the protocol's dataset for its WHERE group.

        Raises:
            Refused: it writes to another graph, or what it changes is too much.
        """
        kind = operation["kind"]
        if kind in ("insert", "delete"):
            self._apply(self._data(operation, "delete"), self._data(operation, "insert"))
        elif kind == "modify":
            self._modify(operation, using, named)
        else:
            self._graphs(operation, kind)

    def undo(self) -> None:
        """Take back everything done since the beginning (or the last `keep`)."""
        for triple in self.added:
            self._put(triple, there=False)
        for triple in self.removed:
            self._put(triple, there=True)
        self.keep()

    def keep(self) -> None:
        """What was done is the new beginning."""
        self.added, self.removed = {}, {}

    # -- the forms

    def _data(self, operation: dict[str, Any], part: str) -> Iterable[ox.Triple]:
        template = self._template(operation, part)
        return self._construct(operation, template, "{}", None) if template else ()

    def _modify(self, operation: dict[str, Any], using: list[str] | None, named: list[str] | None) -> None:
        dataset = self._dataset(operation, using, named)
        found = {}
        for part in ("delete", "insert"):
            template = self._template(operation, part)
            found[part] = list(self._construct(operation, template, operation["where"], dataset)) if template else []
        self._apply(found["delete"], found["insert"])

    def _dataset(
        self, operation: dict[str, Any], using: list[str] | None, named: list[str] | None
    ) -> tuple[list[ox.NamedNode], list[ox.NamedNode]] | None:
        """The graphs that the WHERE group sees; None: the default graph and all others."""
        stated = bool(operation["using"] or operation["using_named"])
        if using is not None or named is not None:
            if stated or operation["with"]:
                raise Refused("using-graph-uri and USING or WITH in the text exclude each other", "bad-request")
            return [ox.NamedNode(iri) for iri in using or ()], [ox.NamedNode(iri) for iri in named or ()]
        if stated:
            return (
                [self._resolve(operation, name) for name in operation["using"]],
                [self._resolve(operation, name) for name in operation["using_named"]],
            )
        if operation["with"]:
            graphs = [graph for graph in self.store.named_graphs() if isinstance(graph, ox.NamedNode)]
            return [self._resolve(operation, operation["with"])], graphs
        return None

    def _template(self, operation: dict[str, Any], part: str) -> str:
        """The triples of a template as one text, since all must be for the configuration."""
        texts = []
        for name, text in operation[part]:
            if name is None:
                if operation["with"]:
                    self._writable(self._resolve(operation, operation["with"]))
            elif name[0] in "?$":
                raise Refused(
                    f"GRAPH {name} in a template: an update changes <{self.config.value}> only", "other-graph"
                )
            else:
                self._writable(self._resolve(operation, name))
            texts.append(text)
        return " .\n".join(texts)

    def _writable(self, graph: ox.NamedNode) -> None:
        if graph != self.config:
            raise Refused(
                f"<{graph.value}> is not written by updates: they change <{self.config.value}>, "
                "which is their default graph",
                "other-graph",
            )

    def _resolve(self, operation: dict[str, Any], name: str) -> ox.NamedNode:
        """The IRI that a name stands for, told by the parser itself."""
        asked = self.store.query(
            f"{operation['prologue']} SELECT ({name} AS ?g) {{}}", base_iri=self.base, prefixes=self.prefixes
        )
        assert isinstance(asked, ox.QuerySolutions)
        value = next(iter(asked))["g"]
        assert isinstance(value, ox.NamedNode)
        return value

    def _construct(
        self,
        operation: dict[str, Any],
        template: str,
        where: str,
        dataset: tuple[list[ox.NamedNode], list[ox.NamedNode]] | None,
    ) -> Iterable[ox.Triple]:
        text = f"{operation['prologue']} CONSTRUCT {{ {template} }} WHERE {where}"
        options: dict[str, Any] = {}
        if dataset is not None:
            options = {"default_graph": dataset[0], "named_graphs": dataset[1]}
        found = self.store.query(text, base_iri=self.base, prefixes=self.prefixes, **options)
        assert isinstance(found, ox.QueryTriples)
        return found

    def _graphs(self, operation: dict[str, Any], kind: str) -> None:
        """CLEAR, DROP, CREATE, ADD, COPY, MOVE."""
        target = self._graph(operation, operation["graph"])
        if kind == "create":
            if target == self.config and not operation["silent"]:
                raise Refused("the graph exists already", "graph-exists")
            if target != self.config:
                raise Refused("graphs are not created: an update changes the configuration only", "other-graph")
            return
        if target is None:
            raise Refused(
                f"{kind.upper()} {operation['graph']} would touch other graphs than the configuration", "other-graph"
            )
        self._writable(target)
        if kind in ("clear", "drop"):
            self._apply(self._all(self.config), ())
            return
        source = self._graph(operation, operation["source"])
        assert source is not None
        if source == self.config:
            return
        if kind == "move":
            self._writable(source)
        if not self.store.contains_named_graph(source) and not operation["silent"]:
            raise Refused(f"there is no graph <{source.value}>", "no-such-graph")
        self._apply(self._all(self.config) if kind == "copy" else (), list(self._all(source)))

    def _graph(self, operation: dict[str, Any], name: str) -> ox.NamedNode | None:
        if name in ("NAMED", "ALL"):
            return None
        return self.config if name == "DEFAULT" else self._resolve(operation, name)

    def _all(self, graph: ox.NamedNode) -> list[ox.Triple]:
        return [quad.triple for quad in self.store.quads_for_pattern(None, None, None, graph)]

    # -- the account

    def _apply(self, deleted: Iterable[ox.Triple], inserted: Iterable[ox.Triple]) -> None:
        """First all deletions, then all insertions (SPARQL 1.1 Update, section 3.1.3)."""
        for triple in deleted:
            if self._holds(triple):
                self._put(triple, there=False)
                if self.added.pop(triple, self) is self:
                    self.removed[triple] = None
        for triple in inserted:
            if not self._holds(triple):
                self._put(triple, there=True)
                if self.removed.pop(triple, self) is self:
                    self.added[triple] = None
            if len(self.added) + len(self.removed) > self._limit:
                raise Refused(f"the update changes more than {self._limit} triples", "update-too-large")

    def _holds(self, triple: ox.Triple) -> bool:
        return ox.Quad(triple.subject, triple.predicate, triple.object, self.config) in self.store

    def _put(self, triple: ox.Triple, *, there: bool) -> None:
        for graph in (self.config, ox.DefaultGraph()):
            quad = ox.Quad(triple.subject, triple.predicate, triple.object, graph)
            (self.store.add if there else self.store.remove)(quad)
