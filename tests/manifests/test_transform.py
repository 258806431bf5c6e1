"""Changes to header fields, as targets that keep one value a name take them."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from tests.support.gateway import route


def test_several_values_of_a_name_are_one() -> None:
    policy = ResponseTransformation("urn:a", (("A", "b"), ("a", "c"), ("D", "e")), (("Vary", "X"),), ("server",))
    changes = answer_changes(route("/x", response_transformation=policy))
    assert changes is not None
    assert changes.named() == {"set": {"A": "b, c", "D": "e"}, "add": {"Vary": "X"}, "remove": ["server"]}
    assert changes.named("Set", "Add", "Remove")["Remove"] == ["server"]


def test_a_policy_of_queries_alone_changes_no_fields() -> None:
    assert (
        request_changes(
            route("/x", request_transformation=RequestTransformation("urn:q", sets_parameters=(("v", "2"),)))
        )
        is None
    )
    assert request_changes(route("/x")) is None
