from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.graph import infer
from api_gateway_service_mesh.model import Algorithm, KeyKind, RequestKey
from api_gateway_service_mesh.projection.reading import Reading, name_of, seconds_of
from api_gateway_service_mesh.vocabulary import AGW
from tests.support.configuration import EX, parse


@pytest.fixture
def reading() -> Reading:
    return Reading(infer(parse('ex:a a agw:LoadBalancer ;\n  agw:balancingAlgorithm "RUNDOM" .')))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT5S", 5.0),
        ("PT0.25S", 0.25),
        ("PT1M30S", 90.0),
        ("P1D", 86400.0),
        ("P1DT1H", 90000.0),
        ("-PT5S", -5.0),
        ("PT0S", 0.0),
        ("P1M", None),
        ("P1Y", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("-P", None),
        ("5s", None),
        ("PT5", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@given(st.integers(0, 400), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"P{days}DT{hours}H{minutes}M{seconds}S") == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@pytest.mark.parametrize(
    ("iri", "name"),
    [("https://e.org/shop#products", "products"), ("urn:agw:gateway", "gateway"), ("http://e/a/b/", "b"), ("x", "x")],
)
def test_names(iri: str, name: str) -> None:
    assert name_of(iri) == name


def test_a_wrong_value_becomes_a_finding_with_its_place_and_the_default_stands_in(reading: Reading) -> None:
    found = reading.choice(EX + "a", AGW.balancingAlgorithm, "RUNDOM", Algorithm, Algorithm.ROUND_ROBIN)
    assert found is Algorithm.ROUND_ROBIN
    (finding,) = reading.findings
    assert (finding.location and finding.location.line, finding.suggestion) == (3, "RANDOM")
    assert "which is not one of" in finding.message


def test_numbers(reading: Reading) -> None:
    assert reading.integer(EX + "x", AGW.port, "+8080", 1) == 8080
    assert reading.number(EX + "x", AGW.requestsPerSecond, "2.50", 1) == 2.5
    assert not reading.findings
    assert reading.integer(EX + "x", AGW.port, "8.5", 1) == 1
    assert reading.number(EX + "x", AGW.requestsPerSecond, "NaN", 1.5) == 1.5
    assert reading.number(EX + "x", AGW.requestsPerSecond, "many", 1.5) == 1.5
    assert reading.boolean(EX + "x", AGW.accessLogEnabled, "yes", True) is True
    assert reading.seconds(EX + "x", AGW.idleTimeout, "P1M", None) is None
    assert len(reading.findings) == 5


def test_keys(reading: Reading) -> None:
    assert reading.key(EX + "x", AGW.limitKey, "client-address") == RequestKey(KeyKind.CLIENT_ADDRESS)
    assert reading.key(EX + "x", AGW.limitKey, "header:X-Tenant") == RequestKey(KeyKind.HEADER, "x-tenant")
    assert reading.key(EX + "x", AGW.limitKey, "cookie:Tenant") == RequestKey(KeyKind.COOKIE, "Tenant")
    assert reading.key(EX + "x", AGW.limitKey, "api-key") == RequestKey(KeyKind.API_KEY)
    assert reading.key(EX + "x", AGW.limitKey, "claim:sub") == RequestKey(KeyKind.CLAIM, "sub")
    assert not reading.findings
    for wrong in ("header:", "header:a b", "claim:", "cookie:", "cookie:a;b", "client-address:x", ""):
        assert reading.key(EX + "x", AGW.limitKey, wrong) is None
        assert reading.findings.pop().code == "invalid-value"


def test_dangling_references_name_the_nearest_thing(reading: Reading) -> None:
    assert (
        reading.known(EX + "r", AGW.hasBackendService, EX + "prodcts", {EX + "products": 1}, "agw:BackendService")
        is None
    )
    (finding,) = reading.findings
    assert finding.code == "dangling-reference"
    assert finding.suggestion == f"<{EX}products>"
