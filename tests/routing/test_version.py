"""Which version a request names, and what is said of one that is withdrawn."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import ApiVersion, Deprecation, VersionedBy
from api_gateway_service_mesh.routing import ExplainRequest
from api_gateway_service_mesh.routing.version import (
    deprecation_fields,
    deprecation_part,
    other_version,
    successor_path,
    version_part,
)
from tests.support.gateway import route

HEADER = ApiVersion("urn:v", "2", VersionedBy.HEADER, "api-version", is_default=True)
QUERY = ApiVersion("urn:v", "2", VersionedBy.QUERY, "v", is_default=True)
TYPE = ApiVersion("urn:v", "2", VersionedBy.MEDIA_TYPE, "application/vnd.a.v{version}+json", is_default=True)
PARAMETER = ApiVersion("urn:v", "2", VersionedBy.MEDIA_TYPE, "application/json; version={version}", is_default=True)


@pytest.mark.parametrize(
    ("version", "fields", "query", "other"),
    [
        (HEADER, {}, "", None),
        (HEADER, {"api-version": " 2 "}, "", None),
        (HEADER, {"api-version": "3"}, "", "3"),
        (HEADER, {"api-version": ""}, "", ""),
        (QUERY, {}, "a=b", None),
        (QUERY, {}, "v=2", None),
        (QUERY, {}, "a=b&v=3", "3"),
        (QUERY, {}, "%76=3", "3"),
        (TYPE, {}, "", None),
        (TYPE, {"accept": "text/html"}, "", None),
        (TYPE, {"accept": "application/vnd.a.v3+json"}, "", "3"),
        (TYPE, {"accept": "application/vnd.a.v3+json, Application/vnd.a.v2+JSON;q=0.1"}, "", None),
        (TYPE, {"accept": "application/vnd.a.v3+json, */*;q=0.1"}, "", None),
        (TYPE, {"accept": "application/vndXa.v3+json"}, "", None),
        (PARAMETER, {"accept": "application/json;version=3"}, "", "3"),
        (PARAMETER, {"accept": "application/json ; version=2; q=1"}, "", None),
    ],
)
def test_the_version_that_a_request_names(
    version: ApiVersion, fields: dict[str, str], query: str, other: str | None
) -> None:
    assert other_version(version)(fields.get, query) == other


def test_fields_of_what_is_withdrawn() -> None:
    assert deprecation_fields(Deprecation("urn:d")) == ()
    all_of_it = Deprecation("urn:d", 1688169599.0, 1796083199.5, successor="https://a.example/v2", page="/why")
    assert deprecation_fields(all_of_it) == (
        ("Deprecation", "@1688169599"),
        ("Sunset", "Mon, 30 Nov 2026 23:59:59 GMT"),
        ("Link", '<https://a.example/v2>; rel="successor-version"'),
        ("Link", '</why>; rel="deprecation"; type="text/html"'),
    )


def test_the_same_thing_in_the_successor() -> None:
    assert successor_path("/v1/a/v1", ("v1", "v2")) == "/v2/a/v1"
    assert successor_path("/api/v1", ("v1", "v2")) == "/api/v2"
    assert successor_path("/v10/a", ("v1", "v2")) is None


def test_explain_says_who_is_meant_and_until_when() -> None:
    request = ExplainRequest("GET", "a.example", "/v1/a", headers={"API-Version": "3"})
    part = version_part(route("/x", version=HEADER), HEADER, request)
    assert part.text.endswith("another one is refused: this request names 3, and is answered 400")
    plain = ApiVersion("urn:v", "2", VersionedBy.QUERY, "v")
    assert version_part(route("/x"), plain, None).text == "2, by query parameter v"
    assert version_part(route("/x"), TYPE, None).text.startswith(
        "2, by Accept: application/vnd.a.v{version}+json, also"
    )
    leaving = Deprecation("urn:d", 0.0, 60.0, True, None, "/why", ("v1", "v2"))
    part = deprecation_part(route("/x"), leaving, request)
    assert part.text == (
        "deprecated since 1970-01-01T00:00:00Z; to be gone at 1970-01-01T00:01:00Z, from then on answered 410; in its place /v2/a"
    )
    assert [one.object for one in part.citations] == [
        "urn:d", "1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z", "REFUSE", "/why",
    ]  # fmt: skip
    elsewhere = deprecation_part(route("/x"), Deprecation("urn:d", None, 60.0, successor="/b"), None)
    assert elsewhere.text == "to be gone at 1970-01-01T00:01:00Z, from then on served still; in its place /b"
