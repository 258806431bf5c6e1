"""Guarantees: what a farther place demands and a nearer one may not take away, unless an exemption lets it.

Rules of this module, which the ontology marks with ``agw:guarantee true``:

- A *kind* of policy that is a guarantee may be replaced nearer by, not declined there; nor may a STRICT mutual TLS
  be replaced by a weaker mode.
- One *policy* that is a guarantee may not be replaced either: it counts for all that would inherit it.
- Two places of one rank that hand down different policies of a guaranteed kind leave open which holds: refused.
- A route that belongs to no virtual service, and answers for a host name of one that demands authentication, or says
  what callers may do, passes that by without a word; only the routing table knows which do (`routing.exposure`).
- An exemption lets an override stand that it names, up to and including its last day; its last 14 days warn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.errors import Finding, Location, Severity
from api_gateway_service_mesh.model import Exemption

from .infer import InferredGraph
from .inheritance import HAS_ROUTE, Places, Said, Standing
from .rules import GATEWAY, VIRTUAL_SERVICE, WITHOUT
from .tbox import SUB_CLASS
from .terms import AGW, RDF_TYPE, Resource, lexical

__all__ = [
    "AUTHENTICATION",
    "AUTHORIZATION",
    "Taken",
    "exempt_from",
    "guarantee_findings",
    "guarded_hosts",
    "taken_guarantees",
]

GUARANTEE = NamedNode(AGW + "guarantee")
AUTHENTICATION = NamedNode(AGW + "hasAuthentication")
AUTHORIZATION = NamedNode(AGW + "hasAuthorization")
_HOSTNAME = NamedNode(AGW + "hostname")
_MTLS, _MODE = NamedNode(AGW + "hasMutualTLS"), NamedNode(AGW + "mtlsMode")
_TRUE = frozenset(("true", "1"))
_NOTICE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Taken:
    """A guarantee that an override takes away from a route or service: which, where it is demanded, and by what it is
    taken. ``value`` is the one policy that is taken, None where the kind is declined."""

    member: str
    demanded: Said
    by: Said
    value: str


def taken_guarantees(graph: InferredGraph) -> tuple[Taken, ...]:
    """Every guarantee that is taken away, exempted or not, by member and policy."""
    places = Places(graph)
    return tuple(dict.fromkeys((*_declined(places), *_weakened(places), *_replaced(places))))


def guarantee_findings(graph: InferredGraph, exemptions: Sequence[Exemption], today: date) -> tuple[Finding, ...]:
    """What is wrong with overrides, as violations; exemptions about to end, as warnings.

    Args:
        today: the date in UTC, which exemptions are held against.
    """
    places = Places(graph)
    found: list[Finding] = [*_misnamed(places), *_ambiguous(places), *_shared(places)]
    refused: dict[tuple[Said, Said, str, tuple[Exemption, ...]], list[str]] = {}
    for taken in taken_guarantees(graph):
        granted = tuple(each for each in exemptions if _covers(graph, each, taken))
        valid = [each for each in granted if date.fromisoformat(each.valid_until) >= today]
        if not valid:
            refused.setdefault((taken.by, taken.demanded, taken.value, granted), []).append(taken.member)
            continue
        last = max(valid, key=lambda each: each.valid_until)
        if date.fromisoformat(last.valid_until) - today <= _NOTICE:
            found.append(_notice(places, taken, last))
    found += (
        _violation(places, Taken(members[0], demanded, by, value), len(members) - 1, ended)
        for (by, demanded, value, ended), members in refused.items()
    )
    return tuple(dict.fromkeys(found))


def guarded_hosts(graph: InferredGraph, policy: NamedNode = AUTHENTICATION) -> dict[str, str]:
    """The host names for which a virtual service states `policy`, and the IRI of that virtual service."""
    index = graph.index
    return {
        lexical(name): lexical(service)
        for service in index.instances(VIRTUAL_SERVICE)
        if index.values(service, policy)
        for name in index.values(service, _HOSTNAME)
    }


def exempt_from(
    policy: NamedNode, graph: InferredGraph, exemptions: Sequence[Exemption], today: date
) -> frozenset[str]:
    """The routes that a valid exemption lets do without `policy`, named themselves or by their class."""
    found: set[str] = set()
    for each in exemptions:
        if policy.value in each.policies and date.fromisoformat(each.valid_until) >= today:
            for name in each.exempted:
                found.add(name)
                found.update(lexical(member) for member in graph.index.instances(NamedNode(name)))
    return frozenset(found)


def _declined(places: Places) -> Iterator[Taken]:
    """Guaranteed kinds that a place declines, member by member."""
    index = places.graph.index
    for member in index.users(WITHOUT):
        for policy in index.values(member, WITHOUT):
            if type(policy) is NamedNode and _is_guarantee(places, policy):
                yield from _taken(member, places.standing(member, policy))


def _taken(member: Resource, standing: Standing | None) -> Iterator[Taken]:
    if standing is None or standing.values:
        return
    demanded = next((said for said in standing.overridden if said.values), None)
    if demanded is not None:
        yield Taken(lexical(member), demanded, standing.deciding[0], demanded.values[0])


def _weakened(places: Places) -> Iterator[Taken]:
    """STRICT mutual TLS that is replaced by a weaker mode."""
    index = places.graph.index
    weak = {service for service, held in index.pairs(_MTLS) if _is_weak(places, held)}
    for member in sorted(weak, key=str):
        standing = places.standing(member, _MTLS)
        for said in standing.overridden if standing is not None else ():
            demanded = next((value for value in said.values if not _is_weak(places, NamedNode(value))), None)
            if demanded is not None and standing is not None:
                yield Taken(lexical(member), said, standing.deciding[0], demanded)
                break


def _is_weak(places: Places, setting: object) -> bool:
    """Whether a MutualTLS states a mode other than STRICT; stating none is read as STRICT."""
    modes = places.graph.index.values(setting, _MODE)  # type: ignore[arg-type]
    return any(lexical(mode) != "STRICT" for mode in modes)


def _replaced(places: Places) -> Iterator[Taken]:
    """Single policies that are guarantees and are overridden."""
    index = places.graph.index
    marked = {thing for thing, value in index.pairs(GUARANTEE) if lexical(value) in _TRUE}
    for policy, kinds in places.policies.items():
        if not marked or not any(held in marked for _, held in index.pairs(policy)):
            continue
        names = {lexical(thing) for thing in marked}
        for kind in kinds:
            for member in index.instances(kind):
                standing = places.standing(member, policy)
                if standing is None:
                    continue
                for said in standing.overridden:
                    for value in said.values:
                        if value in names and value not in standing.values:
                            yield Taken(lexical(member), said, standing.deciding[0], value)


def _is_guarantee(places: Places, policy: NamedNode) -> bool:
    value = places.graph.ontology.index.value(policy, GUARANTEE)
    return isinstance(value, Literal) and value.value in _TRUE


def _covers(graph: InferredGraph, exemption: Exemption, taken: Taken) -> bool:
    if taken.demanded.policy not in exemption.policies and taken.value not in exemption.policies:
        return False
    kinds = {lexical(kind) for kind in graph.index.values(NamedNode(taken.member), RDF_TYPE)}
    return any(exempted == taken.member or exempted in kinds for exempted in exemption.exempted)


def _violation(places: Places, taken: Taken, others: int, expired: Sequence[Exemption]) -> Finding:
    short, policy = places.short, taken.demanded.policy
    by, demanded = taken.by, taken.demanded
    act = f"replaces it by {', '.join(map(short, by.values))}" if by.values else "declines it (agw:withoutPolicy)"
    more = f" and {others} more" if others else ""
    message = (
        f"{short(taken.member)}{more}: the {demanded.rank} {short(demanded.place)} demands {short(policy)} "
        f"{short(taken.value)}, and the {by.rank} {short(by.place)} {act}: a guarantee is not taken away silently"
    )
    remedy = (
        f"take the override away, or let it stand for a time: ex:leave a agw:Exemption ; agw:exempts "
        f'{short(taken.member)} ; agw:exemptsFrom {short(policy)} ; agw:exemptionReason "why" ; '
        'agw:exemptionOwner "who" ; agw:validUntil "2027-03-31"^^xsd:date .'
    )
    related = [places.locate(demanded, taken.value)]
    if expired:
        last = max(expired, key=lambda each: each.valid_until)
        message += f"; the exemption {short(last.iri)} ended on {last.valid_until}"
        remedy = f"take the override away, or have {last.owner} renew {short(last.iri)} with a later agw:validUntil"
        related.append(places.graph.locate(last.iri, AGW + "validUntil"))
    return _finding(
        "exemption-ended" if expired else "guarantee-taken", message, taken, places.locate(by), remedy, related
    )


def _notice(places: Places, taken: Taken, exemption: Exemption) -> Finding:
    graph, short = places.graph, places.short
    return Finding(
        "exemption-ending",
        f"the exemption {short(exemption.iri)} of {short(taken.member)} from {short(taken.demanded.policy)} ends on "
        f"{exemption.valid_until}; after that day this configuration is refused",
        Severity.WARNING,
        graph.locate(exemption.iri, AGW + "validUntil"),
        exemption.iri,
        AGW + "validUntil",
        exemption.valid_until,
        remedy=f"take the override away, or have {exemption.owner} renew the exemption",
    )


def _finding(
    code: str, message: str, taken: Taken, place: Location | None, remedy: str, related: Sequence[Location | None]
) -> Finding:
    return Finding(
        code,
        message,
        location=place,
        subject=taken.by.place,
        predicate=taken.demanded.policy if taken.by.values else WITHOUT.value,
        value=taken.by.values[0] if taken.by.values else taken.demanded.policy,
        remedy=remedy,
        related=tuple(other for other in related if other is not None),
    )


def _misnamed(places: Places) -> Iterator[Finding]:
    """``agw:withoutPolicy`` with something that is no policy, or of a policy that the same place states."""
    graph, short = places.graph, places.short
    for subject in graph.index.users(WITHOUT):
        for policy in graph.index.values(subject, WITHOUT):
            name = lexical(subject)
            if policy not in places.policies:
                yield Finding(
                    "unknown-policy",
                    f"{short(name)}: agw:withoutPolicy names {short(lexical(policy))}, which is no policy that is "
                    "inherited, so nothing is declined",
                    location=graph.locate(name, WITHOUT.value, policy),
                    subject=name,
                    predicate=WITHOUT.value,
                    value=lexical(policy),
                    allowed=", ".join(short(each.value) for each in places.policies),
                )
            elif (stated := graph.index.values(subject, policy)) and (subject, WITHOUT, policy) not in graph.rules:  # type: ignore[arg-type]
                yield Finding(
                    "declined-and-stated",
                    f"{short(name)} both declines {short(lexical(policy))} and states {short(lexical(stated[0]))}",
                    location=graph.locate(name, WITHOUT.value, policy),
                    subject=name,
                    predicate=WITHOUT.value,
                    value=lexical(policy),
                    remedy="keep one of the two",
                    related=tuple(p for p in (graph.locate(name, lexical(policy), stated[0]),) if p),
                )


def _ambiguous(places: Places) -> Iterator[Finding]:
    """Guaranteed kinds that two places of one rank hand down differently."""
    graph, short = places.graph, places.short
    index = graph.index
    shared = dict.fromkeys((*index.users(SUB_CLASS), *index.instances(VIRTUAL_SERVICE)))
    for policy, kinds in places.policies.items():
        speakers = [place for place in shared if index.values(place, policy)]
        if len(speakers) < 2 or not _is_guarantee(places, policy):
            continue
        for kind in kinds:
            for member in index.instances(kind):
                standing = places.standing(member, policy)
                if standing is None or len({said.values for said in standing.deciding}) < 2:
                    continue
                name = lexical(member)
                said = " and ".join(f"the {each.rank} {short(each.place)}" for each in standing.deciding)
                located = [places.locate(each) for each in standing.deciding]
                yield Finding(
                    "ambiguous-guarantee",
                    f"{short(name)}: {said} demand different {short(policy.value)}, and neither is the more specific",
                    location=graph.locate(name),
                    subject=name,
                    predicate=policy.value,
                    remedy=f"state on {short(name)} what is to count",
                    related=tuple(place for place in located if place),
                )


def _shared(places: Places) -> Iterator[Finding]:
    """Routes that several gateways list, of which one states policies: which would count depends on who serves."""
    graph, short = places.graph, places.short
    index = graph.index
    gateways = index.instances(GATEWAY)
    if len(gateways) < 2:
        return
    for gateway in gateways:
        # What a gateway demands of callers is known to be its own when it is chosen (projection.authentication).
        stated = [p for p in index.properties(gateway) if p in places.policies and p != AUTHENTICATION]
        for policy in stated:
            for route in index.values(gateway, HAS_ROUTE):
                shared = len(index.holders(HAS_ROUTE, route)) > 1
                if shared and type(route) is NamedNode and places.standing(route, policy) is None:
                    yield Finding(
                        "shared-route-policy",
                        f"{short(route.value)} is listed by several gateways, and {short(lexical(gateway))} states "
                        f"{short(policy.value)}: it would count behind one gateway and not behind the other",
                        location=graph.locate(lexical(gateway), policy.value),
                        subject=route.value,
                        predicate=policy.value,
                        remedy=f"state it on {short(route.value)}, or on a class of routes",
                        related=tuple(place for place in (graph.locate(route.value),) if place),
                    )
