"""Versions from triples to the model: predicates by inference, withdrawal, promises."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.control.build import BuildRefused, build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import ApiVersion, Deprecation, HeaderMatch, Mesh, Route, ValueKind, VersionedBy
from tests.support.configuration import EX, HEAD, mesh_of

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" . '
ROUTE = SERVICE + 'ex:r a agw:Route ; agw:routePath "/v1/a" ; agw:hasBackendService ex:s ; agw:inVersion ex:v1 . '
V1 = (
    'ex:v1 a agw:ApiVersion ; agw:versionName "1" ; agw:hasVersioningStrategy ex:how . ex:how a agw:VersioningStrategy '
)


def only(mesh: Mesh) -> Route:
    (route,) = mesh.routes
    return route


def test_by_header() -> None:
    route = only(mesh_of(ROUTE + V1 + '; agw:versionedBy "HEADER" .'))
    assert route.match.headers == (HeaderMatch(EX + "v1", "api-version", ValueKind.EXACT, "1"),)
    assert route.version == ApiVersion(EX + "v1", "1", VersionedBy.HEADER, "api-version")
    other = only(mesh_of(ROUTE + V1 + '; agw:versionedBy "HEADER" ; agw:versionField "X-V" .'))
    assert other.match.headers == (HeaderMatch(EX + "v1", "x-v", ValueKind.EXACT, "1"),)


def test_by_query() -> None:
    route = only(mesh_of(ROUTE + V1 + '; agw:versionedBy "QUERY" .'))
    assert [(test.iri, test.name, test.value) for test in route.match.query] == [(EX + "v1", "version", "1")]
    assert route.version == ApiVersion(EX + "v1", "1", VersionedBy.QUERY, "version")


def test_by_media_type() -> None:
    template = "application/vnd.shop.v{version}+json"
    route = only(mesh_of(ROUTE + V1 + f'; agw:versionedBy "MEDIA_TYPE" ; agw:versionMediaType "{template}" .'))
    (test,) = route.match.headers
    assert (test.name, test.kind) == ("accept", ValueKind.REGULAR_EXPRESSION)
    assert test.value == "(?i)(.*,)? *application/vnd[.]shop[.]v1[+]json *([;,].*)?"
    assert route.version == ApiVersion(EX + "v1", "1", VersionedBy.MEDIA_TYPE, template)


def test_the_default_version_takes_requests_that_name_none() -> None:
    route = only(mesh_of(ROUTE + V1 + '; agw:versionedBy "HEADER" . ex:v1 agw:isDefaultVersion true .'))
    assert route.match.headers == ()
    assert route.version == ApiVersion(EX + "v1", "1", VersionedBy.HEADER, "api-version", is_default=True)


def test_a_class_of_routes_may_be_in_a_version() -> None:
    text = (
        SERVICE
        + V1
        + """; agw:versionedBy "HEADER" . ex:Old rdfs:subClassOf agw:Route ; agw:inVersion ex:v1 .
    ex:r a ex:Old ; agw:routePath "/a" ; agw:hasBackendService ex:s ."""
    )
    assert only(mesh_of(text)).match.headers[0].value == "1"


def test_a_version_hands_its_withdrawal_to_its_routes() -> None:
    text = (
        ROUTE
        + V1
        + """; agw:versionedBy "PATH" . ex:v1 agw:hasDeprecationPolicy ex:out ; agw:successorVersion ex:v2 .
    ex:v2 a agw:ApiVersion ; agw:versionName "2" ; agw:versionSegment "second" .
    ex:gateway a agw:ApiGateway ; agw:hasDeprecationPolicy [ a agw:DeprecationPolicy ; agw:successorLink "/other" ] .
    ex:out a agw:DeprecationPolicy ; agw:deprecatedAt "1970-01-01T00:01:00Z"^^xsd:dateTime ;
        agw:sunsetAt "1970-01-01T02:00:00+01:00"^^xsd:dateTime ; agw:afterSunset "REFUSE" ; agw:deprecationLink "/why" ."""
    )
    route = only(mesh_of(text))
    assert route.deprecation == Deprecation(EX + "out", 60.0, 3600.0, True, None, "/why", ("v1", "second"))
    assert route.version is None


def test_a_route_may_be_withdrawn_alone() -> None:
    text = (
        SERVICE
        + """ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasDeprecationPolicy ex:out .
    ex:out a agw:DeprecationPolicy ; agw:successorLink "/b" ."""
    )
    assert only(mesh_of(text)).deprecation == Deprecation(EX + "out", successor="/b")


def said(text: str) -> list[str]:
    try:
        report = build(SourceGraph.parse(f"{HEAD}ex:gateway a agw:ApiGateway .\n{text}", "a.ttl")).report
    except BuildRefused as refused:
        report = refused.report
    return [finding.message for finding in report.findings]


def test_a_path_without_its_version_is_refused() -> None:
    (one,) = said(ROUTE.replace("/v1/a", "/a") + V1 + '; agw:versionedBy "PATH" .')
    assert "its path has no segment 'v1'" in one
    assert said(ROUTE.replace("/v1/a", "/api/v1/*") + V1 + '; agw:versionedBy "PATH" .') == []


def test_a_sunset_before_the_deprecation_is_refused() -> None:
    (one,) = said(
        SERVICE
        + """ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasDeprecationPolicy ex:out .
    ex:out a agw:DeprecationPolicy ; agw:deprecatedAt "2027-01-02T00:00:00Z"^^xsd:dateTime ;
        agw:sunsetAt "2027-01-01T00:00:00Z"^^xsd:dateTime ."""
    )
    assert "the sunset comes before the deprecation" in one


PROMISE = (
    SERVICE
    + """
ex:v1 a agw:ApiVersion ; agw:versionName "1" ; agw:hasVersioningStrategy ex:how .
ex:v2 a agw:ApiVersion ; agw:versionName "2" ; agw:hasVersioningStrategy ex:how ; agw:hasBackwardCompatibility ex:promise .
ex:promise a agw:BackwardCompatibility ; agw:compatibleWith ex:v1 .
ex:how a agw:VersioningStrategy ; agw:versionedBy "PATH" .
ex:old a agw:Route ; agw:routePath "/v1/a/{id}" ; agw:httpMethod "GET" , "PUT" ; agw:hasBackendService ex:s ; agw:inVersion ex:v1 .
"""
)
NEW = 'ex:new a agw:Route ; agw:routePath "/v2/a/{id}" ; agw:hasBackendService ex:s ; agw:inVersion ex:v2 '


@pytest.mark.parametrize(
    ("new", "breach"),
    [
        (NEW + ".", None),
        (NEW + '; agw:httpMethod "GET" , "PUT" , "POST" .', None),
        (NEW + '; agw:httpMethod "GET" . ' + NEW.replace("ex:new", "ex:put") + '; agw:httpMethod "PUT" .', None),
        ("", "there is no route with the same path"),
        (NEW.replace("/a/", "/b/") + ".", "there is no route with the same path"),
        (NEW + '; agw:httpMethod "GET" .', "no route takes PUT"),
        (NEW + '; agw:hostname "b.example" .', "no route takes"),
        (
            NEW + '; agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x-a" ; agw:headerValue "b" ] .',
            "the new one demands x-a",
        ),
        (
            NEW + '; agw:hasAuthentication [ a agw:ApiKey ; agw:keyHash "sha256:' + "0" * 64 + '" ] .',
            "the new one demands authentication",
        ),
    ],
)
def test_a_promise_is_kept_or_every_breach_named(new: str, breach: str | None) -> None:
    found = said(PROMISE + new)
    if breach is None:
        assert found == []
    else:
        (one,) = found
        assert one.startswith("v2 promises to be compatible with v1, but of old")
        assert breach in one
