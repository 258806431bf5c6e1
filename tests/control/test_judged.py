"""What rules say of a caller that somebody only speaks of."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.control.judged import asked_by
from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.gateway import ApiGateway
from api_gateway_service_mesh.routing import ExplainRequest

TURTLE = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://example.org/> .
ex:j a agw:JWTAuthentication ; agw:issuer "https://i/" ; agw:audience "a" ; agw:jwksUri "https://i/keys" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasAuthentication ex:j ; agw:hasAuthorization ex:p ;
    agw:requiredScope "use" ; agw:hasBackendService [ a agw:BackendService ; agw:address "s:80" ] .
ex:p a agw:AuthorizationPolicy ; agw:hasRule ex:admins , ex:night .
ex:admins a agw:AuthorizationRule ; agw:callerClaim "/realm/roles=admin" .
ex:night a agw:AuthorizationRule ; agw:ruleAction "DENY" ; agw:duringWindow ex:w .
ex:w a agw:TimeWindow ; agw:windowBegins "22:00" ; agw:windowEnds "06:00" .
"""


def test_each_rule_and_what_comes_of_them(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "gateway.ttl"
    file.write_text(TURTLE)
    gateway = ApiGateway.from_turtle(file)

    def said(*caller: str) -> list[str]:
        found = gateway.explain("GET", "/a", caller=caller).explanation
        return [part.text for part in found.parts if part.name == "verdict"]

    admin = ("sub=alice", "scope=use", 'claim:/realm/roles=["admin"]', "at=2026-03-02T12:00Z")
    ex = "http://example.org/"
    assert said() == []
    assert said(*admin) == [
        f"{ex}admins holds: allow",
        f"{ex}night does not hold: time",
        f"allowed by {ex}admins",
    ]
    assert said(*admin[:3], "at=2026-03-02T23:00Z")[-1] == f"403, denied by {ex}night"
    assert said("scope=use", "at=2026-03-02T12:00Z")[-1] == f"403, allowed by no rule: {ex}p"
    assert said("sub=bob", "at=2026-03-02T12:00Z")[-1] == "403: lacks the scope use"
    assert "Because of" in str(gateway.explain("GET", "/a", caller=admin))


@pytest.mark.parametrize("text", ["alice", "name=alice", "at=noon"])
def test_what_no_caller_has(text: str) -> None:
    with pytest.raises(ClientError):
        asked_by(ExplainRequest("GET", "", "/"), (text,))
