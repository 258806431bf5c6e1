"""A dashboard with one row a route, whose every question a real Prometheus understands."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.grafana.dashboard import MOST_ROWS, dashboard
from api_gateway_service_mesh.model import Mesh
from tests.support.configuration import mesh_of

TEXT = """ex:g a agw:ApiGateway ; agw:hasRoute ex:a , ex:b .
ex:a a agw:Route ; agw:routePath "/a/*" ; agw:httpMethod "GET" ; agw:hasBackendService ex:s ; agw:hasRateLimiter ex:l ;
    agw:hasCircuitBreaker ex:c ; agw:hasRetryPolicy ex:again .
ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 .
ex:c a agw:CircuitBreaker ; agw:failureThreshold 3 .
ex:again a agw:RetryPolicy ; agw:retryAttempts 1 .
ex:s a agw:BackendService ; agw:hasInstance [ a agw:ServiceInstance ; agw:address "10.0.0.1:80" ] ,
    [ a agw:ServiceInstance ; agw:address "10.0.0.2:80" ] ."""


def made(mesh: Mesh) -> dict[str, Any]:
    (manifest,) = render(mesh, "grafana")
    found: dict[str, Any] = json.loads(manifest.text)
    return found


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def test_each_route_has_a_row() -> None:
    board = made(mesh_of(TEXT))
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    assert [row["title"] for row in rows] == ["Gateway", "Route a GET /a/*", "Route b /b", "Service s"]
    assert [row["collapsed"] for row in rows] == [False, True, True, True]
    assert [panel["title"] for panel in rows[1]["panels"]] == ["Requests", "Latency", "Bytes", "Policies"]
    assert [panel["title"] for panel in rows[2]["panels"]] == ["Requests", "Latency", "Bytes"]
    numbers = [panel["id"] for panel in panels(board)]
    assert len(set(numbers)) == len(numbers)
    for row in rows:
        inside = row["panels"] or [panel for panel in board["panels"] if panel["type"] != "row"]
        places = [panel["gridPos"] for panel in inside]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert all(one["x"] + one["w"] <= two["x"] for one, two in pairwise(places))


def test_a_newer_one_takes_the_place_of_an_older() -> None:
    mesh = mesh_of(TEXT)
    assert made(mesh)["uid"] == made(replace(mesh, routes=mesh.routes[:1]))["uid"]
    assert made(mesh)["uid"] != made(replace(mesh, iri="urn:other"))["uid"]


def test_of_very_many_routes_the_busiest_have_a_row() -> None:
    mesh = mesh_of(TEXT)
    many = tuple(replace(mesh.routes[0], iri=f"urn:r{number}") for number in range(MOST_ROWS + 1))
    board = dashboard(replace(mesh, routes=many), "agw", "uid")
    (row,) = [panel for panel in board["panels"] if panel.get("repeat")]
    assert row["title"] == "Route $route"
    assert [variable["name"] for variable in board["templating"]["list"]] == ["source", "route"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: Debian's prometheus has it")
def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    board = made(mesh_of(TEXT))
    asked = [target["expr"] for panel in panels(board) for target in panel.get("targets", ())]
    asked += [note["expr"] for note in board["annotations"]["list"]]
    rules = [
        {"record": f"question{number}", "expr": text.replace("$__rate_interval", "1m").replace("$__interval", "1m")}
        for number, text in enumerate(asked)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
