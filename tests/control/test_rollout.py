"""Canaries delivered by the control process: from counters to weights, triples, metrics and what explain says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pyoxigraph

from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.metrics import ControlCounters, metric_families
from api_gateway_service_mesh.control.rollout import Rollouts
from api_gateway_service_mesh.control.runtime import runtime_ntriples
from api_gateway_service_mesh.model import Canary, CanaryStep, Mesh, SplitTarget
from api_gateway_service_mesh.policies import CellLayout, CellStore, ShareCounters, layout_for
from api_gateway_service_mesh.routing import ExplainRequest, compile_table, explain
from api_gateway_service_mesh.telemetry import render_metrics
from tests.support.gateway import endpoint, mesh_of, route, upstream

QUESTION = """
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
PREFIX prov: <http://www.w3.org/ns/prov#>
SELECT ?phase ?weight ?outcome ?reason ?requests ?rate ?stable WHERE {
  <urn:new> agw:canaryPhase ?phase ; agw:currentWeight ?weight ; agw:lastDecision ?decision .
  ?decision a agw:CanaryDecision ; a prov:Activity ; prov:used <urn:new> ; prov:endedAtTime ?at ;
    agw:decisionOutcome ?outcome ; agw:decisionReason ?reason ; agw:canaryRequests ?requests ;
    agw:canaryErrorRate ?rate ; agw:stableRequests ?stable .
}"""


def canaried(*, paused: bool = False) -> Mesh:
    plan = Canary(
        "urn:new", (CanaryStep("urn:step", 20, 60.0),), minimum_requests=10, max_error_increase=0.1, paused=paused
    )
    splits = (SplitTarget("urn:old", "urn:test:old", 100), SplitTarget("urn:new", "urn:test:new", 0, canary=plan))
    return mesh_of(
        route(splits=splits),
        upstream(endpoint(1, "old"), name="old"),
        upstream(endpoint(2, "new"), name="new"),
    )


class Gateway:
    """A control process's view of cells that a worker writes to."""

    def __init__(self) -> None:
        self.cells = CellStore.local(2**16)
        self.layout = CellLayout(self.cells)
        self.said: list[str] = []
        self.rollouts = Rollouts(self.cells, 2, {}, self.said.append)

    def use(self, mesh: Mesh) -> Live:
        slots = layout_for(mesh, self.layout, 2)
        self.rollouts.update(mesh, slots)
        return Live(mesh, slots, self.cells, 2, 1, datetime.now(UTC), self.rollouts.decisions)

    def serve(self, live: Live, split: str, status: int, requests: int) -> None:
        counters = ShareCounters(self.cells.view, live.slots["share", split], worker=1)
        for _ in range(requests):
            counters.observe(status, 0.01)


async def test_a_bad_canary_is_taken_back_and_the_graph_says_why() -> None:
    gateway = Gateway()
    mesh = canaried()
    live = gateway.use(mesh)
    assert live.weights() == {"urn:old": 80.0, "urn:new": 20.0}
    table = compile_table(mesh)
    parts = [part.text for part in explain(table, ExplainRequest("GET", "a", "/"), live.weights()).parts]
    assert "100 % (80 % now) to old" in parts
    assert "20 % now, in steps of 20 %, to new" in parts
    gateway.serve(live, "urn:old", 200, 40)
    gateway.serve(live, "urn:new", 503, 10)
    async with asyncio.timeout(20):
        while live.weights()["urn:new"]:
            await asyncio.sleep(0.05)
    await gateway.rollouts.stop()
    store = pyoxigraph.Store()
    store.load(runtime_ntriples(live), format=pyoxigraph.RdfFormat.N_TRIPLES)
    (found,) = store.query(QUESTION)  # type: ignore[misc]
    assert [term.value for term in found][:3] == ["ROLLED_BACK", "0", "ROLLED_BACK"]
    assert "error rate 1 is more than 0.1 above the other side's 0" in found["reason"].value
    assert (found["requests"].value, float(found["rate"].value), found["stable"].value) == ("10", 1.0, "40")
    text = render_metrics(metric_families(live, ControlCounters()))
    assert 'agw_split_weight_percent{split="urn:old"} 100' in text
    assert 'agw_split_errors_total{split="urn:new"} 10' in text
    assert 'agw_canary_phase{canary="urn:new",phase="ROLLED_BACK"} 1' in text
    assert [line.split(":", 2)[1].split(" ", 1)[1] for line in gateway.said] == [
        "starts (0 % -> 20 %)",
        "is rolled back (20 % -> 0 %)",
    ]


async def test_a_reload_goes_on_where_the_canary_stood_and_one_that_is_gone_is_forgotten() -> None:
    gateway = Gateway()
    live = gateway.use(canaried())
    gateway.serve(live, "urn:old", 200, 40)
    gateway.serve(live, "urn:new", 503, 10)
    gateway.use(canaried(paused=True))
    assert live.weights()["urn:new"] == 20.0
    gateway.use(canaried())
    assert [decided.decision.outcome.name for decided in gateway.rollouts.decisions["urn:new"]] == [
        "STARTED",
        "PAUSED",
        "RESUMED",
    ]
    gateway.use(mesh_of(route(), upstream(endpoint(1))))
    assert gateway.rollouts.decisions == {}
    await gateway.rollouts.stop()
