"""A real Consul takes every entry, and its discovery chains show the routes and splits of the graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.consul.service import NOTHING, subset_name, tag_literal
from api_gateway_service_mesh.model import Mesh
from tests.support.consul_agent import Agent, consul_agent, needs_consul
from tests.support.examples import copied
from tests.support.mesh_model import published, shop
from tests.support.rich_mesh import rich

pytestmark = needs_consul


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with consul_agent(tmp_path_factory.mktemp("consul")) as running:
        yield running


def empty(agent: Agent) -> None:
    """Nothing of an earlier test is left."""
    kinds = "http-route api-gateway service-intentions jwt-provider service-router service-splitter service-resolver"
    for kind in (*kinds.split(), "service-defaults", "mesh", "proxy-defaults"):
        for one in json.loads(agent.ask(f"/v1/config/{kind}")[1]):
            agent.delete(f"/v1/config/{kind}/{one.get('Name') or 'mesh'}")


def applied(agent: Agent, mesh: Mesh) -> dict[str, tuple[int, str]]:
    """What Consul said to each entry that it did not take."""
    empty(agent)
    said = {}
    for manifest in render(mesh, "consul", plain=True, allow_loss=True):
        answer = agent.ask("/v1/config", manifest.text)
        if answer != (200, "true"):
            said[manifest.path] = answer
    return said


LABELS = [
    "plain",
    'a"b',
    "a`b",
    "a'b",
    "a\\b",
    'a\\"b',
    '"',
    "\\",
    "{{x}}",
    "$(x)",
    "%2f",
    'x"inService.Tagsor"y',
    "#a",
]


def test_a_label_is_that_tag_and_no_other(agent: Agent) -> None:
    """Asked of Consul itself: what a filter chooses among instances with every tag."""
    for at, label in enumerate(LABELS):
        tagged = {"ID": f"tagged-{at}", "Name": "tagged", "Port": 1, "Tags": [label]}
        assert agent.ask("/v1/agent/service/register", json.dumps(tagged))[0] == 200
    for label in LABELS:
        text = tag_literal(label)
        assert text is not None
        status, found = agent.ask(f"/v1/health/service/tagged?filter={quote(f'{text} in Service.Tags')}")
        assert status == 200, (label, found)
        assert [one["Service"]["Tags"] for one in json.loads(found)] == [[label]]
    assert tag_literal('`"') is None
    assert agent.ask(f"/v1/health/service/tagged?filter={quote(NOTHING)}") == (200, "[]")
    assert len({subset_name((label,)) for label in LABELS} | {subset_name(("a", "b")), subset_name(("a-b",))}) == 15


@pytest.mark.parametrize("name", ["shop", "mtls", "auth", "traffic", "resilience"])
def test_examples_are_taken_whole(agent: Agent, name: str, tmp_path: Path) -> None:
    mesh = build(SourceGraph.load([copied(name, tmp_path) / "gateway.ttl"])).mesh
    assert applied(agent, mesh) == {}
    assert render(mesh, "consul", allow_loss=True)


def test_everything_that_can_be_said_is_taken(agent: Agent) -> None:
    meshes = rich()
    for name in ("whole", "shares", "plain", "pattern", "replaced", "hashed", "sticky", "outlier", "addresses"):
        assert applied(agent, meshes[name]) == {}, name


def test_the_chain_shows_the_routes_in_their_order_and_the_split(agent: Agent) -> None:
    assert applied(agent, shop()) == {}
    nodes = agent.chain("gateway-routes")["Nodes"]
    router = next(node for node in nodes.values() if node["Type"] == "router")
    first = router["Routes"][0]["Definition"]["Match"]["HTTP"]
    assert first["PathExact"] == "/users/me"
    authority = first["Header"][0]
    assert authority["Name"] == ":authority"
    assert re.fullmatch(authority["Regex"], "shop.example.com:8080")
    (splitter,) = (node for node in nodes.values() if node["Type"] == "splitter")
    shares = {split["Definition"]["Service"]: split["Weight"] for split in splitter["Splits"]}
    assert shares == {"orders-v1": 90, "orders-v2": 10}


def test_timeouts_retries_and_balancers_stand_in_the_chain(agent: Agent) -> None:
    assert applied(agent, published()) == {}
    routes = next(n for n in agent.chain("gateway-routes")["Nodes"].values() if n["Type"] == "router")["Routes"]
    there = routes[0]["Definition"]["Destination"]
    assert (there["Service"], there["RequestTimeout"], there["NumRetries"]) == ("products-service", "10s", 3)
    assert applied(agent, rich()["hashed"]) == {}
    balancers = [
        node["LoadBalancer"] for node in agent.chain("gateway-routes")["Nodes"].values() if "LoadBalancer" in node
    ]
    assert balancers[0]["HashPolicies"][0]["Field"] == "header"


def test_the_gateway_binds_its_route(agent: Agent) -> None:
    assert applied(agent, published()) == {}
    assert (
        json.loads(agent.ask("/v1/config/http-route/gateway")[1])["Rules"][0]["Services"][0]["Name"] == "gateway-routes"
    )
    assert json.loads(agent.ask("/v1/config/api-gateway/gateway")[1])["Listeners"][0]["Port"] == 8080
