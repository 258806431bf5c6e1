"""Whole reports of refused configurations: the words are the product, so they are golden.

A case is Turtle, a ruler line ``# ----``, and the report as comment lines; `pytest --update-golden` rewrites what
stands below the ruler.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph, infer, validate
from api_gateway_service_mesh.graph.findings import kebab
from api_gateway_service_mesh.graph.report import render_report

REJECTED = Path(__file__).parents[1] / "golden" / "rejected"
RULER = "# ----\n"
CASES = sorted(path.stem for path in REJECTED.glob("*.ttl"))


@pytest.mark.parametrize("case", CASES)
def test_a_refused_configuration_is_reported_so(case: str, update_golden: bool) -> None:
    path = REJECTED / f"{case}.ttl"
    turtle, _, expected = path.read_text().partition(RULER)
    with pytest.raises(ConfigError) as refused:
        validate(infer(SourceGraph.parse(turtle, path.name)))
    report = render_report(refused.value.report)
    commented = "".join(f"# {line}".rstrip() + "\n" for line in report.splitlines())
    if update_golden:
        path.write_text(turtle + RULER + commented)
    assert update_golden or commented == expected


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 15


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("RouteHome", "route-home"),
        ("hasRateLimiter", "has-rate-limiter"),
        ("JWTAuthentication", "jwt-authentication"),
        ("In", "in"),
    ],
)
def test_kebab(name: str, slug: str) -> None:
    assert kebab(name) == slug
