from __future__ import annotations

from api_gateway_service_mesh.routing.part import Citation, cite, number, unless_default
from api_gateway_service_mesh.vocabulary import AGW


def test_numbers_as_people_write_them() -> None:
    assert [number(value) for value in (5.0, 0.5, 1000000.0)] == ["5", "0.5", "1000000"]


def test_a_default_is_not_cited() -> None:
    assert cite("urn:l", "quota", "5") == Citation("urn:l", AGW.quota, "5")
    stated = [("burstSize", 5, 5), ("keyCapacity", 64, 8192), ("quota", None, None)]
    assert unless_default("urn:l", stated) == [Citation("urn:l", AGW.keyCapacity, "64")]
