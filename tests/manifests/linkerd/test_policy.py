"""Limits that Linkerd cannot say are losses. (Servers and what hangs on them: test_service.py.)"""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.manifests.linkerd.policy import policies
from api_gateway_service_mesh.manifests.linkerd.profile import service_profiles
from api_gateway_service_mesh.manifests.outline import outline
from api_gateway_service_mesh.manifests.place import places
from api_gateway_service_mesh.model import KeyKind, RateLimit, RequestKey
from tests.support.mesh_model import published
from tests.support.routes import EX


def test_a_limit_by_caller_is_lost() -> None:
    (one,) = published().routes
    limit = RateLimit(EX + "l", 50, 60, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    of = outline(replace(published(), routes=(replace(one, rate_limits=(limit,)),)), None)
    there = places(of)
    assert {document["kind"] for document in policies(of, there, "app")} == {
        "Server", "MeshTLSAuthentication", "AuthorizationPolicy",
    }  # fmt: skip
    assert any("for this route alone" in finding.message for finding in of.findings)
    assert len(service_profiles(of, there)) == 1
