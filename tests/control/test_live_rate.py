"""Live rates out of real cells, with a clock moved by hand."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from time import monotonic

from api_gateway_service_mesh.control.live_rate import Rates
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.policies.counters import EndpointCounters, RouteCounters
from tests.support.configuration import EX, mesh_of

MESH = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:a , ex:b , ex:idle .
ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:idle a agw:Route ; agw:routePath "/idle" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "127.0.0.1:9" .
"""
WORKERS = 2


async def test_what_workers_count_is_told_of_routes_services_and_the_gateway() -> None:
    mesh = mesh_of(MESH)
    cells = CellStore.local()
    layout = CellLayout(cells)
    slots = layout_for(mesh, layout, WORKERS)
    rates = Rates(cells, WORKERS)
    rates.update(mesh, slots)
    try:
        assert rates.read() == {}
        for worker in range(WORKERS):
            route = RouteCounters(cells.view, slots["route", EX + "a"], worker)
            endpoint = EndpointCounters(cells.view, slots["endpoint", mesh.upstreams[0].endpoints[0].iri], worker)
            for number in range(10):
                route.observe(500 if number == 0 else 200, 0.02)
                endpoint.start()
                endpoint.finish(number > 1)
        RouteCounters(cells.view, slots["route", EX + "b"], 0).observe(200, 3.0)
        rates.look(monotonic())
        found = rates.read()
        assert set(found) == {("gateway", mesh.iri), ("route", EX + "a"), ("route", EX + "b"), ("service", EX + "s")}
        for rate in found["route", EX + "a"]:
            assert rate.error_share == 0.1
            assert rate.latency is not None and 0.01 < rate.latency[0] <= 0.025
        service = found["service", EX + "s"][0]
        assert service.error_share == 0.2
        assert service.latency is not None and service.latency[2] > 2.5  # of both routes
        assert found["gateway", mesh.iri][0].latency == service.latency
        # A reload that takes a route away takes its rates; what stays keeps its past.
        fewer = mesh_of(MESH.replace(", ex:b ", "").replace("ex:b a agw:Route", "ex:bb a agw:Route"))
        rates.update(fewer, layout_for(fewer, layout, WORKERS))
        assert ("route", EX + "b") not in rates.read()
        assert rates.read()["route", EX + "a"][0].error_share == 0.1
    finally:
        await rates.stop()


async def test_a_change_of_some_leaves_the_same_as_looking_at_all_anew() -> None:
    random = Random(7)
    cells = CellStore.local()
    layout = CellLayout(cells)
    stated = {f"r{number}": ("/1", f"s{number % 5}") for number in range(20)}

    def mesh(before: Mesh | None) -> Mesh:
        made = mesh_of(
            "ex:gateway a agw:ApiGateway .\n"
            + "".join(
                f'ex:{name} a agw:Route ; agw:routePath "/{name}{path}" ; agw:hasBackendService ex:{service} .\n'
                for name, (path, service) in stated.items()
            )
            + "".join(
                f'ex:s{number} a agw:BackendService ; agw:address "127.0.0.1:{ports[number]}" .\n'
                for number in range(5)
            )
        )
        if before is None:
            return made
        same = {thing.iri: thing for thing in (*before.routes, *before.upstreams)}
        return replace(
            made,
            routes=tuple(same[each.iri] if same.get(each.iri) == each else each for each in made.routes),
            upstreams=tuple(same[each.iri] if same.get(each.iri) == each else each for each in made.upstreams),
        )

    ports = dict.fromkeys(range(5), 9)
    served = mesh(None)
    followed = Rates(cells, WORKERS)
    followed.update(served, layout_for(served, layout, WORKERS))
    try:
        for step in range(40):
            name = f"r{random.randrange(30)}"
            if step % 4 == 0:
                ports[random.randrange(5)] += 1
            elif name in stated and random.random() < 0.5 and len(stated) > 2:
                del stated[name]
            else:
                stated[name] = (f"/{step}", f"s{random.randrange(5)}")
            served = mesh(served)
            slots = layout_for(served, layout, WORKERS)
            followed.update(served, slots)
            anew = Rates(cells, WORKERS)
            anew.update(served, slots)
            await anew.stop()
            for route in served.routes:
                RouteCounters(cells.view, slots["route", route.iri], step % WORKERS).observe(200, 0.01)
            for upstream in served.upstreams:
                counters = EndpointCounters(cells.view, slots["endpoint", upstream.endpoints[0].iri], 0)
                counters.start()
                counters.finish(step % 3 == 0)
            followed.look(monotonic())
            anew.look(monotonic())
            for subject in [
                (kind, f"{EX}{letter}{n}") for kind, letter in (("route", "r"), ("service", "s")) for n in range(30)
            ]:
                assert followed.counted(subject) == anew.counted(subject), subject
    finally:
        await followed.stop()
