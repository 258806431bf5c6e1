"""The configuration in a triple store that others use too (``--store http://…``): SPARQL query and update over HTTP.

The store is asked again every few seconds, or when ``POST /reload`` says that it changed. A write is one update request
that does nothing unless the configuration is still the one it was made from: a mark in the store's history graph says
which revision is the latest, and every gateway moves it on with what it writes; that others changed the graph without
moving it shows in the number of its triples. An outage changes nothing, and neither does an empty graph.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qs, urlencode, urlunsplit

import pyoxigraph as ox

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.document import Document
from api_gateway_service_mesh.graph.nesting import TooDeep, check_depth
from api_gateway_service_mesh.graph.terms import GENID
from api_gateway_service_mesh.model.url import url_parts
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_HISTORY

from .delta import Delta, applied, between, ntriples
from .history import Revision, revision_triples
from .reload import Fingerprint
from .store import StoreConflict, StoreUnavailable

__all__ = ["RemoteStore"]

_HEAD = "<urn:agw:store:head>"
_IDENTIFIER = "<http://purl.org/dc/terms/identifier>"
_QUICK_SECONDS = 0.1
_WHOLE_SECONDS = 30.0
_BYTES = 256 * 1024 * 1024


class RemoteStore:
    """A SPARQL 1.1 endpoint pair.

    Args:
        url: of the dataset (``…/query`` and ``…/update`` are below it, as Oxigraph and Fuseki have them), or of its
            query endpoint. ``?graph=IRI`` names another graph than ``urn:agw:graph:config``. The environment variable
            ``AGW_STORE_AUTHORIZATION`` is sent as the Authorization field.
        seed: files that make the graph where it is empty at the first start.
    """

    read_only: str | None = None
    remark: str | None = None
    compiled: Path | None = None
    watched: Sequence[Path] = ()
    written: Fingerprint = MappingProxyType({})

    def __init__(
        self, url: str, seed: Sequence[Path] = (), *, poll_seconds: float = 2.0, timeout: float = 10.0
    ) -> None:
        parts = url_parts(url, "write http://host:port, or the address of its Graph Store protocol")
        self._graph = f"<{ox.NamedNode(parse_qs(parts.query).get('graph', [GRAPH_CONFIG])[0]).value}>"
        self._all = f"GRAPH {self._graph} {{ ?s ?p ?o }}"
        self._counted = f"{{ SELECT (COUNT(*) AS ?count) WHERE {{ {self._all} }} }}"
        path = parts.path.rstrip("/")
        base = path.rpartition("/")[0] if path.endswith(("/query", "/sparql")) else path
        asked = path if base != path else f"{path}/query"
        self._query_url = urlunsplit((parts.scheme, parts.netloc, asked, "", ""))
        self._update_url = urlunsplit((parts.scheme, parts.netloc, f"{base}/update", "", ""))
        self.poll_seconds: float | None = poll_seconds
        self._name = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
        self._seed = tuple(seed)
        self._timeout = timeout
        self._document = Document(self._name, "", folder=self._seed[0].resolve().parent if self._seed else Path.cwd())
        self._source: SourceGraph | None = None
        self._has_blank_nodes = False
        self._state: tuple[str, int] = ("", -1)
        self._fetched = (0.0, 0.0)
        self._last: tuple[SourceGraph, Revision] | None = None

    def read(self, served: SourceGraph | None = None) -> SourceGraph:
        """See `ConfigStore`."""
        state = self._probe()
        at, took = self._fetched
        unchanged = self._source is not None and state == self._state
        if unchanged and self._source is not None and took > _QUICK_SECONDS and time.monotonic() - at < _WHOLE_SECONDS:
            return self._source
        started = time.monotonic()
        triples = self._fetch()
        for _ in range(3):
            after = self._probe()
            if after == state:
                break
            state, triples = after, self._fetch()
        self._fetched = (time.monotonic(), time.monotonic() - started)
        if not triples:
            return self._empty()
        self._state = state
        self._has_blank_nodes = any(type(t.subject) is ox.BlankNode or type(t.object) is ox.BlankNode for t in triples)
        found = SourceGraph.of(triples)
        if self._source is None:
            self._source = found.restated(documents=(self._document,))
        elif delta := between(self._source, found):
            self._source = applied(self._source, delta).restated(documents=(self._document,))
        return self._source

    def _empty(self) -> SourceGraph:
        if self._source is None and self._seed:
            self._state = self._probe()
            return SourceGraph.load(list(self._seed))
        raise ConfigError(
            Finding(
                "empty-store",
                f"the graph {self._graph} of {self._name} is empty",
                remedy="load a configuration into it, or name files to begin with: agw serve --store URL FILE…",
            )
        )

    def _fetch(self) -> tuple[ox.Triple, ...]:
        text = self._ask(f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH {self._graph} {{ ?s ?p ?o }} }}",
                         "application/n-triples")  # fmt: skip
        try:
            check_depth(text.decode())
            return tuple(quad.triple for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES))
        except (SyntaxError, TooDeep, UnicodeDecodeError) as error:
            raise StoreUnavailable(f"{self._name} answers with something that is no graph: {error}") from None

    def _probe(self) -> tuple[str, int]:
        """The mark of the latest revision, and the number of triples."""
        found = self._ask(
            f"SELECT ?head ?count WHERE {{ {self._counted} "
            f"OPTIONAL {{ GRAPH <{GRAPH_HISTORY}> {{ {_HEAD} {_IDENTIFIER} ?head }} }} }}",
            "application/sparql-results+json",
        )
        try:
            row = json.loads(found)["results"]["bindings"][0]
            return row.get("head", {}).get("value", ""), int(row["count"]["value"])
        except (ValueError, KeyError, IndexError, TypeError):
            raise StoreUnavailable(f"{self._name} does not answer as a SPARQL endpoint does") from None

    def content(self, source: SourceGraph | None = None) -> str | None:
        """See `ConfigStore`."""
        return None

    def propose(self, source: SourceGraph, delta: Delta) -> SourceGraph:
        """See `ConfigStore`."""
        if self._source is not None and source.digest != self._source.digest:
            raise StoreConflict(f"{self._name} holds another configuration than the one that is served")
        return applied(source, delta).restated(documents=(self._document,))

    def commit(self, revision: Revision, source: SourceGraph) -> None:
        """See `ConfigStore`. What was read from the store is there already."""
        self._last = None
        if source is self._source:
            return
        old = self._source
        delta = between(old, source)
        whole = self._has_blank_nodes and any(_touches_blank(triple) for triple in (*delta.added, *delta.removed))
        head, count = self._state
        mark = uuid.uuid4().hex
        guard = f'GRAPH <{GRAPH_HISTORY}> {{ {_HEAD} {_IDENTIFIER} "{mark}" }}'
        steps = [
            f"DELETE {{ GRAPH <{GRAPH_HISTORY}> {{ {_HEAD} {_IDENTIFIER} ?old }} }} INSERT {{ {guard} }} WHERE {{ "
            f"{self._counted} FILTER(?count = {count}) "
            f"OPTIONAL {{ GRAPH <{GRAPH_HISTORY}> {{ {_HEAD} {_IDENTIFIER} ?old }} }} "
            f'FILTER(COALESCE(STR(?old), "") = "{head}") }}'
        ]
        removed, added = (delta.removed, delta.added) if not whole else ((), source.triples)
        if whole:
            steps.append(f"DELETE {{ {self._all} }} WHERE {{ {guard} {self._all} }}")
        if removed:
            steps.append(f"DELETE {{ GRAPH {self._graph} {{ {_text(removed)} }} }} WHERE {{ {guard} }}")
        if added:
            steps.append(f"INSERT {{ GRAPH {self._graph} {{ {_text(added)} }} }} WHERE {{ {guard} }}")
        told = revision_triples(revision, f"urn:agw:revision:{mark}", f"urn:agw:revision:{head}" if head else None)
        steps.append(f"INSERT {{ GRAPH <{GRAPH_HISTORY}> {{ {_text(told)} }} }} WHERE {{ {guard} }}")
        self._send(" ;\n".join(steps))
        state = self._probe()
        if state[0] != mark:
            raise StoreConflict(
                f"somebody else changed {self._name} at the same time", remedy="read it again, and make the change anew"
            )
        self._state = state
        self._has_blank_nodes = self._has_blank_nodes and not whole
        if old is not None:
            self._last = (old, revision)
        self._source = source.restated(documents=(self._document,))

    def retract(self) -> None:
        """See `ConfigStore`."""
        if self._last is not None:
            old, revision = self._last
            self.commit(replace(revision, author=replace(revision.author, why="taken back: it could not go live")), old)

    def _ask(self, query: str, accept: str) -> bytes:
        return self._call(self._query_url, {"query": query}, accept)

    def _send(self, update: str) -> None:
        self._call(self._update_url, {"update": update}, "*/*")

    def _call(self, url: str, form: dict[str, str], accept: str) -> bytes:
        fields = {"Accept": accept, "Content-Type": "application/x-www-form-urlencoded"}
        if authorization := os.environ.get("AGW_STORE_AUTHORIZATION"):
            fields["Authorization"] = authorization
        request = urllib.request.Request(url, urlencode(form).encode(), fields)  # noqa: S310 - the operator's own URL
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                body: bytes = answer.read(_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise StoreUnavailable(f"{self._name} answers {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise StoreUnavailable(f"{self._name} does not answer: {reason}") from None
        if len(body) > _BYTES:
            raise StoreUnavailable(f"{self._name} answers with more than {_BYTES} bytes")
        return body

    def restored(self) -> Sequence[Revision]:
        """See `ConfigStore`: what others wrote is in the store's history graph, and not counted as this gateway's."""
        return ()

    def delta(self, number: int) -> Delta | None:
        """See `ConfigStore`."""
        return None

    def close(self) -> None:
        """See `ConfigStore`: every request had a connection of its own."""


def _text(triples: Sequence[ox.Triple]) -> str:
    return ntriples(triples).decode()


def _touches_blank(triple: ox.Triple) -> bool:
    return any(type(term) is ox.NamedNode and term.value.startswith(GENID) for term in (triple.subject, triple.object))
