"""Who may call the services, and with what tokens."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Authentication, JwtAuthentication
from tests.manifests.consul.test_entry import entries
from tests.support.mesh_model import published
from tests.support.routes import EX


def test_tokens_are_asked_for_at_the_service_and_nobody_else_gets_in() -> None:
    mesh = published()
    jwt = JwtAuthentication(EX + "jwt", "https://login", ("shop",), "https://login/jwks", required_claims=("tenant=a",))
    asked = replace(mesh.routes[0], authentication=Authentication(mesh.iri, (jwt,)))
    made = entries(replace(mesh, routes=(asked,)))
    assert made["jwt-provider", "jwt"]["JSONWebKeySet"]["Remote"]["URI"] == "https://login/jwks"
    source, others = made["service-intentions", "products-service"]["Sources"]
    assert others == {"Name": "*", "Action": "deny"}
    allowed, denied = source["Permissions"][:2]
    assert allowed["JWT"]["Providers"] == [{"Name": "jwt", "VerifyClaims": [{"Path": ["tenant"], "Value": "a"}]}]
    assert (denied["Action"], denied["HTTP"]) == ("deny", allowed["HTTP"])
    scoped = replace(asked, authentication=Authentication(mesh.iri, (replace(jwt, required_scopes=("read",)),)))
    told = [loss.message for loss in render(replace(mesh, routes=(scoped,)), "consul", allow_loss=True).losses]
    assert any("scopes" in message for message in told)
