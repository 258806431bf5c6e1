"""Authorization from triples to the model: rules, windows, inheritance, what is refused."""

from __future__ import annotations

from api_gateway_service_mesh.model import Enforcement, RuleAction, TimeWindow
from api_gateway_service_mesh.projection.authorization import AuthorizationRow
from tests.support.configuration import EX, assembled, mesh_of

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" .\n'
ROUTE = 'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s '
JWT = 'ex:j a agw:JWTAuthentication ; agw:issuer "https://i/" ; agw:audience "a" ; agw:jwksUri "https://i/keys" .\n'
POLICY = "ex:p a agw:AuthorizationPolicy ; agw:hasRule ex:x . ex:x a agw:AuthorizationRule "

assert AuthorizationRow


def codes(text: str) -> list[str]:
    return [finding.code for finding in assembled(SERVICE + text).findings]


def test_all_that_a_rule_says() -> None:
    (route,) = mesh_of(
        SERVICE
        + JWT
        + f"""{ROUTE} ; agw:hasAuthentication ex:j ; agw:hasAuthorization ex:p ; agw:requiredScope "s2", "s1" .
        ex:p agw:enforcement "audit" . {POLICY} ; agw:ruleAction "DENY" ; agw:callerPrincipal "jwt:*" ;
        agw:callerIssuer "i" ; agw:callerSubject "b", "a" ; agw:callerClaim "t=1" ; agw:callerScope "o" ;
        agw:callerAddress "10.0.0.0/8" ; agw:onMethod "PUT" ; agw:onPath "/a/*" ; agw:duringWindow ex:w .
        ex:w a agw:TimeWindow ; agw:windowDay "Friday", "Monday" ; agw:windowBegins "08:30" ; agw:windowEnds "17:00" ;
        agw:windowZone "Europe/Berlin" ."""
    ).routes
    stated = route.authorization
    assert stated is not None and stated.scopes == ("s1", "s2")
    (policy,) = stated.policies
    assert policy.enforcement is Enforcement.AUDIT
    (rule,) = policy.rules
    assert (rule.action, rule.principals, rule.issuers) == (RuleAction.DENY, ("jwt:*",), ("i",))
    assert (rule.subjects, rule.claims, rule.scopes) == (("a", "b"), ("t=1",), ("o",))
    assert (rule.addresses, rule.methods, rule.paths) == (("10.0.0.0/8",), ("PUT",), ("/a/*",))
    assert rule.windows == (TimeWindow(EX + "w", (0, 4), 30600, 61200, "Europe/Berlin"),)


def test_the_names_of_certificates_and_keys() -> None:
    (route,) = mesh_of(
        SERVICE
        + f"""{ROUTE} ; agw:hasAuthentication ex:k ; agw:hasAuthorization ex:p .
        ex:k a agw:ApiKey ; agw:keyHash "sha256:{"ab" * 32}" ; agw:keyScope "y", "x" .
        {POLICY} ; agw:callerKeyOwner "acme" ; agw:callerSpiffeId "spiffe://d/*" ; agw:callerName "dns:a" ."""
    ).routes
    assert route.authorization and route.authentication
    (rule,) = route.authorization.policies[0].rules
    assert (rule.key_owners, rule.spiffe_ids, rule.names) == (("acme",), ("spiffe://d/*",), ("dns:a",))
    assert route.authentication.api_keys[0].scopes == ("x", "y")


def test_inherited_from_class_and_gateway_the_nearest_counts() -> None:
    mesh = mesh_of(
        SERVICE
        + f"""ex:g a agw:ApiGateway ; agw:hasAuthorization ex:all ; agw:requiredScope "g" . {JWT}
        ex:g agw:hasAuthentication ex:j . ex:all a agw:AuthorizationPolicy .
        ex:C rdfs:subClassOf agw:Route ; agw:hasAuthorization ex:p . {POLICY} .
        {ROUTE} . ex:q a ex:C ; agw:routePath "/q" ; agw:hasBackendService ex:s ; agw:requiredScope "own" ."""
    )
    held = {route.name: route.authorization for route in mesh.routes}
    assert held["r"] and [policy.iri for policy in held["r"].policies] == [EX + "all"]
    assert held["q"] and [policy.iri for policy in held["q"].policies] == [EX + "p"]
    assert (held["r"].scopes, held["q"].scopes) == (("g",), ("own",))


def test_the_gateway_s_default() -> None:
    (route,) = mesh_of(SERVICE + f'ex:g a agw:ApiGateway ; agw:defaultDecision "DENY" . {ROUTE} .').routes
    assert route.authorization is not None and route.authorization.default is RuleAction.DENY
    (route,) = mesh_of(SERVICE + f"{ROUTE} .").routes
    assert route.authorization is None


def test_what_nothing_proves_is_refused() -> None:
    for asked in ('agw:callerSubject "a"', 'agw:callerClaim "a"', 'agw:callerKeyOwner "a"', 'agw:callerScope "a"'):
        assert codes(f"{ROUTE} ; agw:hasAuthorization ex:p . {POLICY} ; {asked} .") == ["unproved-rule"], asked
    assert codes(f'{ROUTE} ; agw:requiredScope "a" .') == ["unproved-scope"]
    assert codes(f"{JWT} {ROUTE} ; agw:hasAuthentication ex:j ; agw:hasAuthorization ex:p . {POLICY} ; "
                 'agw:callerSubject "a" .') == []  # fmt: skip


def test_values_that_are_none() -> None:
    rule = f"{ROUTE} ; agw:hasAuthorization ex:p . {POLICY}"
    assert codes(f'{rule} ; agw:callerAddress "10.0.0.1/8" .') == ["invalid-value"]
    assert codes(f'{rule} ; agw:duringWindow [ agw:windowBegins "25:00" ] .') == ["invalid-value"]
    assert codes(f'{rule} ; agw:duringWindow [ agw:windowZone "Mars/Base" ] .') == ["unknown-time-zone"]
    assert codes(f'{rule} ; agw:ruleAction "PERHAPS" .') == ["invalid-value"]
