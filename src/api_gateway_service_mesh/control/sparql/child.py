"""The process that parses and evaluates callers' queries. It is meant to be killed.

Run by path, alone: nothing of agw is imported, only pyoxigraph and the standard library. Frames on one socket, both
ways: two lengths (network order), a JSON head, a body. It owns no open file besides that socket and cannot open
another: after start-up RLIMIT_NOFILE is the lowest free descriptor, so SERVICE, LOAD and every file read fail
whatever a text says.

The store's default graph is the RDF merge of the graphs named in ``load`` (several default graphs at query time would
answer a triple once per graph).
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
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
        self.store.bulk_load(body, format=ox.RdfFormat.N_QUADS)
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

    def query(self, head: dict[str, Any], text: str) -> tuple[dict[str, Any], bytes]:
        """Evaluate one query; the head of the answer says ``ok``, ``syntax``, ``not-acceptable``, ``too-large`` or
        ``error``."""
        dataset: dict[str, Any] = {}
        if head["default_graphs"] is not None:
            dataset["default_graph"] = [ox.NamedNode(iri) for iri in head["default_graphs"]]
            dataset["named_graphs"] = [ox.NamedNode(iri) for iri in head["named_graphs"]]
        try:
            results = self.store.query(text, prefixes=self.prefixes, **dataset)
        except SyntaxError as error:
            return syntax_answer(str(error)), b""
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


def harden(parent: int) -> None:
    """Die with the parent, never gain rights, give way to the data plane, write no file, open none. The last step."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
    os.nice(15)
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
            else:
                bound(head, statm)
                answer = dataset.query(head, body.decode())
        except (Exception, MemoryError) as error:
            answer = ({"status": "error", "message": f"{type(error).__name__}: {error}"[:300]}, b"")
        unbound()
        send(channel, *answer)


def main() -> None:
    """``child.py FD PARENT``: the descriptor of the socket, and the parent's process id."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    # Whatever is loaded lazily is loaded now: nothing can be imported once the descriptors are gone.
    warm = Dataset()
    warm.load({"prefixes": {}, "default": ["urn:a"], "runtime": "urn:b"}, b"<urn:s> <urn:p> <urn:o> <urn:a> .\n")
    formats = {"solutions": "json", "boolean": "json", "graph": "turtle"}
    head: dict[str, Any] = {"default_graphs": None, "named_graphs": [], "formats": formats, "bytes": 10_000}
    for text in ("SELECT * WHERE { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }", "ASK { ?s ?p ?o }", "SELECT"):
        warm.query(head, text)
    harden(int(sys.argv[2]))
    serve(channel, statm)


if __name__ == "__main__":
    main()
