"""What an override may not take away, and the exemptions that let it. Whole reports, because the words are the product."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode

from api_gateway_service_mesh.control.build import inspect
from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.guarantee import guarantee_findings, taken_guarantees
from api_gateway_service_mesh.graph.report import render_report
from api_gateway_service_mesh.graph.terms import AGW
from api_gateway_service_mesh.model import Exemption
from tests.support.turtle import configuration

OVERRIDDEN = Path(__file__).parents[1] / "golden" / "overridden"
RULER = "# ----\n"
TODAY = date(2026, 6, 1)
EX = "https://example.com/"
OPEN = """ex:g a agw:ApiGateway ; agw:hasAuthentication ex:jwt .
ex:health a agw:Route ; agw:withoutPolicy agw:hasAuthentication .
ex:orders a agw:Route ."""


@pytest.mark.parametrize("case", sorted(path.stem for path in OVERRIDDEN.glob("*.ttl")))
def test_an_override_that_is_refused_is_reported_so(case: str, update_golden: bool) -> None:
    path = OVERRIDDEN / f"{case}.ttl"
    turtle, _, expected = path.read_text().partition(RULER)
    found = inspect(
        SourceGraph.parse(turtle, path.name), today=TODAY, gateway=f"{EX}inner" if "inner" in turtle else None
    )
    assert not found.report.conforms
    commented = "".join(f"# {line}".rstrip() + "\n" for line in render_report(found.report).splitlines())
    if update_golden:
        path.write_text(turtle + RULER + commented)
    assert update_golden or commented == expected


def _exemption(until: str, exempted: str = "health", policy: str = AGW + "hasAuthentication") -> Exemption:
    return Exemption(f"{EX}leave", (EX + exempted,), (policy,), "probes", "platform", until)


@pytest.mark.parametrize(
    ("until", "codes"),
    [
        ("2026-05-31", [("exemption-ended", Severity.VIOLATION)]),
        ("2026-06-01", [("exemption-ending", Severity.WARNING)]),
        ("2026-06-15", [("exemption-ending", Severity.WARNING)]),
        ("2026-06-16", []),
    ],
)
def test_an_exemption_holds_up_to_its_last_day_and_warns_before(until: str, codes: list[tuple[str, Severity]]) -> None:
    graph = infer(SourceGraph.parse(configuration(OPEN)))
    found = guarantee_findings(graph, [_exemption(until)], TODAY)
    assert [(finding.code, finding.severity) for finding in found] == codes


@pytest.mark.parametrize(
    ("exemption", "enough"),
    [
        (_exemption("2027-01-01", policy=EX + "jwt"), True),
        (_exemption("2027-01-01", exempted="orders"), False),
        (_exemption("2027-01-01", policy=AGW + "hasTimeout"), False),
        (Exemption(EX + "leave", (AGW + "Route",), (AGW + "hasAuthentication",), "all", "me", "2027-01-01"), True),
    ],
)
def test_an_exemption_is_for_someone_and_from_something(exemption: Exemption, enough: bool) -> None:
    graph = infer(SourceGraph.parse(configuration(OPEN)))
    assert (guarantee_findings(graph, [exemption], TODAY) == ()) is enough


def test_both_places_are_named() -> None:
    (finding,) = guarantee_findings(infer(SourceGraph.parse(configuration(OPEN), "shop.ttl")), [], TODAY)
    assert finding.code == "guarantee-taken"
    assert str(finding.location) == "shop.ttl:8:43"
    assert [str(place) for place in finding.related] == ["shop.ttl:7:47"]
    assert finding.remedy is not None and "agw:Exemption" in finding.remedy


def test_another_authentication_is_no_less() -> None:
    text = "ex:g a agw:ApiGateway ; agw:hasAuthentication ex:jwt . ex:r a agw:Route ; agw:hasAuthentication ex:key ."
    assert guarantee_findings(infer(SourceGraph.parse(configuration(text))), [], TODAY) == ()


def test_what_is_no_guarantee_may_be_declined() -> None:
    text = "ex:g a agw:ApiGateway ; agw:hasTimeout ex:t . ex:r a agw:Route ; agw:withoutPolicy agw:hasTimeout ."
    assert guarantee_findings(infer(SourceGraph.parse(configuration(text))), [], TODAY) == ()


PLACES = ("route", "class", "host", "gateway")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["states", "declines"])))
def test_a_guarantee_is_taken_exactly_where_a_nearer_place_declines_what_a_farther_states(said: dict[str, str]) -> None:
    said = {place: what for place, what in said.items() if (place, what) != ("gateway", "declines")}
    subjects = {"route": "ex:r", "class": "ex:C", "host": "ex:h", "gateway": "ex:g"}
    text = """ex:C rdfs:subClassOf agw:Route . ex:r a ex:C ; agw:hostname "a.test" . ex:g a agw:ApiGateway .
        ex:h a agw:VirtualService ; agw:hostname "a.test" ."""
    for place, what in said.items():
        verb = "agw:hasAuthentication ex:jwt" if what == "states" else "agw:withoutPolicy agw:hasAuthentication"
        text += f"{subjects[place]} {verb} ."
    order = [said[place] for place in PLACES if place in said]
    taken = bool(order) and order[0] == "declines" and "states" in order
    graph = infer(SourceGraph.parse(configuration(text)))
    assert bool(taken_guarantees(graph)) is taken
    held = graph.index.values(NamedNode(EX + "r"), NamedNode(AGW + "hasAuthentication"))
    assert bool(held) is (bool(order) and order[0] == "states")


def test_a_literal_that_is_declined_is_told() -> None:
    text = configuration('ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:withoutPolicy "GET" .\n'
                         'ex:s a agw:BackendService ; agw:address "s:80" .')  # fmt: skip
    report = inspect(SourceGraph.parse(text)).report
    assert any('"GET"' in finding.message for finding in report.violations)
