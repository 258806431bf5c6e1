"""Changes to header fields in Envoy's routes."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.envoy.transform import with_changes
from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from tests.support.gateway import route


def test_fields_are_set_added_and_removed_beside_what_is_there() -> None:
    asked = RequestTransformation("urn:q", (("A", "100%"),), (("B", "c"),), ("x-d",))
    told = ResponseTransformation("urn:a", (("E", "f"),))
    there = {"header": {"key": "retry-after", "value": "1"}}
    changed = route("/x", request_transformation=asked, response_transformation=told)
    assert with_changes(changed, {"name": "n", "response_headers_to_add": [there]}) == {
        "name": "n",
        "request_headers_to_add": [
            {"header": {"key": "A", "value": "100%%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
            {"header": {"key": "B", "value": "c"}, "append_action": "APPEND_IF_EXISTS_OR_ADD"},
        ],
        "request_headers_to_remove": ["x-d"],
        "response_headers_to_add": [
            there,
            {"header": {"key": "E", "value": "f"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
        ],
    }
    assert with_changes(route("/x"), {"name": "n"}) == {"name": "n"}
