"""Descriptions of APIs as others write them: what is taken over, and what is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts

PETS = """\
openapi: 3.1.0
info: {title: "The\\n pets", version: "1"}
servers:
  - url: https://{region}.pets.example:8443/v1/
    variables: {region: {default: eu, enum: [eu, us]}}
  - {url: https://staging.example}
security: [{token: []}]
x-kong-plugin-rate-limiting: {config: {minute: 5}}
x-logo: {url: a}
paths:
  /pets:
    parameters: [{name: a, in: query}]
    get: {operationId: listPets, summary: All, responses: {}, security: []}
    post: {operationId: addPet, responses: {}, security: [{token: [w]}, {key: []}]}
  /pets/{pet-id}: {get: {responses: {}}, query: {responses: {}}}
  /pets/mine: {get: {operationId: mine, security: [{}, {key: []}]}}
  /pets/{a}.{b}: {put: {operationId: dotted, x-amazon-apigateway-integration: {uri: x}}}
  /diff/{a b}/{a-b}/{1}/{1}: {put: {operationId: three, servers: [{url: /internal}]}}
  /else: {$ref: "#/components/pathItems/else"}
  /away: {$ref: "away.yaml"}
  bad/path: {get: {}}
  x-paths: {}
components:
  pathItems: {else: {delete: {operationId: gone}}}
  securitySchemes: {token: {type: http, scheme: bearer}, key: {type: apiKey, in: header, name: x-key}}
"""


def taken(text: str, name: str = "pets.yaml") -> Imported:
    return import_texts("openapi", {name: text})


def loaded(imported: Imported, folder: Path) -> Build:
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    return build(SourceGraph.load([file]))


def test_operations_become_routes(tmp_path: Path) -> None:
    made = loaded(taken(PETS), tmp_path)
    paths = {route.iri.rpartition("#")[2]: route.match.path.text for route in made.mesh.routes}
    assert paths == {
        "listPets": "/v1/pets",
        "addPet": "/v1/pets",
        "get-pets-pet-id": "/v1/pets/{pet-id}",
        "mine": "/v1/pets/mine",
        "dotted": r"/v1/pets/[^/]+\.[^/]+",
        "three": "/internal/diff/{a_b}/{a-b}/{_1}/{_1_}",
        "gone": "/v1/else",
    }
    assert {end.authority for each in made.mesh.upstreams for end in each.endpoints} == {
        "eu.pets.example:8443", "127.0.0.1:8080"
    }  # fmt: skip


def test_what_is_not_taken_over_is_told() -> None:
    told = [f"{finding.location} {finding.message}" for finding in taken(PETS).report.findings]
    assert told == [
        "pets.yaml:6:5 description: https://staging.example is not taken over; agw takes the first server",
        "pets.yaml:8:1 description: x-kong-plugin-rate-limiting has no counterpart here",
        "pets.yaml:15:42 description.paths./pets/{pet-id}: query has no counterpart here",
        "pets.yaml:17:46 PUT /pets/{a}.{b}: x-amazon-apigateway-integration has no counterpart here",
        "pets.yaml:18:68 The pets: no server says at which host it is; 127.0.0.1:8080 is written",
        "pets.yaml:20:11 /away is not taken over: away.yaml is not in the file",
        "pets.yaml:21:14 GET bad/path is not taken over: the path 'bad/path' does not begin with a slash",
        "pets.yaml:25:28 the security scheme token (bearer) is not taken over: 5 operations are open to all",
        "pets.yaml:25:63 the security scheme key (apiKey) is not taken over: 1 operation is open to all",
    ]


def test_swagger_2_says_its_server_in_pieces(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "swagger": "2.0",
            "info": {"title": "Old", "version": "1"},
            "host": "old.example",
            "basePath": "/api",
            "schemes": ["http", "https"],
            "consumes": ["application/json"],
            "securityDefinitions": {"basic": {"type": "basic"}},
            "security": [{"basic": []}],
            "paths": {"/a/{b}": {"get": {"operationId": "a", "schemes": ["https"], "responses": {}}}},
            "definitions": {"X": {}},
        }
    )
    imported = taken(text, "old.json")
    made = loaded(imported, tmp_path)
    assert [route.match.path.text for route in made.mesh.routes] == ["/api/a/{b}"]
    assert [end.authority for each in made.mesh.upstreams for end in each.endpoints] == ["old.example:443"]
    assert [finding.message for finding in imported.report.findings] == [
        "the security scheme basic (basic) is not taken over: 1 operation is open to all"
    ]


@pytest.mark.parametrize("text", ["swagger: '1.2'", "openapi: 4.0.0", "kind: Ingress"])
def test_what_is_no_description_is_told(text: str) -> None:
    (finding,) = taken(text).report.findings
    assert (finding.code, str(finding.location)) == ("not-imported", "pets.yaml:1:1")


def test_a_description_without_operations_is_told() -> None:
    (finding, other) = taken(
        "openapi: 3.0.0\npaths: {}\nservers: [{url: 'http://a.example'}, {url: b}]"
    ).report.findings
    assert finding.message == "api: there is no operation" and str(finding.location) == "pets.yaml:2:1"
    assert "b is not taken over" in other.message


SEGMENT = st.one_of(
    st.text("abcz09-_~", min_size=1, max_size=4),
    st.text("abc", min_size=1, max_size=3).map(lambda name: f"{{{name}}}"),
    st.tuples(st.text("ab.+", max_size=2), st.text("abc", min_size=1), st.text("cd.(", max_size=2)).map(
        lambda text: f"{text[0]}{{{text[1]}}}{text[2]}"
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(SEGMENT, min_size=1, max_size=5), st.sampled_from(["", "/v1", "/a.b/c"]))
def test_what_an_operation_takes_its_route_takes(segments: list[str], base: str) -> None:
    template = "/" + "/".join(segments)
    text = json.dumps({"openapi": "3.0.3", "servers": [{"url": base or "/"}], "paths": {template: {"get": {}}}})
    imported = taken(text, "a.json")
    assert [finding.code for finding in imported.report.findings] == ["imported-differently"]
    table = build(SourceGraph.parse(imported.turtle, "a.ttl")).table
    path = base + re.sub(r"{[^}]*}", "7y", template)
    assert table.find("x", "GET", path, "", {}) is not None
    assert table.find("x", "GET", f"{path}/more", "", {}) is None
    assert table.find("x", "PUT", path, "", {}) is None


def test_requests_are_held_against_the_description_where_that_is_wanted(tmp_path: Path) -> None:
    text = 'openapi: 3.1.0\ninfo: {title: Pets}\nservers: [{url: "http://pets.example/v1"}]\npaths: {/pets: {get: {}, post: {}}}\n'
    (tmp_path / "api").mkdir()
    (tmp_path / "api/pets.yaml").write_text(text)
    made = loaded(import_texts("openapi", {"elsewhere/pets.yaml": text}, descriptions="api"), tmp_path)
    one, two = (route.validation for route in made.mesh.routes)
    assert one is two and one is not None and one.file == str(tmp_path / "api/pets.yaml")
    old = import_texts("openapi", {"a.yaml": "swagger: '2.0'\npaths: {/pets: {get: {}}}\n"}, descriptions=".")
    assert "hasRequestValidation" not in old.turtle
    assert any("OpenAPI 3.0 or 3.1" in finding.message for finding in old.report.findings)
