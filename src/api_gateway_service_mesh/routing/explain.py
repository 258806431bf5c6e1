"""Why a request goes where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .citation import match_citations
from .cors import preflight_method, routed
from .decision import ExplainRequest, Verdict, reason, rung, verdicts
from .effect import Citation, Part, effects
from .entry import RouteEntry
from .host import host_holds
from .path import ANY_SEGMENT, path_holds
from .precedence import Precedence
from .table import RoutingTable

__all__ = ["MOST_CANDIDATES", "Candidate", "ExplainRequest", "Explanation", "explain"]

MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route that took the request, could have, or came near, with every predicate's verdict."""

    entry: RouteEntry
    verdicts: tuple[Verdict, ...]
    rung: Precedence | None

    @property
    def held(self) -> bool:
        """Whether all its predicates held."""
        return self.rung is not None

    place: int = -1
    """Where the route stands in the table."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision.

    ``candidates``: first the routes that hold, in precedence order, then those that came near, nearest first (at most
    `MOST_CANDIDATES` in all; ``omitted`` says how many are left out). ``why`` says by which element of the order the
    winner beat the next. Without a winner ``status`` is 404 or 405 and ``allow`` the methods of a 405. ``parts`` are
    the winner's policies and targets. ``citations`` are the triples that the decision hangs on: taking any of them away
    would change it.
    """

    request: ExplainRequest
    candidates: tuple[Candidate, ...]
    winner: RouteEntry | None
    why: str
    status: int | None
    allow: tuple[str, ...]
    parts: tuple[Part, ...]
    citations: tuple[Citation, ...]
    omitted: int = 0
    place: int | None = None
    """Where the winner stands in the table."""


def explain(table: RoutingTable, request: ExplainRequest, weights: Mapping[str, float] | None = None) -> Explanation:
    """Explain what `table` does with `request`. Looks at every route: for people, not for the hot path. `weights`: the
    shares of splits as they are now, per cent, by the split's IRI, where it is known."""
    host = request.host.lower()
    winner = routed(table, host, request.method, request.path, request.query, request.fields)
    asked = preflight_method(request.method, request.fields.get)
    preflight = asked is not None and winner is not None and winner.route.cors is not None
    matched = replace(request, method=asked) if preflight and asked is not None else request
    candidates, omitted = _candidates(table, matched)
    allow = () if winner is not None else table.allowed_methods(host, request.path)
    refused = request.method not in allow and bool(allow)
    parts = effects(table.mesh, winner.route, weights, request) if winner is not None else ()
    cited = (
        *match_citations(table.entries, matched, winner),
        *(citation for part in parts for citation in part.citations),
    )
    return Explanation(
        request=request,
        candidates=candidates,
        winner=winner,
        why=_why(candidates, winner),
        status=None if winner is not None else 405 if refused else 404,
        allow=allow if refused else (),
        parts=parts,
        citations=tuple(dict.fromkeys(cited)),
        omitted=omitted,
        place=table.place(winner) if winner is not None else None,
    )


def _candidates(table: RoutingTable, request: ExplainRequest) -> tuple[tuple[Candidate, ...], int]:
    holding: list[tuple[Precedence, Candidate]] = []
    near: list[tuple[int, int, RouteEntry]] = []
    for place, entry in enumerate(table.entries):
        key = rung(entry, request)
        if key is not None:
            holding.append((key, Candidate(entry, verdicts(entry, request), key, place)))
        elif (distance := _distance(entry, request)) is not None:
            near.append((distance, place, entry))
    holding.sort(key=lambda pair: pair[0])
    near.sort(key=lambda triple: triple[:2])
    shown = [candidate for _, candidate in holding[:MOST_CANDIDATES]]
    room = MOST_CANDIDATES - len(shown)
    shown += [Candidate(entry, verdicts(entry, request), None, place) for _, place, entry in near[:room]]
    return tuple(shown), len(holding) + len(near) - len(shown)


def _distance(entry: RouteEntry, request: ExplainRequest) -> int | None:
    """How far a route that does not hold is from holding; None: it does not come near.

    Near is a route whose path holds (1 for each other predicate that fails), and on the same host one whose path
    differs in case or a slash at the end (5 more), has one segment more or less, or one that is spelt alike (10 more).
    """
    if path_holds(entry.path, request.path):
        return _failed(entry, request)
    if not any(host_holds(key, request.host.lower()) for key in entry.hosts):
        return None
    if entry.path.text.rstrip("/").lower() == request.path.rstrip("/").lower():
        return 4 + _failed(entry, request)
    wanted = entry.path.segments or tuple(entry.path.text.split("/")[1:])
    got = request.path.split("/")[1:]
    missing = len(wanted) - len(got)
    differing = [pair for pair in zip(wanted, got, strict=False) if pair[0] not in (pair[1], ANY_SEGMENT)]
    if entry.path.open_ended and missing < 0:
        missing = 0
    near = (abs(missing) == 1 and not differing and max(len(wanted), len(got)) > 1) or (
        missing == 0 and len(differing) == 1 and _one_slip(*differing[0])
    )
    return 9 + _failed(entry, request) if near else None


def _failed(entry: RouteEntry, request: ExplainRequest) -> int:
    return sum(not verdict.held for verdict in verdicts(entry, request))


def _one_slip(stated: str, sent: str) -> bool:
    """Whether two words differ by one character more, less, or other, or by two that changed places."""
    start = _alike(stated, sent)
    rest, other = stated[start:], sent[start:]
    end = _alike(rest[::-1], other[::-1])
    left, right = rest[: len(rest) - end], other[: len(other) - end]
    if stated == ANY_SEGMENT or not (start or end):
        return False
    return max(len(left), len(right)) <= 1 or (len(left) == 2 and left == right[::-1])


def _alike(one: str, other: str) -> int:
    """How many characters two words begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (left, right) in pairs if left != right), min(len(one), len(other)))


def _why(candidates: tuple[Candidate, ...], winner: RouteEntry | None) -> str:
    rungs = [candidate for candidate in candidates if candidate.rung is not None]
    if winner is None:
        return "no route holds for this request"
    if len(rungs) < 2 or rungs[0].rung is None or rungs[1].rung is None:
        return "it is the only route that holds for this request"
    return f"before {rungs[1].entry.route.name}: {reason(rungs[0].rung, rungs[1].rung)}"
