"""Errors as a Python traceback shows them."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh import ApiGateway, ConfigError
from api_gateway_service_mesh.errors import Finding, Location, Report, Severity


def test_a_configuration_error_says_where_what_and_what_was_meant() -> None:
    text = "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n<urn:r> a agw:Route ;\n  agw:routePat '/a' .\n"
    with pytest.raises(ConfigError) as refused:
        ApiGateway.from_turtle(text)
    (line,) = str(refused.value).splitlines()
    assert line == "<text>:3:3: agw:routePat is not a property of the agw ontology; did you mean agw:routePath ?"


def test_of_many_violations_ten_are_shown_and_no_warning() -> None:
    wrong = [Finding("x", f"fault {n}", location=Location("a.ttl", n), remedy="mend it") for n in range(1, 13)]
    shown = str(ConfigError(Report().merged([*wrong, Finding("y", "well", Severity.WARNING)]))).splitlines()
    assert shown[0] == "a.ttl:1:1: fault 1 (mend it)"
    assert len(shown) == 11 and shown[-1] == "… and 2 more"
    assert ConfigError(Report().merged(wrong)).message == "fault 1 (and 11 more)"
