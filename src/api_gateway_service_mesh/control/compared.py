"""Two configurations compared: what they mean, what requests see of it, and the triples (``agw diff``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyoxigraph import Literal

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.excerpt import secret_properties
from api_gateway_service_mesh.graph.inheritance import Places, Said, Standing
from api_gateway_service_mesh.graph.secrets import MASK, is_reference
from api_gateway_service_mesh.routing.behaviour import Decision, DecisionClass, behaviour
from api_gateway_service_mesh.routing.meaning import Change, Statement, changes
from api_gateway_service_mesh.vocabulary import AGW

from .build import Build
from .delta import Delta, between, without_names

__all__ = ["Comparison", "Moved", "between", "compared", "comparison_json", "render_comparison", "triple_lines"]

_MEMBERS = {
    AGW.hasAdaptiveConcurrency: "concurrency",
    AGW.hasAuthentication: "authentication",
    AGW.hasAuthorization: "authorization",
    AGW.hasBackendService: "upstream",
    AGW.hasCircuitBreaker: "breaker",
    AGW.hasConnectionPool: "pool",
    AGW.hasExternalAuthorization: "external_authorization",
    AGW.hasHealthCheck: "health",
    AGW.hasHedging: "hedging",
    AGW.hasLoadBalancer: "balancer",
    AGW.hasMutualTLS: "mtls_mode",
    AGW.hasOutlierDetection: "outlier",
    AGW.hasRateLimiter: "rate_limits",
    AGW.hasRetryPolicy: "retry",
    AGW.hasTimeout: "timeout",
    AGW.hasTrafficSplit: "splits",
    AGW.requestCost: "request_cost",
    AGW.requestPriority: "request_priority",
    AGW.selectsLabel: "subset",
}
"""The inherited policies, and the member of the model that each becomes."""

_OWN = ("route", "service")
_OWN_PLACES = ("the route", "the service")
_MOST_PLACES = 5_000
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Moved:
    """A policy that is the same as before and is stated elsewhere now: nothing that is served changed."""

    iri: str
    name: str
    policy: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.policy} is the same, stated by {self.after} instead of {self.before}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of one configuration in another. It is ``different`` when the two do not mean the same; ``moved``
    policies and a ``delta`` of triples alone make no difference. Blank nodes count in the delta by what they say."""

    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    behaviour: tuple[DecisionClass, ...]
    delta: Delta

    @property
    def different(self) -> bool:
        """Whether anything that is served changed."""
        return bool(self.changes)


def compared(old: Build, new: Build) -> Comparison:
    """Compare two builds. The triples that are told hold no secret."""
    delta = between(old.source, new.source)
    if not delta or (
        old.source.count == new.source.count
        and without_names(old.source.triples).digest == without_names(new.source.triples).digest
    ):
        found = changes(old.mesh, new.mesh)  # the same triples may stand for other files
        return Comparison(found, (), behaviour(old.table, new.table) if found else (), Delta())
    places = Places(old.inferred), Places(new.inferred)
    told = tuple(_with_origins(change, places) for change in changes(old.mesh, new.mesh))
    moved = tuple(_moved(old, new, places, told)) if len(new.mesh.routes) <= _MOST_PLACES else ()
    return Comparison(told, moved, behaviour(old.table, new.table), delta)


def _with_origins(change: Change, places: tuple[Places, Places]) -> Change:
    """`change`, each statement with the place that states the policy, where that is not the thing itself."""
    if change.kind == "gateway":
        return change
    old, new = ({} if change.how == without else _origins(place, change.iri) for place, without in
                zip(places, ("added", "removed"), strict=True))  # fmt: skip

    def noted(statement: Statement) -> Statement:
        origins = old if statement.after is None else new
        origin = origins.get(statement.about)
        inherited = origin is not None and not origin[1].startswith(_OWN_PLACES)
        return replace(statement, note=f"by {origin[1]}") if inherited and origin is not None else statement

    return replace(change, statements=tuple(map(noted, change.statements)))


def _origins(places: Places, iri: str) -> dict[str, tuple[str, str]]:
    """For each member of the model that comes from an inherited policy: the policy and the places that state it."""
    found = {}
    for standing in places.standings(iri):
        member = _MEMBERS.get(standing.policy)
        if member is not None:
            found[member] = (places.short(standing.policy), _places(places, standing))
    return found


def _places(places: Places, standing: Standing) -> str:
    def said(place: Said) -> str:
        if place.rank in _OWN:
            return f"the {place.rank}"
        return f"the {place.rank} {places.short(place.place)}"

    return " and ".join(dict.fromkeys(map(said, standing.deciding)))


def _moved(old: Build, new: Build, places: tuple[Places, Places], told: tuple[Change, ...]) -> Iterator[Moved]:
    changed = {(change.iri, statement.about) for change in told for statement in change.statements}
    before, after = (
        {
            **{route.iri: route.name for route in made.mesh.routes},
            **{item.iri: item.name for item in made.mesh.upstreams},
        }
        for made in (old, new)
    )
    for iri, name in after.items():
        if iri not in before:
            continue
        one, other = _origins(places[0], iri), _origins(places[1], iri)
        for member, (policy, place) in other.items():
            if member in one and one[member][1] != place and (iri, member) not in changed:
                yield Moved(iri, name, policy, one[member][1], place)


# --- told ------------------------------------------------------------------------------------------------------------


def render_comparison(found: Comparison) -> str:
    """For people: what changed, then what requests see of it."""
    lines: list[str] = []
    for change in found.changes:
        lines.append(f"{_SIGNS[change.how]} {change.kind} {change.name} {change.how}")
        lines += [f"    {statement}" for statement in change.statements]
    if found.moved:
        lines += ["", "Stated elsewhere, with the same effect", *(f"  {item}" for item in found.moved)]
    if found.behaviour:
        lines += ["", "Requests that are decided differently"]
        lines += [f"  {item.how}: {_told(item, found)}" for item in found.behaviour]
    if not found.changes:
        lines.insert(0, "nothing that is served changed")
    return "\n".join(_one_line(line) for line in lines).strip("\n") + "\n"


def _told(item: DecisionClass, found: Comparison) -> str:
    if item.how == "other policy":
        return str(replace(item, after=_short(item.after)))
    return str(replace(item, before=_short(item.before), after=_short(item.after)))


def _short(decision: Decision) -> Decision:
    if decision.route is None:
        return decision
    return replace(decision, route=decision.route.rstrip("/#").replace("#", "/").rpartition("/")[2] or decision.route)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def triple_lines(delta: Delta, sources: Sequence[SourceGraph]) -> list[str]:
    """The triples that went (``-``) and came (``+``), by subject; what should be a reference to a secret and is none is
    masked."""
    secrets = {term for source in sources for term in secret_properties(infer(source))}
    lines = []
    for sign, triples in (("-", delta.removed), ("+", delta.added)):
        for triple in triples:
            value = triple.object
            hidden = triple.predicate in secrets and isinstance(value, Literal) and not is_reference(value.value)
            lines.append((str(triple.subject), str(triple.predicate), f'"{MASK}"' if hidden else str(value), sign))
    return [f"{sign} {subject} {predicate} {value} ." for subject, predicate, value, sign in sorted(lines)]


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "different": found.different,
        "changes": [
            {
                "kind": change.kind,
                "iri": change.iri,
                "name": change.name,
                "how": change.how,
                "statements": [
                    {
                        "about": statement.about,
                        "what": statement.what,
                        "before": statement.before,
                        "after": statement.after,
                        "from": statement.note.removeprefix("by ") or None,
                        "text": str(statement),
                    }
                    for statement in change.statements
                ],
            }
            for change in found.changes
        ],
        "moved": [
            {"iri": item.iri, "policy": item.policy, "before": item.before, "after": item.after} for item in found.moved
        ],
        "behaviour": [
            {
                "how": item.how,
                "before": _decision_json(item.before),
                "after": _decision_json(item.after),
                "witness": {
                    "method": item.witness.method,
                    "url": f"http://{item.witness.host}{item.witness.path}"
                    + (f"?{item.witness.query}" if item.witness.query else ""),
                    "headers": dict(item.witness.headers),
                },
            }
            for item in found.behaviour
        ],
        "triples": {"added": len(found.delta.added), "removed": len(found.delta.removed)},
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {"route": decision.route, "status": decision.status, "allow": list(decision.allow)}
