"""What a split comes to, in words and triples."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import (
    Canary,
    CanaryStep,
    ConditionSource,
    KeyKind,
    RequestCondition,
    RequestKey,
    SplitTarget,
    ValueKind,
)
from api_gateway_service_mesh.routing.split import share_text, split_part
from tests.support.gateway import route

STEPS = (CanaryStep("urn:s1", 10), CanaryStep("urn:s2", 50))
HEADER = RequestCondition("urn:h", ConditionSource.HEADER, "x-canary", ValueKind.EXACT, "always")
COOKIE = RequestCondition("urn:c", ConditionSource.COOKIE, "beta", ValueKind.PRESENT)


@pytest.mark.parametrize(
    ("split", "now", "text"),
    [
        (SplitTarget("urn:a", "urn:u", 90), None, "90 % to new"),
        (SplitTarget("urn:a", "urn:u", 90), 90.0, "90 % to new"),
        (SplitTarget("urn:a", "urn:u", 100), 75.0, "100 % (75 % now) to new"),
        (SplitTarget("urn:a", "urn:u", 100, active=True), None, "active: 100 % to new"),
        (SplitTarget("urn:a", "urn:u", 0, active=False), None, "standby: 0 % to new"),
        (SplitTarget("urn:a", "urn:u", 0, canary=Canary("urn:a", STEPS)), None, "in steps of 10 %, 50 % to new"),
        (
            SplitTarget("urn:a", "urn:u", 0, canary=Canary("urn:a", STEPS, paused=True)),
            10.0,
            "10 % now, in steps of 10 %, 50 %, to new, paused",
        ),
        (
            SplitTarget("urn:a", "urn:u", 0, steered_by=(HEADER, COOKIE)),
            None,
            "0 % to new, and whatever has header x-canary=always and cookie beta",
        ),
    ],
)
def test_words(split: SplitTarget, now: float | None, text: str) -> None:
    assert split_part(route(), split, "new", now).text == text


def test_what_keeps_callers_apart_is_said_and_cited() -> None:
    part = split_part(
        route(split_key=RequestKey(KeyKind.HEADER, "x-user")), SplitTarget("urn:a", "urn:u", 90), "new", None
    )
    assert part.text == "90 % to new, callers kept apart by header:x-user"
    assert part.citations[-1].object == "header:x-user"


def test_a_share_in_short() -> None:
    one = Canary("urn:a", STEPS[:1])
    assert share_text(SplitTarget("urn:a", "urn:u", 90)) == "90%"
    assert share_text(SplitTarget("urn:a", "urn:u", 0, canary=Canary("urn:a", STEPS))) == "10-50%"
    assert share_text(SplitTarget("urn:a", "urn:u", 0, canary=one)) == "10%"
