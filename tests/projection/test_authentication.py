"""Authentication from triples to the model: inheritance, files, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.model import JwtAlgorithm, KeyKind
from api_gateway_service_mesh.projection.api_key import ApiKeyRow
from api_gateway_service_mesh.projection.file import named_file
from api_gateway_service_mesh.projection.jwt import JwtRow
from tests.support.configuration import EX, assembled, mesh_of

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" .\n'
ROUTE = 'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s '
HASH = "sha256:" + "Ab" * 32
JWT = 'a agw:JWTAuthentication ; agw:issuer "https://i/" ; agw:audience "b", "a" ; agw:jwksUri "https://i/keys"'
KEY = f'a agw:ApiKey ; agw:keyHash "{HASH}"'

assert ApiKeyRow and JwtRow and named_file


def codes(text: str, base_dir: Path | None = None) -> list[str]:
    return [finding.code for finding in assembled(SERVICE + text, base_dir=base_dir).findings]


def test_all_of_a_token_s_demands() -> None:
    (route,) = mesh_of(
        SERVICE
        + f"""{ROUTE} ; agw:hasAuthentication ex:j . ex:j {JWT} ; agw:signingAlgorithm "EdDSA", "ES256" ;
        agw:clockSkew "PT1M"^^xsd:dayTimeDuration ; agw:requiredScope "y", "x" ; agw:requiredClaim "t=1" ;
        agw:forwardClaim "sub" ."""
    ).routes
    assert route.authentication and route.authentication.stated_by == EX + "r"
    (jwt,) = route.authentication.jwt
    assert (jwt.issuer, jwt.audiences, jwt.jwks_uri) == ("https://i/", ("a", "b"), "https://i/keys")
    assert jwt.algorithms == (JwtAlgorithm.ES256, JwtAlgorithm.EDDSA)
    assert (jwt.clock_skew_seconds, jwt.required_scopes) == (60.0, ("x", "y"))
    assert (jwt.required_claims, jwt.forwarded_claims) == (("t=1",), ("sub",))


def test_all_of_a_key() -> None:
    (route,) = mesh_of(
        SERVICE
        + f"""{ROUTE} ; agw:hasAuthentication ex:k . ex:k {KEY}, "sha256:{"00" * 32}" ; agw:keyHeader "X-Acme" ;
        agw:keyQueryParameter "k" ; agw:keyOwner "acme" ; agw:keyExpiry "2027-01-31T00:00:00+01:00"^^xsd:dateTime ."""
    ).routes
    assert route.authentication
    (key,) = route.authentication.api_keys
    assert key.hashes == ("00" * 32, "ab" * 32)
    assert (key.header, key.query_parameter, key.owner, key.expires) == ("x-acme", "k", "acme", 1801350000.0)


def test_a_gateway_demands_it_of_every_route_that_states_none() -> None:
    gateway = f"ex:g a agw:ApiGateway ; agw:hasAuthentication ex:j . ex:j {JWT} . ex:k {KEY} .\n"
    own = 'ex:o a agw:Route ; agw:routePath "/o" ; agw:hasBackendService ex:s ; agw:hasAuthentication ex:k .\n'
    kept = """ex:P rdfs:subClassOf agw:Route ; agw:hasAuthentication ex:k .
        ex:p a ex:P ; agw:routePath "/p" ; agw:hasBackendService ex:s ."""
    routes = {route.name: route for route in mesh_of(SERVICE + ROUTE + ".\n" + gateway + own + kept).routes}
    demands = {name: route.authentication for name, route in routes.items()}
    assert all(demands.values())
    assert demands["r"] and [jwt.iri for jwt in demands["r"].jwt] == [EX + "j"] and demands["r"].stated_by == EX + "r"
    assert demands["o"] and not demands["o"].jwt and len(demands["o"].api_keys) == 1
    assert demands["p"] and not demands["p"].jwt and len(demands["p"].api_keys) == 1


def test_other_gateways_demands_are_theirs() -> None:
    text = (
        SERVICE + ROUTE + f". ex:g a agw:ApiGateway ; agw:hasRoute ex:r . "
        f"ex:h a agw:ApiGateway ; agw:hasAuthentication ex:j . ex:j {JWT} ."
    )
    (route,) = assembled(text, gateway=EX + "g").mesh.routes
    assert route.authentication is None


@pytest.mark.parametrize("kind", ["a agw:Sidecar", "agw:issuer 'i'"])
def test_what_cannot_be_enforced_is_refused_and_lets_nobody_in(kind: str) -> None:
    text = f"{ROUTE} ; agw:hasAuthentication ex:x . ex:x {kind} ."
    assert codes(text) == ["authentication-not-enforced"]
    (route,) = assembled(SERVICE + text).mesh.routes
    assert route.authentication and not route.authentication.jwt and not route.authentication.api_keys


@pytest.mark.parametrize("missing", ["issuer", "audience", "jwksUri"])
def test_a_token_s_demands_are_complete(missing: str) -> None:
    parts = {"issuer": '"i"', "audience": '"a"', "jwksUri": '"https://i/k"'}
    stated = " ; ".join(f"agw:{name} {value}" for name, value in parts.items() if name != missing)
    found = codes(f"{ROUTE} ; agw:hasAuthentication ex:j . ex:j a agw:JWTAuthentication ; {stated} .")
    assert found == ["incomplete-authentication"]
    assert codes(f"{ROUTE} . ex:j a agw:JWTAuthentication ; {stated} .") == [], "nobody is asked for it"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('agw:clockSkew "PT6M"^^xsd:dayTimeDuration', "invalid-value"),
        ('agw:clockSkew "-PT1S"^^xsd:dayTimeDuration', "invalid-value"),
        ('agw:signingAlgorithm "HS256"', "invalid-value"),
        ('agw:forwardClaim "a_b", "a-b"', "same-claim-header"),
    ],
)
def test_wrong_values_are_told(more: str, code: str) -> None:
    assert codes(f"{ROUTE} ; agw:hasAuthentication ex:j . ex:j {JWT} ; {more} .") == [code]


def test_a_key_that_stands_there_is_never_repeated() -> None:
    found = assembled(SERVICE + f'{ROUTE} ; agw:hasAuthentication [ a agw:ApiKey ; agw:keyHash "hunter2" ] .')
    assert [finding.code for finding in found.findings] == ["literal-secret"]
    assert "hunter2" not in repr(found.findings)


def test_an_end_without_time_zone_is_told_and_the_key_is_over() -> None:
    text = f'{ROUTE} ; agw:hasAuthentication ex:k . ex:k {KEY} ; agw:keyExpiry "2027-01-31T00:00:00"^^xsd:dateTime .'
    assert codes(text) == ["invalid-value"]
    (route,) = assembled(SERVICE + text).mesh.routes
    assert route.authentication and route.authentication.api_keys[0].expires == 0.0


def test_a_key_file_lies_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "jwks.json").write_text("{}")
    (tmp_path / "outside.json").write_text("{}")
    for uri, found in (
        ("file:jwks.json", []),
        ("file:missing.json", ["jwks-file"]),
        ("file:../outside.json", ["file-outside-folder"]),
        ("file:/etc/passwd", ["file-outside-folder"]),
        ("file:.", ["jwks-file"]),
    ):
        text = f"{ROUTE} ; agw:hasAuthentication ex:j . ex:j {JWT.replace('https://i/keys', uri)} ."
        assert codes(text, folder) == found, uri
    text = f"{ROUTE} ; agw:hasAuthentication ex:j . ex:j {JWT.replace('https://i/keys', 'file:jwks.json')} ."
    (route,) = mesh_of(SERVICE + text, base_dir=folder).routes
    assert route.authentication and route.authentication.jwt[0].jwks_uri == f"file:{folder / 'jwks.json'}"


def test_keys_of_limits_are_vouched_for() -> None:
    limit = "agw:hasRateLimiter ex:l . ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 ; agw:limitKey"
    assert codes(f'{ROUTE} ; {limit} "claim:sub" .') == ["unauthenticated-key"]
    assert codes(f'{ROUTE} ; agw:hasAuthentication ex:k ; {limit} "claim:sub" . ex:k {KEY} .') == [
        "unauthenticated-key"
    ]
    assert codes(f'{ROUTE} ; agw:hasAuthentication ex:j ; {limit} "api-key" . ex:j {JWT} .') == ["unauthenticated-key"]
    (route,) = mesh_of(SERVICE + f'{ROUTE} ; agw:hasAuthentication ex:j ; {limit} "claim:sub" . ex:j {JWT} .').routes
    assert [key.kind for key in route.rate_limits[0].keys] == [KeyKind.CLAIM]
