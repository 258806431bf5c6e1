"""Change gates: questions about what is served and what would be, asked before a change goes live.

They, and the queries of packs that are not agw's own, are asked in a process that is killed at its bound
(`sparql.child`): a question that is not answered refuses the change.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pyoxigraph import NamedNode, Quad, RdfFormat, serialize

from api_gateway_service_mesh.errors import ConfigError, Finding, Report
from api_gateway_service_mesh.graph import InferredGraph
from api_gateway_service_mesh.graph.excerpt import secret_properties
from api_gateway_service_mesh.graph.findings import sentences
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_RUNTIME, PREFIXES

from .packs import ChangeGate, Packs

__all__ = ["GRAPH_NEW", "GRAPH_OLD", "gate_findings", "try_queries"]

GRAPH_OLD, GRAPH_NEW = "urn:agw:graph:old", "urn:agw:graph:new"
SECONDS = 5.0
_MEMORY = 1024**3
_ANSWER = 16 * 1024 * 1024
_START_SECONDS = 30.0
_HEAD = struct.Struct("!II")
_CHILD = Path(__file__).parent / "sparql" / "child.py"


class Unanswered(Exception):
    """A question that was not answered, and why."""


class _Asked:
    """A process that answers questions about a few graphs; it ends with the ``with``."""

    def __init__(self, graphs: Mapping[str, InferredGraph], default: str) -> None:
        self._body = b"".join(_quads(inferred, name) for name, inferred in graphs.items())
        self._default = default

    def __enter__(self) -> Self:
        self._channel, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", str(_CHILD), str(theirs.fileno()), str(os.getpid())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
        except BaseException:
            self._channel.close()
            raise
        try:
            self._receive(time.monotonic() + _START_SECONDS)
            head: dict[str, Any] = {
                "op": "load",
                "prefixes": PREFIXES,
                "default": [self._default],
                "runtime": GRAPH_RUNTIME,
            }
            self._ask(head, self._body, _START_SECONDS)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._channel.close()
        self._process.wait()

    def query(self, text: str) -> bytes:
        """The answer as JSON.

        Raises:
            Unanswered: it takes too much, or fails.
        """
        head: dict[str, Any] = {
            "op": "query",
            "default_graphs": None,
            "named_graphs": [],
            "from": None,
            "formats": {"boolean": "json", "solutions": "json"},
            "bytes": _ANSWER,
            "memory": _MEMORY,
            "seconds": SECONDS,
        }
        answer, body = self._ask(head, text.encode(), SECONDS)
        if answer["status"] != "ok":
            raise Unanswered(str(answer.get("message") or answer["status"]))
        return body

    def _ask(self, head: Mapping[str, Any], body: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + seconds
        text = json.dumps(head).encode()
        try:
            self._channel.settimeout(seconds)
            self._channel.sendall(_HEAD.pack(len(text), len(body)) + text + body)
        except OSError:
            raise Unanswered("the question ended its process") from None
        return self._receive(deadline)

    def _receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        head_size, body_size = _HEAD.unpack(self._exactly(_HEAD.size, deadline))
        head: dict[str, Any] = json.loads(self._exactly(head_size, deadline))
        return head, self._exactly(body_size, deadline)

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unanswered(f"it was stopped after {SECONDS:g} s")
            self._channel.settimeout(left)
            try:
                part = self._channel.recv(size - len(data))
            except TimeoutError:
                raise Unanswered(f"it was stopped after {SECONDS:g} s") from None
            except OSError:
                part = b""
            if not part:
                raise Unanswered("it ended its process, for want of memory or time")
            data += part
        return bytes(data)


def _quads(inferred: InferredGraph, graph: str) -> bytes:
    name = NamedNode(graph)
    secrets = secret_properties(inferred)
    quads = (
        Quad(triple.subject, triple.predicate, triple.object, name)
        for triple in inferred.triples
        if triple.predicate not in secrets
    )
    return serialize(quads, format=RdfFormat.N_QUADS) or b""


def gate_findings(gates: Iterable[ChangeGate], old: InferredGraph, new: InferredGraph) -> tuple[Finding, ...]:
    """What the gates have against going from one configuration to another."""
    todo = tuple(gates)
    found: list[Finding] = []
    while todo:
        gate = todo[0]
        try:
            # A question that is stopped takes its process with it; the next one gets another.
            with _Asked({GRAPH_OLD: old, GRAPH_NEW: new}, GRAPH_NEW) as asked:
                while todo:
                    gate, todo = todo[0], todo[1:]
                    if not json.loads(asked.query(gate.ask))["boolean"]:
                        message, remedy = sentences(gate.message)
                        found.append(Finding("change-gate", message, subject=gate.iri, remedy=remedy))
        except Unanswered as why:
            found.append(_unanswered(f"the change gate of the policy pack {gate.pack}", gate.iri, why))
            todo = todo[1:] if todo and todo[0] is gate else todo
    return tuple(found)


def try_queries(packs: Packs, inferred: InferredGraph) -> None:
    """Ask the queries that nobody vouches for, where they can be stopped.

    Raises:
        ConfigError: one of them takes more than it may.
    """
    if not packs.trials:
        return
    with _Asked({GRAPH_CONFIG: inferred}, GRAPH_CONFIG) as asked:
        for name, query in packs.trials:
            try:
                asked.query(query)
            except Unanswered as why:
                raise ConfigError(Report((_unanswered(f"the query of the shape <{name}>", name, why),))) from None


def _unanswered(what: str, subject: str, why: Unanswered) -> Finding:
    return Finding(
        "policy-unanswered",
        f"{what} has no answer ({why}), so nothing is taken for granted",
        subject=subject,
        remedy="make the query cheaper, or take the pack away",
    )
