"""What a worker that ended held is given back."""

from __future__ import annotations

from api_gateway_service_mesh.control.dataplane import DataPlane
from api_gateway_service_mesh.policies import Bulkhead, EndpointCounters, layout_for, read_bulkhead, read_endpoint
from tests.support.gateway import endpoint, mesh_of, route, upstream


async def test_of_the_revision_in_force_and_of_the_one_on_its_way() -> None:
    plane = DataPlane(2, say=lambda line: None)
    served = mesh_of(route(), upstream(endpoint(1)))
    plane.slots = layout_for(served, plane.layout, 2)
    coming = layout_for(mesh_of(route(to="new"), upstream(endpoint(2, "two"), name="new")), plane.layout, 2)
    view = plane.cells.view
    for slots, service, instance in ((plane.slots, "service", "one"), (coming, "new", "two")):
        for worker in (0, 1):
            assert Bulkhead(view, slots["bulkhead", f"urn:test:{service}"], workers=2, worker=worker).enter()
            EndpointCounters(view, slots["endpoint", f"urn:test:endpoint:{instance}"], worker).start()
    plane.forget(1)
    for slots, service, instance in ((plane.slots, "service", "one"), (coming, "new", "two")):
        assert read_bulkhead(view, slots["bulkhead", f"urn:test:{service}"], 2).requests == 1
        totals = read_endpoint(view, slots["endpoint", f"urn:test:endpoint:{instance}"], 2)
        assert (totals.active, totals.requests) == (1, 2)
    await plane.stop(0.0)
    plane.cells.close()
