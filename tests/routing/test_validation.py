"""Requests against a description, without a socket."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import (
    Enforcement,
    PathKind,
    PathMatch,
    RequestValidation,
    Route,
    RouteMatch,
    UnknownParameters,
)
from api_gateway_service_mesh.routing.decision import ExplainRequest
from api_gateway_service_mesh.routing.description import Description, DescriptionError
from api_gateway_service_mesh.routing.validation import Checker, Verdict, objection, validation_part

pytest.importorskip("jsonschema_rs")

PET = {
    "type": "object",
    "required": ["name", "id"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$"},
        "age": {"type": ["integer", "null"], "minimum": 0},
        "kind": {"enum": ["cat", "dog"]},
        "born": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": False,
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://{zone}.example/v{n}", "variables": {"zone": {"default": "a"}, "n": {"default": "1"}}}],
    "paths": {
        "/pets": {
            "parameters": [{"$ref": "#/components/parameters/trace"}],
            "get": {
                "operationId": "list",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}},
                    {"name": "ids", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
                    {
                        "name": "kinds", "in": "query", "explode": False,
                        "schema": {"type": "array", "items": {"enum": ["cat", "dog"]}},
                    },
                    {
                        "name": "piped", "in": "query", "style": "pipeDelimited",
                        "schema": {"type": "array", "items": {"type": "boolean"}},
                    },
                    {
                        "name": "filter", "in": "query", "style": "deepObject",
                        "schema": {"type": "object", "properties": {"age": {"type": "integer"}}},
                    },
                    {
                        "name": "page", "in": "query",
                        "schema": {"type": "object", "properties": {"offset": {"type": "integer"}}},
                    },
                    {"name": "json", "in": "query", "content": {"application/json": {"schema": {"type": "array"}}}},
                    {"name": "either", "in": "query", "schema": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]}},
                    {"name": "flag", "in": "query", "allowEmptyValue": True, "schema": {"type": "boolean"}},
                    {"name": "X-Ids", "in": "header", "schema": {"type": "array", "items": {"type": "integer"}}},
                    {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "integer"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string", "minLength": 3}},
                ],
            },
            "post": {
                "operationId": "add",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}},
                        "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Pet"}},
                        "image/*": {},
                    },
                },
            },
        },
        "/pets/{id}": {
            "get": {
                "operationId": "show",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            },
            "delete": {},
        },
        "/pets/mine": {"get": {"operationId": "mine"}},
        "/files/{name}.{kind}": {"get": {"operationId": "file"}},
    },
    "components": {
        "schemas": {"Pet": PET},
        "parameters": {"trace": {"name": "X-Trace", "in": "header", "schema": {"type": "string", "maxLength": 4}}},
    },
}  # fmt: skip


def policy(document: dict[str, Any] | None = None, **more: Any) -> RequestValidation:
    return RequestValidation("urn:v", "shop.yaml", json.dumps(document or DOCUMENT), **more)


def judge(
    method: str,
    target: str,
    fields: dict[str, str] | None = None,
    body: bytes = b"",
    kind: str | None = None,
    **more: Any,
) -> tuple[int, str]:
    """Status and detail, or 0 and the operation."""
    made = Checker(policy(**more))
    made.check()
    path, _, query = target.partition("?")
    found = made.find(method, path)
    if isinstance(found, Verdict):
        return found.status, found.detail
    operation, captured = found
    verdict = made.parameters(operation, captured, query, fields or {})
    if verdict is None:
        known = made.type_of(operation, kind, "content-encoding" in (fields or {}), bool(body))
        if isinstance(known, Verdict):
            verdict = known
        elif known and made.examined(operation, known, kind):
            verdict = made.body(operation, known, kind, body)
    return (0, operation.name) if verdict is None else (verdict.status, verdict.detail)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (("GET", "/v1/pets"), (0, "list")),
        (("GET", "/v1/pets/mine"), (0, "mine")),
        (("HEAD", "/v1/pets/7"), (0, "show")),
        (("DELETE", "/v1/pets/x"), (0, "DELETE /pets/{id}")),
        (("GET", "/v1/files/a.b"), (0, "file")),
        (("GET", "/v1/files/ab"), (404, "path: must be one that is described")),
        (("GET", "/pets"), (404, "path: must be one that is described")),
        (("PUT", "/v1/pets"), (405, "method: must be GET or POST")),
        (("GET", "/v1/pets/x"), (400, "path id: must be integer")),
        (("GET", "/v1/pets/%ff"), (400, "path id: must be UTF-8, percent-encoded")),
        (("GET", "/v1/pets/%37"), (0, "show")),
    ],
)
def test_which_operation_a_request_is_for(asked: tuple[str, str], wanted: tuple[int, str]) -> None:
    assert judge(*asked) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (
            "limit=5&ids=1&ids=2&kinds=cat,dog&piped=true|false&filter[age]=3&offset=1&json=%5B1%5D&either=true&flag=",
            None,
        ),
        ("anything=else", None),
        ("limit=0", "query limit: must be 1 or more"),
        ("limit=+5", "query limit: must be integer"),
        ("limit=5&limit=5", "query limit: must stand only once"),
        ("ids=1&ids=x", "query ids/1: must be integer"),
        ("kinds=cat,cow", 'query kinds/1: must be one of "cat", "dog"'),
        ("piped=true|1", "query piped/1: must be boolean"),
        ("filter[age]=x", "query filter/age: must be integer"),
        ("filter[age]=1&filter[age]=2", "query filter: must have no member twice"),
        ("offset=x", "query page/offset: must be integer"),
        ("json=%5B", "query json: must be JSON: it is no JSON from line 1, column 2 on"),
        ("json=%7B%7D", "query json: must be array"),
        ("either=x", "query either: must be one of the described alternatives, and only one"),
        ("limit=%ff", "query: must be UTF-8, percent-encoded"),
    ],
)
def test_the_query(query: str, wanted: str | None) -> None:
    assert judge("GET", f"/v1/pets?{query}") == ((0, "list") if wanted is None else (400, wanted))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"x-ids": "1,2", "x-trace": "abcd", "cookie": "a=b; session=abc"}, None),
        ({"x-ids": "1,x"}, "header x-ids/1: must be integer"),
        ({"x-trace": "abcde"}, "header x-trace: must have 4 characters or fewer"),
        ({"cookie": "session=ab"}, "cookie session: must have 3 characters or more"),
        ({"cookie": "session=abc; session=abd"}, "cookie session: must stand only once"),
    ],
)
def test_header_and_cookies(fields: dict[str, str], wanted: str | None) -> None:
    assert judge("GET", "/v1/pets", fields) == ((0, "list") if wanted is None else (400, wanted))


def test_parameters_that_are_not_described() -> None:
    for query in ("limit=5&filter[age]=1&offset=2", "ids=1"):
        assert judge("GET", f"/v1/pets?{query}", unknown=UnknownParameters.REFUSE) == (0, "list")
    said = judge("GET", "/v1/pets?limit=1&debug=1", unknown=UnknownParameters.REFUSE)
    assert said == (400, "query debug: must not be there: it is not described")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        ("application/json", b'{"name":"a","age":null}', None),
        ("Application/JSON; charset=utf-8", b'{"name":"a"}', None),
        (FORM, b"name=a&age=7&tags=x&tags=y", None),
        ("image/png", b"\x89PNG", None),
        ("application/json", b"", (400, "body: must be there")),
        ("application/json", b"{}", (422, "body: must have the member name")),
        ("application/json", b'{"name":"SECRET"}', (422, "body /name: must match ^[a-z]+$")),
        ("application/json", b'{"name":"a","age":-1}', (422, "body /age: must be 0 or more")),
        ("application/json", b'{"name":"a","tags":[1]}', (422, "body /tags/0: must be string")),
        ("application/json", b'{"name":"a","token":1}', (422, "body: must have no member that is not described")),
        ("application/json", b'{"name":"a","name":"b"}', (400, "body: must be JSON: a name stands twice in one of its objects")),
        ("application/json", b'{"name":"a","tags":[[[[]]]]}', (400, "body: must be JSON: it has more than 4 levels")),
        (FORM, b"name=a&age=x", (422, "body /age: must be integer or null")),
        (FORM, b"name=a&name=b", (422, "body: must have no member twice")),
        (FORM, b"name=%ff", (400, "body: must be percent-encoded UTF-8")),
        ("text/plain", b"a", (415, f"content-type: must be application/json or {FORM} or image/*")),
        (None, b"a", (415, f"content-type: must be application/json or {FORM} or image/*")),
    ],
)  # fmt: skip
def test_bodies(kind: str | None, body: bytes, wanted: tuple[int, str] | None) -> None:
    got = judge("POST", "/v1/pets", None, body, kind, body_depth=4)
    if wanted is not None and "integer or null" in wanted[1]:  # the library says types in an order of its own
        got = (got[0], got[1].replace("null or integer", "integer or null"))
    assert got == (wanted or (0, "add"))
    assert "SECRET" not in got[1]


def test_bodies_that_are_not_described_or_coded() -> None:
    assert judge("GET", "/v1/pets", None, b"{}", "application/json") == (415, "body: must not be there")
    said = judge("POST", "/v1/pets", {"content-encoding": "gzip"}, b"x", "application/json")
    assert said == (415, "content-encoding: must not be there")


def test_formats_are_checked_where_that_is_stated() -> None:
    body = b'{"name":"a","born":"yesterday"}'
    assert judge("POST", "/v1/pets", None, body, "application/json") == (0, "add")
    said = judge("POST", "/v1/pets", None, body, "application/json", checks_formats=True)
    assert said == (422, "body /born: must be of the format date")


def test_some_operations_and_another_base() -> None:
    assert judge("GET", "/pets", base="/", operations=("list",)) == (0, "list")
    assert judge("POST", "/pets", base="/", operations=("list",)) == (405, "method: must be GET")
    assert judge("GET", "/pets/7", base="/", operations=("list",)) == (404, "method: must be one that is described")
    with pytest.raises(DescriptionError, match="no operation gone"):
        Checker(policy(operations=("gone",))).check()


def test_openapi_3_0_says_some_things_otherwise() -> None:
    document = {
        "openapi": "3.0.3",
        "paths": {
            "/a": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "n": {
                                            "type": "integer",
                                            "nullable": True,
                                            "minimum": 0,
                                            "exclusiveMinimum": True,
                                        },
                                        "e": {"type": "string", "nullable": True, "enum": ["x"]},
                                        "nullable": {"type": "string"},
                                    },
                                }
                            }
                        }
                    }
                }
            }
        },
    }
    for body, status in ((b'{"n":null,"e":null}', 0), (b'{"n":1}', 0), (b'{"n":0}', 422), (b'{"nullable":null}', 422)):
        made = Checker(policy(document))
        found = made.find("POST", "/a")
        assert not isinstance(found, Verdict)
        verdict = made.body(found[0], "application/json", "application/json", body)
        assert (verdict.status if verdict else 0) == status, body


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"openapi": "2.0"}, "no OpenAPI"),
        ({"paths": {}}, "no operation"),
        ({"paths": {"/a": {"$ref": "other.yaml#/a"}}}, "leads out of the file"),
        ({"paths": {"/a": {"$ref": "#/paths/~1a"}}}, "in a circle"),
        ({"paths": {"/{a}{b}": {"get": {}}}}, "two parameters touch"),
        ({"paths": {"/{a": {"get": {}}}}, "brace"),
        ({"paths": {"/a": {"get": {"parameters": [{"in": "query"}]}}}}, "no name"),
        ({"paths": {"/a": {"get": {"parameters": [{"in": "query", "name": "x"}]}}}}, "no schema"),
        (
            {
                "paths": {
                    "/{x}": {"get": {"parameters": [{"in": "path", "name": "x", "style": "matrix", "schema": {}}]}}
                }
            },
            "style matrix",
        ),
    ],
)
def test_descriptions_that_cannot_be_used(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(DescriptionError, match=said):
        Checker(policy({"openapi": "3.1.0", **changed}))


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "(?=a)b"},
        {"pattern": "(a)\\1"},
        {"pattern": "(a{1000}){1000}"},
        {"type": "strin"},
        {"$ref": "https://elsewhere.example/schema.json"},
        {"items": {"$ref": "file:///etc/passwd"}},
    ],
)
def test_schemas_that_cannot_be_applied(schema: dict[str, Any]) -> None:
    body = {"content": {"application/json": {"schema": schema}}}
    document = {"openapi": "3.1.0", "paths": {"/a": {"post": {"requestBody": body}}}}
    with pytest.raises(DescriptionError):
        Checker(policy(document)).check()


@given(st.lists(st.sampled_from(["a", "b", "{x}", "{y}.z", "p{z}"]), min_size=1, max_size=4), st.data())
def test_what_is_filled_into_a_template_is_found_again(segments: list[str], data: st.DataObject) -> None:
    template = "/" + "/".join(segments)
    made = Description({"openapi": "3.1.0", "paths": {template: {"get": {}}}})
    value = st.text("abcxyz01", min_size=1, max_size=5)
    path = "/".join(
        segment.replace(segment[segment.index("{") : segment.index("}") + 1], data.draw(value))
        if "{" in segment
        else segment
        for segment in segments
    )
    assert made.find("/" + path) is not None
    assert made.find("/" + path + "/more") is None


def test_explain_names_the_operation_and_the_fault() -> None:
    route = Route("urn:r", "r", RouteMatch(PathMatch(PathKind.PREFIX, "/v1")))
    said = validation_part(route, policy(), None)
    assert (said.name, said.text) == ("request validation", "refuses what 6 described operations do not take")
    audit = policy(enforcement=Enforcement.AUDIT, operations=("list",))
    asked = validation_part(route, audit, ExplainRequest("GET", "", "/v1/pets", "limit=0"))
    assert (
        asked.text
        == "reports what 1 described operation does not take; this request: list, query limit: must be 1 or more"
    )
    assert {citation.predicate.rpartition("#")[2] for citation in asked.citations} == {
        "hasRequestValidation", "describedOperation", "enforcement",
    }  # fmt: skip
    fits = validation_part(route, replace(audit), ExplainRequest("GET", "", "/v1/pets"))
    assert fits.text.endswith("this request: list, its parameters fit")


def test_what_becomes_of_a_request_is_told_before_it_is_sent() -> None:
    for target, more, wanted in (
        ("/v1/pets?limit=0", {}, (400, "invalid-parameter")),
        ("/v2", {}, (404, "undescribed-request")),
        ("/v1/pets?limit=1", {}, None),
        ("/v1/pets?limit=0", {"enforcement": Enforcement.AUDIT}, None),
    ):
        path, _, query = target.partition("?")
        verdict = objection(policy(**more), ExplainRequest("GET", "", path, query))
        assert (None if verdict is None else (verdict.status, verdict.problem)) == wanted
