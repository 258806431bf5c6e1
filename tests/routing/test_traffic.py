"""Traffic policies in words, in the order in which a request meets them."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    ConditionSource,
    DirectResponse,
    Fault,
    Maintenance,
    Mirror,
    Redirect,
    RequestCondition,
    Rewrite,
    ValueKind,
)
from api_gateway_service_mesh.routing import ExplainRequest, compile_table, explain, render_table
from tests.support.gateway import endpoint, mesh_of, route, upstream

ON = RequestCondition("urn:h", ConditionSource.HEADER, "x-test", ValueKind.EXACT, "on")
REQUEST = ExplainRequest("GET", "a.example", "/old/x")


def said(**more: object) -> dict[str, str]:
    mesh = mesh_of(route("/old", **more), upstream(endpoint(1)), upstream(endpoint(2, "n"), name="next"))
    return {part.name: part.text for part in explain(compile_table(mesh), REQUEST).parts}


def test_each_in_words() -> None:
    parts = said(
        maintenance=Maintenance("urn:m", "urn:g", bypassed_by=(ON,), bypass_addresses=("10.0.0.0/8",)),
        faults=(Fault("urn:f", 0.5, 5, 503, 1, (ON,)),),
        rewrite=Rewrite("urn:w", prefix="/new"),
        mirrors=(Mirror("urn:c", "urn:test:next", 10),),
    )
    assert list(parts)[:5] == ["maintenance", "fault injection", "rewrite", "mirror", "upstream"]
    assert parts["maintenance"] == "answers 503, down for maintenance; but not for header x-test=on or 10.0.0.0/8"
    assert parts["fault injection"] == "5 % held back for 0.5 s, 1 % answered 503 of those with header x-test=on"
    assert parts["rewrite"] == "path /old/x -> /new/x"
    assert parts["mirror"] == "10 % copied to next"


def test_what_answers_itself_has_no_upstream() -> None:
    assert said(maintenance=Maintenance("urn:m", "urn:g", enabled=False))["maintenance"] == "off"
    assert said(direct=DirectResponse("urn:d", 410, "gone")) == {"direct response": "answers 410 with 4 bytes"}
    assert said(redirect=Redirect("urn:r", full_path="/new"), to=None) == {"redirect": "answers 302, to /new"}
    assert "upstream" in said(redirect=Redirect("urn:r", scheme="https"))


def test_the_table_says_so_too() -> None:
    made = mesh_of(
        (
            route("/a", "a", to=None, direct=DirectResponse("urn:d", 410)),
            route("/b", "b", to=None, redirect=Redirect("urn:r", full_path="/")),
        )
    )
    text = render_table(compile_table(made))
    assert "answers 410" in text
    assert "redirects 302" in text
