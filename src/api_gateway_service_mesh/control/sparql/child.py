"""The process that parses and evaluates callers' queries and updates. It is meant to be killed.

Run by path, alone: nothing of agw is imported but the neighbour `changes`, by its path; else only pyoxigraph and the
standard library. Frames on one socket, both ways: two lengths (network order), a JSON head, a body. It owns no open
file besides that socket and cannot open another: after start-up RLIMIT_NOFILE is the lowest free descriptor, so
SERVICE, LOAD and every file read fail whatever a text says.

The store's default graph is the RDF merge of the graphs named in ``load`` (several default graphs at query time would
answer a triple once per graph).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyoxigraph as ox

HEAD = struct.Struct("!II")
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
FORMATS = {
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
GRAPH_FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdfxml": ox.RdfFormat.RDF_XML,
}
DATASET_FORMATS = {"trig": ox.RdfFormat.TRIG, "nquads": ox.RdfFormat.N_QUADS}
MERGED = ox.NamedNode("urn:agw:graph:merged-for-one-query")
_PLACE = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)
_EXPECTED = re.compile(r'"(?:[^"\\]|\\.)+"|\b[A-Z][A-Z]+\b')


class AnswerTooLarge(Exception):
    """The answer passed its bound in bytes."""


class BoundedBuffer:
    """What an answer is written to; raises `AnswerTooLarge` once it would hold more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.limit = limit

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self.limit:
            raise AnswerTooLarge
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


class Dataset:
    """The store, and what of it belongs to the runtime graph (refreshed often, so by difference)."""

    def __init__(self) -> None:
        self.store = ox.Store()
        self.merged: list[ox.NamedNode] = []
        self.live = ox.NamedNode("urn:live")
        self.runtime: set[ox.Triple] = set()
        self.prefixes: dict[str, str] = {}

    def load(self, head: dict[str, Any], body: bytes) -> None:
        """Replace everything with the N-Quads in `body`; ``default`` names the graphs that make the default graph,
        together with the one that ``runtime`` names."""
        self.store = ox.Store()
        self.runtime = set()
        self.prefixes = head["prefixes"]
        self.live = ox.NamedNode(head["runtime"])
        self.store.bulk_load(body, format=ox.RdfFormat.N_QUADS, lenient=True)  # written by the gateway
        self.merged = [ox.NamedNode(iri) for iri in head["default"]]
        for graph in self.merged:
            if self.store.contains_named_graph(graph):
                self.store.update(f"ADD {graph} TO DEFAULT")

    def refresh(self, body: bytes) -> None:
        """Make the runtime graph the N-Triples in `body`."""
        live = {quad.triple for quad in ox.parse(body, format=ox.RdfFormat.N_TRIPLES)}
        for triple in self.runtime - live:
            subject, predicate, value = triple
            self.store.remove(ox.Quad(subject, predicate, value, self.live))
            if not any(ox.Quad(subject, predicate, value, graph) in self.store for graph in self.merged):
                self.store.remove(ox.Quad(subject, predicate, value))
        added = live - self.runtime
        for graph in (self.live, ox.DefaultGraph()):
            self.store.extend(ox.Quad(t.subject, t.predicate, t.object, graph) for t in added)
        self.runtime = live

    def change(self, head: dict[str, Any], body: bytes) -> None:
        """Go to the next revision: the N-Quads in `body`, the first ``removed`` bytes of which go, the rest come."""
        split = head["removed"]
        self.prefixes = head["prefixes"]
        for quad in ox.parse(body[:split], format=ox.RdfFormat.N_QUADS):
            self.store.remove(quad)
            triple = quad.triple
            held = (ox.Quad(triple.subject, triple.predicate, triple.object, graph) for graph in self.merged)
            if quad.graph_name in self.merged and triple not in self.runtime and not any(q in self.store for q in held):
                self.store.remove(ox.Quad(triple.subject, triple.predicate, triple.object))
        for quad in ox.parse(body[split:], format=ox.RdfFormat.N_QUADS):
            self.store.add(quad)
            if quad.graph_name in self.merged:
                self.store.add(ox.Quad(quad.subject, quad.predicate, quad.object))

    def update(self, head: dict[str, Any], text: str) -> tuple[dict[str, Any], bytes]:
        """What an update would add to the configuration and take from it, as N-Triples: ``added`` bytes, then what is
        removed. The store is as before afterwards."""
        changes = neighbour("changes")
        try:
            added, removed = changes.changed(self.store, self.prefixes, head, text)
        except SyntaxError as error:
            return syntax_answer(str(error)), b""
        except changes.Refused as error:
            return {"status": "refused", "problem": error.problem, "message": str(error)}, b""
        return {"status": "ok", "added": len(added)}, added + removed

    @contextmanager
    def dataset(self, head: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The arguments that make a query see the graphs it names. Several default graphs are merged for it, or a
        triple that two of them hold would be found twice."""
        default, named = head["default_graphs"], head["named_graphs"]
        if default is None and head["from"] is None:
            yield {}
            return
        if default is None:
            stated, stated_named = ([self.resolve(head, name) for name in names] for names in head["from"])
        else:
            stated, stated_named = ([ox.NamedNode(iri) for iri in names] for names in (default, named))
        if len(stated) < 2:
            yield {"default_graph": stated, "named_graphs": stated_named}
            return
        try:
            for graph in stated:
                if self.store.contains_named_graph(graph):
                    self.store.update(f"ADD {graph} TO {MERGED}")
            yield {"default_graph": [MERGED], "named_graphs": stated_named}
        finally:
            self.store.remove_graph(MERGED)

    def resolve(self, head: dict[str, Any], name: str) -> ox.NamedNode:
        """The IRI that a name in the text's dataset clause stands for."""
        asked = self.store.query(
            f"{head['prologue']} SELECT ({name} AS ?g) {{}}", base_iri=head.get("base"), prefixes=self.prefixes
        )
        return cast("ox.NamedNode", next(iter(cast("ox.QuerySolutions", asked)))["g"])

    def query(self, head: dict[str, Any], text: str) -> tuple[dict[str, Any], bytes]:
        """Evaluate one query; the head of the answer says ``ok``, ``syntax``, ``not-acceptable``, ``too-large`` or
        ``error``."""
        try:
            with self.dataset(head) as dataset:
                return self.answer(
                    head, self.store.query(text, base_iri=head.get("base"), prefixes=self.prefixes, **dataset)
                )
        except SyntaxError as error:
            return syntax_answer(str(error)), b""

    def answer(
        self, head: dict[str, Any], results: ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples
    ) -> tuple[dict[str, Any], bytes]:
        """The results in the format asked for."""
        kind = kind_of(results)
        chosen = head["formats"].get(kind)
        if chosen is None:
            return {"status": "not-acceptable", "kind": kind}, b""
        buffer = BoundedBuffer(head["bytes"])
        output = cast("IO[bytes]", buffer)
        try:
            if isinstance(results, ox.QueryTriples):
                ox.serialize(results, output, GRAPH_FORMATS[chosen], prefixes=self.prefixes)
            else:
                results.serialize(output, FORMATS[chosen])
        except AnswerTooLarge:
            return {"status": "too-large", "kind": kind}, b""
        return {"status": "ok", "kind": kind, "format": chosen}, b"".join(buffer.parts)

    def graph(self, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """One graph of the dataset (``graph`` None: the default graph; ``*``: all of it) in a format."""
        name, chosen = head["graph"], head["format"]
        buffer = BoundedBuffer(head["bytes"])
        output = cast("IO[bytes]", buffer)
        try:
            if name == "*":
                quads = self.store.quads_for_pattern(None, None, None, None)
                held = (quad for quad in quads if not isinstance(quad.graph_name, ox.DefaultGraph))
                ox.serialize(held, output, DATASET_FORMATS[chosen], prefixes=self.prefixes)
            else:
                graph = ox.DefaultGraph() if name is None else ox.NamedNode(name)
                found = (quad.triple for quad in self.store.quads_for_pattern(None, None, None, graph))
                triples = sorted(found, key=order) if chosen == "turtle" else found
                ox.serialize(triples, output, GRAPH_FORMATS[chosen], prefixes=self.prefixes)
        except AnswerTooLarge:
            return {"status": "too-large", "kind": "graph"}, b""
        return {"status": "ok", "kind": "graph", "format": chosen}, b"".join(buffer.parts)


def order(triple: ox.Triple) -> tuple[str, bool, str]:
    """What brings the triples of a subject together, its types first."""
    predicate = triple.predicate.value
    return str(triple.subject), not predicate.endswith("#type"), predicate


def parsed(head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """A document somebody sent, as N-Triples."""
    try:
        quads = ox.parse(body, format=GRAPH_FORMATS[head["format"]], base_iri=head["base"], rename_blank_nodes=True)
        text = ox.serialize((quad.triple for quad in quads), format=ox.RdfFormat.N_TRIPLES) or b""
    except SyntaxError as error:
        return {"status": "refused", "problem": "syntax", "message": str(error)[:500]}, b""
    return {"status": "ok"}, text


def neighbour(name: str) -> Any:
    """The module of this name beside this file, loaded by its path."""
    module = sys.modules.get(f"agw_{name}")
    if module is None:
        spec = importlib.util.spec_from_file_location(f"agw_{name}", Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"agw_{name}"] = module
        spec.loader.exec_module(module)
    return module


def kind_of(results: object) -> str:
    """``solutions`` (SELECT), ``boolean`` (ASK) or ``graph`` (CONSTRUCT, DESCRIBE)."""
    if isinstance(results, ox.QuerySolutions):
        return "solutions"
    return "boolean" if isinstance(results, ox.QueryBoolean) else "graph"


def syntax_answer(message: str) -> dict[str, Any]:
    """The parser's message with place, its list of expected things cut to those a person would type."""
    place = _PLACE.match(message)
    if place is None:
        return {"status": "syntax", "message": message[:300], "line": None, "column": None}
    line, column, rest = int(place[1]), int(place[2]), place[3]
    if "Prefix not found" in rest:
        rest = "this prefix is not declared"
    elif rest.startswith("expected"):
        expected = list(dict.fromkeys(_EXPECTED.findall(rest)))
        rest = "expected " + (" or ".join(expected[:8]) if expected else "the text to go on differently")
        rest += " …" if len(expected) > 8 else ""
    return {"status": "syntax", "message": rest[:300], "line": line, "column": column}


def memory(statm: int) -> int:
    """The address space in use, in bytes (`statm` is an open ``/proc/self/statm``: nothing can be opened any more)."""
    return int(os.pread(statm, 64, 0).split()[0]) * resource.getpagesize()


def harden(parent: int, nice: int) -> None:
    """Die with the parent, never gain rights, give way to the data plane, write no file, open none. The last step."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))


def bound(head: dict[str, Any], statm: int) -> None:
    """Memory over what is in use now, and CPU seconds over what is spent, for one query."""
    space = memory(statm) + int(head["memory"])
    resource.setrlimit(resource.RLIMIT_AS, (space, resource.RLIM_INFINITY))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + head["seconds"]) + 2, resource.RLIM_INFINITY))


def unbound() -> None:
    """Lift the bounds of a query: what loads next is the gateway's own."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def receive(channel: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None when the parent is gone."""
    start = exactly(channel, HEAD.size)
    if start is None:
        return None
    head_size, body_size = HEAD.unpack(start)
    head, body = exactly(channel, head_size), exactly(channel, body_size)
    return None if head is None or body is None else (json.loads(head), body)


def exactly(channel: socket.socket, size: int) -> bytes | None:
    """`size` bytes, or None at the end of the stream."""
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        read = channel.recv_into(view[done:])
        if not read:
            return None
        done += read
    return bytes(data)


def send(channel: socket.socket, head: dict[str, Any], body: bytes) -> None:
    """One frame."""
    text = json.dumps(head).encode()
    channel.sendall(HEAD.pack(len(text), len(body)) + text)
    channel.sendall(body)


def serve(channel: socket.socket, statm: int) -> None:
    """Answer frames, one at a time, until the parent goes."""
    dataset = Dataset()
    send(channel, {"status": "ready"}, b"")
    while (frame := receive(channel)) is not None:
        head, body = frame
        answer: tuple[dict[str, Any], bytes] = ({"status": "ok"}, b"")
        try:
            if head["op"] == "load":
                dataset.load(head, body)
            elif head["op"] == "runtime":
                dataset.refresh(body)
            elif head["op"] == "change":
                dataset.change(head, body)
            else:
                bound(head, statm)
                answer = evaluated(dataset, head, body)
        except (Exception, MemoryError) as error:
            answer = ({"status": "error", "message": f"{type(error).__name__}: {error}"[:300]}, b"")
        unbound()
        send(channel, *answer)


def evaluated(dataset: Dataset, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """What a caller asked for."""
    if head["op"] == "update":
        return dataset.update(head, body.decode())
    if head["op"] == "parse":
        return parsed(head, body)
    if head["op"] == "graph":
        return dataset.graph(head)
    return dataset.query(head, body.decode())


def main() -> None:
    """``child.py FD PARENT [NICE]``: its socket, the parent's process id, and by how much it gives way (15)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    # Whatever is loaded lazily is loaded now: nothing can be imported once the descriptors are gone.
    warm = Dataset()
    warm.load({"prefixes": {}, "default": ["urn:a"], "runtime": "urn:b"}, b"<urn:s> <urn:p> <urn:o> <urn:a> .\n")
    formats = {"solutions": "json", "boolean": "json", "graph": "turtle"}
    head: dict[str, Any] = {"default_graphs": None, "named_graphs": [], "from": None, "formats": formats}
    head["bytes"] = 10_000
    neighbour("changes")
    warm.update({"operations": [], "config": "urn:a", "limit": 1, "using": None, "using_named": None}, "CLEAR ALL")
    for text in ("SELECT * WHERE { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }", "ASK { ?s ?p ?o }", "SELECT"):
        warm.query(head, text)
    harden(int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 15)
    serve(channel, statm)


if __name__ == "__main__":
    main()
