from __future__ import annotations

from api_gateway_service_mesh.model import AdaptiveConcurrency, OverloadGuard, RequestPriority
from api_gateway_service_mesh.routing.concurrency import concurrency_parts, overload_parts
from api_gateway_service_mesh.routing.part import Citation
from api_gateway_service_mesh.vocabulary import AGW
from tests.support.routes import EX, mesh, route


def test_what_spares_the_backend() -> None:
    limit = AdaptiveConcurrency(EX + "c", maximum=50, baseline_seconds=60.0)
    r = route("r", "/", concurrency=limit, request_priority=RequestPriority.HIGH)
    (part,) = concurrency_parts(r)
    assert part.text == (
        "4 to 50 at once, while answers take at most 1.5 times what they take without a queue; priority HIGH"
    )
    assert part.citations == (
        Citation(r.iri, AGW.hasAdaptiveConcurrency, limit.iri),
        Citation(r.iri, AGW.requestPriority, "HIGH"),
        Citation(limit.iri, AGW.maximumConcurrency, "50"),
        Citation(limit.iri, AGW.baselinePeriod, "PT60S"),
    )
    assert concurrency_parts(route("r", "/")) == []


def test_what_spares_the_gateway() -> None:
    r, critical = route("r", "/"), route("c", "/c", request_priority=RequestPriority.CRITICAL)
    guarded = mesh(r, critical, overload=OverloadGuard(EX + "g"))
    assert [part.text for part in overload_parts(guarded, r)] == ["shed under overload as NORMAL"]
    assert [part.text for part in overload_parts(guarded, critical)] == ["never shed"]
    assert overload_parts(mesh(r), r) == []
