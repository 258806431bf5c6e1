"""The Gateway and what backends need."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    Certificate,
    Listener,
    Mesh,
    MtlsMode,
    Upstream,
)
from tests.manifests.gateway_api.test_route import made, objects
from tests.support.routes import EX, mesh, route

CERTIFICATE = Certificate(EX + "site", "/s.pem", "file:/k.pem", "/ca.pem")


def of_one(upstream: Upstream, **more: object) -> Mesh:
    return mesh(route("r", "/", upstream=upstream.iri), upstreams=(upstream,), **more)


def test_listeners_certificates_and_callers_that_show_theirs() -> None:
    listeners = (Listener(EX + "a", 80), Listener(EX + "b", 443, certificate=CERTIFICATE, mtls_mode=MtlsMode.STRICT))
    (found,) = objects(made(mesh(route("r", "/"), listeners=listeners), gateway_class="edge"), "Gateway")
    spec = found["spec"]
    assert spec["gatewayClassName"] == "edge"
    assert [(each["name"], each["protocol"]) for each in spec["listeners"]] == [
        ("http-80", "HTTP"),
        ("https-443", "HTTPS"),
    ]
    assert spec["listeners"][1]["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "site"}]
    (port,) = spec["tls"]["frontend"]["perPort"]
    assert (port["port"], port["tls"]["validation"]["mode"]) == (443, "AllowValidOnly")


def test_a_class_that_nobody_named_is_told() -> None:
    told = [f.message for f in made(mesh(route("r", "/"))).report.findings]
    assert "the GatewayClass 'agw' is not among the manifests" in told
