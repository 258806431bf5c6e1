"""How routes and services stand to their objectives, out of real cells."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.live_rate import Rates
from api_gateway_service_mesh.control.objective import Objectives, objective_families, objective_triples
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.policies.counters import EndpointCounters, RouteCounters
from api_gateway_service_mesh.telemetry import render_metrics
from api_gateway_service_mesh.telemetry.objective import ObjectiveState
from api_gateway_service_mesh.vocabulary import AGW
from tests.support.configuration import EX, mesh_of

MESH = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:a , ex:b ; agw:hasServiceLevelObjective ex:slo .
ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "127.0.0.1:9" ; agw:hasServiceLevelObjective ex:quick .
ex:slo a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 .
ex:quick a agw:ServiceLevelObjective ; agw:latencyTarget 0.9 ;
    agw:latencyThreshold "PT0.1S"^^xsd:dayTimeDuration ; agw:objectiveWindow "P1D"^^xsd:dayTimeDuration .
"""


async def test_a_burning_budget_is_told() -> None:
    mesh = mesh_of(MESH)
    cells = CellStore.local()
    slots = layout_for(mesh, CellLayout(cells), 1)
    rates = Rates(cells, 1)
    objectives = Objectives(rates)
    rates.update(mesh, slots)
    objectives.update(mesh)
    try:
        route = RouteCounters(cells.view, slots["route", EX + "a"])
        endpoint = EndpointCounters(cells.view, slots["endpoint", mesh.upstreams[0].endpoints[0].iri])
        for number in range(100):
            route.observe(503 if number < 50 else 200, 1.5 if number < 20 else 0.01)
            endpoint.start()
            endpoint.finish(True)
        rates.look(monotonic())
        found = {(each.watched.subject, each.watched.indicator): each.burn for each in objectives.read()}
        assert {name: burn.state for name, burn in found.items()} == {
            (("route", EX + "a"), "availability"): ObjectiveState.FAST_BURN,  # 0.5 of 0.01 is 50 times too much
            (("route", EX + "b"), "availability"): ObjectiveState.MET,  # without a request
            (("service", EX + "s"), "latency"): ObjectiveState.MET,  # 0.2 of 0.1 is twice too much
        }
        assert round(found[("service", EX + "s"), "latency"].rates[300.0], 6) == 2.0
        assert round(found[("service", EX + "s"), "latency"].lasts_seconds or 0) == 43200

        live = Live(mesh, slots, cells, 1, 1, datetime.now(UTC))
        live.rates, live.objectives = rates.read, objectives.read
        said = {(term, value) for _, term, value in objective_triples(live)}
        assert (AGW.objectiveState, '"FAST_BURN"') in said and (AGW.ofObjective, f"<{EX}quick>") in said
        text = render_metrics(objective_families(live))
        assert (
            f'agw_objective_state{{objective="{EX}slo",route="{EX}a",indicator="availability",state="FAST_BURN"}} 1'
            in text
        )
        assert 'indicator="latency",window="PT6H"} 2' in text

        objectives.look(monotonic())
        objectives.update(mesh)  # a reload: what burned burns
        assert any(each.burn.state is ObjectiveState.FAST_BURN for each in objectives.read())
    finally:
        await rates.stop()
        await objectives.stop()
