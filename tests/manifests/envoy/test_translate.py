"""Envoy itself reads what is written for it: every example, every accepted case, and a mesh with every policy."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.envoy import KINDS, resources
from api_gateway_service_mesh.manifests.envoy.translate import ROUTES
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from tests.peers.envoy import ENVOY
from tests.support.examples import NAMES, copied
from tests.support.mesh_model import published, shop
from tests.support.routes import mesh, route

_ACCEPTED = Path(__file__).parents[2] / "golden" / "accepted"
_CASES = sorted(path.parent.name for path in _ACCEPTED.glob("*/model.json"))

needs_envoy = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")


def accepted(of: Mesh, folder: Path) -> None:
    """Envoy takes it, without a word."""
    file = folder / "bootstrap.json"
    file.write_text(render(of, "envoy", allow_loss=True)[0].text)
    command = [str(ENVOY), "--mode", "validate", "-c", str(file), "-l", "error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@needs_envoy
@pytest.mark.parametrize("name", NAMES)
def test_envoy_takes_every_example(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    found = build(SourceGraph.load([folder / "gateway.ttl"])).mesh
    named = re.findall(r'"filename": "([^"]+)"', json.dumps([dict(resources(found).of(kind)) for kind in KINDS]))
    if not all(Path(name).exists() for name in named):
        pytest.skip("its certificates are issued when it is served")
    accepted(found, folder)


@needs_envoy
@pytest.mark.parametrize("case", _CASES)
def test_envoy_takes_every_accepted_case(case: str, tmp_path: Path) -> None:
    found = decode(Mesh, json.loads((_ACCEPTED / case / "model.json").read_text(encoding="utf-8")))
    for listener in found.listeners:  # certificates of the cases stand nowhere
        if listener.certificate is not None:
            pytest.skip("its certificates are names of files that are not there")
    if any(upstream.tls is not None and upstream.tls.certificate for upstream in found.upstreams):
        pytest.skip("its certificates are names of files that are not there")
    accepted(found, tmp_path)


@needs_envoy
def test_envoy_takes_what_people_write_first_and_a_mesh_with_every_policy(tmp_path: Path) -> None:
    accepted(published(), tmp_path)
    everything = shop()
    plain = tuple(replace(each, tls=None, mtls_mode=None) for each in everything.upstreams)
    accepted(replace(everything, upstreams=plain, listeners=()), tmp_path)


def test_the_same_graph_gives_the_same_bytes() -> None:
    one, other = shop(), replace(shop(), routes=tuple(reversed(shop().routes)))
    assert render(one, "envoy", allow_loss=True)[0].text == render(other, "envoy", allow_loss=True)[0].text


def test_over_ads_each_part_refers_to_the_next() -> None:
    made = resources(shop())
    (name,) = made.routes
    assert name.startswith(f"{ROUTES}-")
    text = json.dumps(dict(made.listeners))
    assert f'"route_config_name": "{name}"' in text and '"route_config"' not in text
    assert made.endpoints and made.endpoints.keys() <= made.clusters.keys()


def test_no_secret_stands_in_what_is_written() -> None:
    text = json.dumps([dict(resources(shop()).of(kind)) for kind in ("secrets", "listeners", "clusters")])
    assert "PRIVATE KEY" not in text


def test_a_route_without_a_service_is_answered_in_place() -> None:
    text = json.dumps(dict(resources(mesh(route("lonely", "/x"))).routes))
    assert "urn:agw:problem:no-upstream" in text


@needs_envoy
def test_ten_thousand_routes_are_taken(tmp_path: Path) -> None:
    accepted(mesh(*(route(f"r{number}", f"/items/{number}") for number in range(10_000))), tmp_path)
