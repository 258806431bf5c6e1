"""``agw test``: a configuration held against the expectations that stand in it (``agw:Expectation``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.graph.inheritance import Places
from api_gateway_service_mesh.model import Caller, Expectation, Route
from api_gateway_service_mesh.policies.authorization import NOBODY
from api_gateway_service_mesh.projection.expectation import expectations
from api_gateway_service_mesh.routing import ExplainRequest, render_explanation
from api_gateway_service_mesh.routing.outcome import Outcome, outcome
from api_gateway_service_mesh.security.api_key import ApiKeys
from api_gateway_service_mesh.security.claims import scopes_of
from api_gateway_service_mesh.security.identity import Identity
from api_gateway_service_mesh.security.token import TokenError, read_token
from api_gateway_service_mesh.vocabulary import NAMESPACE

from .build import Build
from .judged import forbidden

__all__ = ["Held", "held", "junit", "render_held", "shown_held"]


@dataclass(frozen=True, slots=True)
class Held:
    """One expectation, what becomes of its request, and what of it is otherwise than expected (sentences)."""

    expectation: Expectation
    name: str
    request: str
    outcome: Outcome
    wrong: tuple[str, ...]
    at: Location | None
    explanation: str

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.wrong


def held(build: Build) -> tuple[Held, ...]:
    """Every expectation of a configuration held against it, in the order in which they are written."""
    places = Places(build.inferred)
    found = [_held(build, places, one) for one in expectations(build.rows.expectation, build.rows.expectation_value)]
    return tuple(sorted(found, key=lambda one: (str(one.at.file), one.at.line) if one.at else ("", 0)))


def _held(build: Build, places: Places, wanted: Expectation) -> Held:
    host = wanted.authority.rpartition("@")[2]
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    request = ExplainRequest(
        wanted.method, bare, wanted.request_path, wanted.query, dict(wanted.headers), address=wanted.client or ""
    )
    seen = outcome(
        build.table, request, _admitted, scheme=wanted.scheme, authority=wanted.authority, client=wanted.client
    )
    wrong = tuple(_wrong(wanted, seen, places))
    told = "" if not wrong else render_explanation(build.explain(request), build.inferred.locate)
    fields = "".join(f" [{name}: {value}]" for name, value in wanted.headers)
    return Held(
        wanted, places.short(wanted.iri), f"{request}{fields}", seen, wrong, build.inferred.locate(wanted.iri), told
    )


def _admitted(route: Route, request: ExplainRequest) -> tuple[int, str] | None:
    """What authentication and rules say. Keys are judged; a token is taken for a good one that says what it says, as
    nobody is asked for its keys."""
    demand = route.authentication
    if demand is None:
        return forbidden(route, request, NOBODY)
    bearer = request.fields.get("authorization", "")[:7].lower() == "bearer "
    if bearer and demand.takes_claims:
        return forbidden(route, request, _bearer(request.fields["authorization"]))
    if demand.api_keys:
        keys = ApiKeys(demand.api_keys)
        fields, query = request.fields, dict(reversed(parse_qsl(request.query, keep_blank_values=True)))
        shown = {f"h:{name}": fields[name].encode() for name in keys.headers if name in fields}
        shown |= {f"q:{name}": query[name].encode() for name in keys.parameters if name in query}
        if shown:
            found = keys.judge(shown)
            if not isinstance(found, Identity):
                return 401, "invalid-credentials"
            return forbidden(route, request, Caller(scopes=found.scopes, key=found.api_key, key_owner=found.owner))
    return 401, "authentication-required"


def _bearer(field: str) -> Caller:
    """Who a token says it is for; nobody where it is none."""
    try:
        claims = read_token(field[7:].strip().encode("utf-8", "replace")).claims
    except TokenError:
        return NOBODY
    issuer, subject = (claims.get(name) for name in ("iss", "sub"))
    return Caller(
        issuer if isinstance(issuer, str) else "",
        subject if isinstance(subject, str) else "",
        claims,
        frozenset(scopes_of(claims)),
    )


def _wrong(wanted: Expectation, seen: Outcome, places: Places) -> Iterator[str]:
    def short(iri: str | None) -> str:
        return places.short(iri) if iri is not None else "no route"

    if wanted.route is not None and wanted.route != seen.route:
        yield f"expected the route {short(wanted.route)}, and {short(seen.route)} takes it"
    for route in wanted.not_routes:
        if route == seen.route:
            yield f"expected that {short(route)} does not take it, and it does"
    if wanted.status is not None and wanted.status != seen.status:
        instead = f"{seen.status}" if seen.status is not None else "it is sent to " + _listed(seen.services, short)
        yield f"expected the status {wanted.status}, and {instead}"
    if wanted.refusal is not None and wanted.refusal != seen.refusal:
        yield f"expected the refusal {wanted.refusal}, and it is {seen.refusal or 'not refused'}"
    if wanted.services and set(wanted.services) != set(seen.services):
        to = f"to {_listed(seen.services, short)}"
        instead = to if seen.services else f"nowhere: the gateway answers {seen.status}"
        yield f"expected that it is sent to {_listed(wanted.services, short)}, and it is sent {instead}"
    if wanted.path is not None and wanted.path != seen.path:
        yield f"expected that the service sees {wanted.path}, and it sees {seen.path or 'nothing of it'}"
    if wanted.location is not None and wanted.location != seen.location:
        yield f"expected to be sent to {wanted.location}, and it is sent to {seen.location or 'no other place'}"
    acting = _acting(seen, places) if wanted.policies or wanted.without else {}
    for policy in wanted.policies:
        if not _acts(policy, acting):
            yield f"expected {places.short(policy)} to act on it, and it does not; what acts: {_told(acting, places)}"
    for policy in wanted.without:
        if _acts(policy, acting):
            yield f"expected {places.short(policy)} not to act on it, and it does"


def _acting(seen: Outcome, places: Places) -> dict[str, tuple[str, ...]]:
    """The kinds of policy (by property) that act on a request, with the policies: the route's and its services'."""
    found: dict[str, tuple[str, ...]] = {}
    for member in (seen.route, *seen.services):
        for standing in places.standings(member) if member is not None else ():
            if standing.values:
                found[standing.policy] = (*found.get(standing.policy, ()), *standing.values)
    return found


def _acts(policy: str, acting: dict[str, tuple[str, ...]]) -> bool:
    if policy.startswith(NAMESPACE):
        return policy in acting
    return any(policy in values for values in acting.values())


def _told(acting: dict[str, tuple[str, ...]], places: Places) -> str:
    return ", ".join(places.short(kind) for kind in sorted(acting)) or "nothing"


def _listed(iris: Iterable[str], short: Callable[[str], str]) -> str:
    return ", ".join(sorted(map(short, iris))) or "nowhere"


def render_held(results: Iterable[Held]) -> str:
    """For people: a line each, and of those that failed what is otherwise, and why."""
    lines: list[str] = []
    results = tuple(results)
    for one in results:
        at = f"  {one.at}" if one.at is not None else ""
        lines.append(f"{'ok  ' if one.passed else 'FAIL'} {one.name}: {one.request}{at}")
        lines += [f"     {sentence}" for sentence in one.wrong]
        if one.wrong:
            lines += ["", *(f"     {line}".rstrip() for line in one.explanation.rstrip("\n").split("\n")), ""]
    failed = sum(not one.passed for one in results)
    lines.append(f"{len(results) - failed} passed, {failed} failed")
    return "\n".join(lines) + "\n"


def shown_held(results: Iterable[Held]) -> dict[str, Any]:
    """As plain data."""
    results = tuple(results)
    return {
        "passed": sum(one.passed for one in results),
        "failed": sum(not one.passed for one in results),
        "expectations": [
            {
                "expectation": one.expectation.iri,
                "request": one.request,
                "passed": one.passed,
                "wrong": list(one.wrong),
                "at": str(one.at) if one.at is not None else None,
                "outcome": {
                    "route": one.outcome.route,
                    "status": one.outcome.status,
                    "refusal": one.outcome.refusal,
                    "services": list(one.outcome.services),
                    "path": one.outcome.path,
                    "location": one.outcome.location,
                },
                "explanation": one.explanation or None,
            }
            for one in results
        ],
    }


def junit(results: Iterable[Held], seconds: float) -> str:
    """As JUnit XML, which build servers show."""
    results = tuple(results)
    failed = str(sum(not one.passed for one in results))
    counts = {"tests": str(len(results)), "failures": failed, "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "agw test", **counts, "time": f"{seconds:.3f}"})
    for one in results:
        place = {"file": one.at.file, "line": str(one.at.line)} if one.at is not None else {}
        name = _printable(f"{one.name}: {one.request}")
        case = ElementTree.SubElement(suite, "testcase", {"classname": "agw", "name": name, "time": "0.000", **place})
        if one.wrong:
            failure = ElementTree.SubElement(case, "failure", {"message": _printable("; ".join(one.wrong))})
            failure.text = _printable("\n".join((*one.wrong, f"at {one.at}", "", one.explanation)))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters (§2.2)."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
