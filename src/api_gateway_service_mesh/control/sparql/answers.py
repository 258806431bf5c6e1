"""What the query service is given and what it answers: bounds, dataset, results, and the sentences of refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api_gateway_service_mesh.errors import AgwError, Origin

from .guard import GuardLimits, QueryRefused

__all__ = ["Answer", "Changes", "Dataset", "QueryUnavailable", "SparqlLimits", "failed", "judged"]


@dataclass(frozen=True, slots=True)
class SparqlLimits:
    """Bounds on one query and on how many run. ``memory_bytes`` is over what the dataset takes; ``waiting`` is how many
    may queue for a child, at most ``queue_seconds`` each. ``changes``: triples that one update may add and remove."""

    seconds: float = 5.0
    answer_bytes: int = 10 * 1024 * 1024
    graph_bytes: int = 256 * 1024 * 1024
    memory_bytes: int = 1024**3
    children: int = 2
    waiting: int = 32
    changes: int = 1_000_000
    queue_seconds: float = 1.0
    load_seconds: float = 60.0
    guard: GuardLimits = field(default_factory=GuardLimits)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a child is loaded with. ``quads`` makes the N-Quads (called in a thread, once for each child and revision);
    ``default`` are the graphs whose merge, together with ``runtime``, is the default graph. ``changes`` makes the
    N-Quads that go and those that come from the revision ``previous`` to this one; None: there is no short way."""

    revision: int
    quads: Callable[[], bytes]
    default: tuple[str, ...]
    runtime: str
    prefixes: Mapping[str, str] = field(default_factory=dict)
    previous: int = -1
    changes: Callable[[], tuple[bytes, bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A serialised result. ``kind`` is ``solutions``, ``boolean`` or ``graph``; ``form`` the key of its format."""

    kind: str
    form: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update comes to, as N-Triples."""

    added: bytes
    removed: bytes


class QueryUnavailable(AgwError):
    """No answer now: every child is busy, being replaced, or was just killed for this query."""

    origin = Origin.INTERNAL
    retryable = True
    status = 503

    def __init__(self, message: str, *, problem: str, remedy: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, remedy=remedy)
        self.problem = problem
        self.retry_after = retry_after


def judged(answer: Mapping[str, Any], body: bytes, limits: SparqlLimits) -> Answer:
    """A child's answer as a result.

    Raises:
        QueryRefused, QueryUnavailable: what the child says instead.
    """
    status = answer["status"]
    if status == "ok":
        return Answer(answer["kind"], answer["format"], body)
    if status == "not-acceptable":
        raise QueryRefused(
            f"this query answers with {_KINDS[answer['kind']]}, and the Accept field names no format for that",
            status=406,
            problem="not-acceptable",
        )
    if status == "too-large":
        raise QueryRefused(
            f"the answer has more than {limits.answer_bytes} bytes",
            status=413,
            problem="answer-too-large",
            remedy="add a LIMIT, and page with OFFSET",
        )
    failed(answer)
    raise AssertionError(status)


def failed(answer: Mapping[str, Any]) -> None:
    """Raise what a child says went wrong, if anything did."""
    status = answer["status"]
    if status == "ok":
        return
    if status == "syntax":
        line, column = answer["line"], answer["column"]
        where = f" at line {line}, column {column}" if line else ""
        raise QueryRefused(
            f"the query is not SPARQL 1.1{where}: {answer['message']}",
            problem="query-syntax",
            place=(line, column) if line else None,
        )
    message = str(answer.get("message"))
    if message.startswith("MemoryError"):
        raise QueryUnavailable("the query needed more memory than a query may have", problem="query-resources")
    raise QueryRefused(f"the query could not be evaluated: {message}", problem="query-failed")


_KINDS = {"solutions": "a table", "boolean": "true or false", "graph": "a graph"}
