"""The cells that traffic policies take."""

from __future__ import annotations

from api_gateway_service_mesh.model import Canary, CanaryStep, SplitTarget
from api_gateway_service_mesh.policies.canary import CANARY_CELLS
from api_gateway_service_mesh.policies.share import SHARE_CELLS
from api_gateway_service_mesh.policies.traffic import traffic_slots
from tests.support.gateway import route


def test_a_route_takes_what_its_policies_need() -> None:
    canary = Canary("urn:b", (CanaryStep("urn:step", 10),))
    made = route(splits=(SplitTarget("urn:a", "urn:u", 100), SplitTarget("urn:b", "urn:v", 0, canary=canary)))
    assert set(traffic_slots(made, 2)) == {
        ("share", "urn:a", 2 * SHARE_CELLS),
        ("share", "urn:b", 2 * SHARE_CELLS),
        ("canary", "urn:b", CANARY_CELLS),
    }
    assert not list(traffic_slots(route(), 2))
