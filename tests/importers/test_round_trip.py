"""Graph → manifests → graph: what comes back does the same with requests, but for what a report names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import Report, Severity
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import import_texts
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from tests.support.mesh_model import published, shop
from tests.support.round_trip import differences

GOLDEN = Path(__file__).parents[1] / "golden" / "accepted"
EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/model.json"))
SAID = {
    "gateway-api": ("headers", "targets", "rewrite", "redirect", "mirrors", "timeout", "cors"),
    "istio": ("headers", "targets", "rewrite", "redirect", "mirrors", "direct", "faults", "retry", "cors"),
}
# What of a report's notes requests can see: addresses, and services that have none.
SEEN = ("#address", "#hasInstance", "#hasBackendService", "#hasTrafficSplit")


def mesh_of(case: str) -> Mesh:
    return decode(Mesh, json.loads((GOLDEN / case / "model.json").read_text(encoding="utf-8")))


def back(mesh: Mesh, target: str, folder: Path) -> tuple[Build, Report, Report]:
    """The model that comes back, what the rendering said, and what the import did."""
    rendering = render(mesh, target, allow_loss=True)
    imported = import_texts(target, {manifest.path: manifest.text for manifest in rendering})
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    return build(SourceGraph.load([file])), rendering.report, imported.report


def spoken_of(mesh: Mesh, report: Report) -> set[str]:
    """The routes that a rendering's report says something of that requests can see, by themselves or what they use."""
    subjects = {
        finding.subject
        for finding in report.findings
        if finding.severity is not Severity.INFO or (finding.predicate or "").endswith(SEEN)
    }
    found: set[str] = set()
    for route in mesh.routes:
        parts = (route.redirect, route.rewrite, route.direct, route.retry, *route.mirrors, *route.faults, *route.splits)
        used = {route.iri, *route.reached, *(part.iri for part in parts if part is not None)}
        if used & subjects:
            found.add(route.iri)
    return found


@pytest.mark.parametrize("target", SAID)
@pytest.mark.parametrize("case", CASES)
def test_golden_cases_come_back(case: str, target: str, tmp_path: Path) -> None:
    mesh = mesh_of(case)
    made, rendered, _ = back(mesh, target, tmp_path)
    assert made.report.violations == ()
    assert differences(mesh, made.mesh, SAID[target], but=spoken_of(mesh, rendered)) == []


@pytest.mark.parametrize("target", SAID)
@pytest.mark.parametrize("name", ["shop", "published"])
def test_models_come_back(name: str, target: str, tmp_path: Path) -> None:
    mesh = {"shop": shop, "published": published}[name]()
    made, rendered, _ = back(mesh, target, tmp_path)
    assert differences(mesh, made.mesh, SAID[target], but=spoken_of(mesh, rendered)) == []


@pytest.mark.parametrize("target", SAID)
@pytest.mark.parametrize("story", ["quickstart", "resilience", "traffic", "limits", "balancing", "shop"])
def test_examples_come_back(story: str, target: str, tmp_path: Path) -> None:
    files = sorted((EXAMPLES / story).glob("*.ttl"))
    for file in files:
        if "agw:ApiGateway" not in file.read_text(encoding="utf-8"):
            continue
        mesh = build(SourceGraph.load([file])).mesh
        made, rendered, _ = back(mesh, target, tmp_path)
        assert made.report.violations == (), file
        assert differences(mesh, made.mesh, SAID[target], but=spoken_of(mesh, rendered)) == [], file


def test_what_comes_back_keeps_its_names(tmp_path: Path) -> None:
    mesh = mesh_of("matching")
    made, _, said = back(mesh, "gateway-api", tmp_path)
    assert {route.iri for route in made.mesh.routes} <= {route.iri for route in mesh.routes}
    assert [finding.message for finding in said.findings if finding.severity is not Severity.INFO] == []
