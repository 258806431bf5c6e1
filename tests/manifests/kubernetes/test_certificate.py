"""Certificates from cert-manager."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.model import Certificate, Listener
from tests.manifests.kubernetes.test_settings import objects
from tests.support.mesh_model import published, shop
from tests.support.routes import EX


def test_each_certificate_is_asked_for_by_name_and_replaced_in_time() -> None:
    certificate = Certificate(EX + "site", "/s.pem", "file:/k.pem", rotation_seconds=30 * 86400.0)
    mesh = replace(published(), listeners=(Listener(EX + "web", 443, certificate=certificate),))
    found = objects(mesh)["Certificate"]["spec"]
    assert (found["secretName"], found["issuerRef"]["name"]) == ("site", objects(mesh)["Issuer"]["metadata"]["name"])
    assert (found["duration"], found["renewBefore"]) == ("3888000s", "1296000s")
    assert "server auth" in found["usages"]
    assert "gateway.shop.svc" in found["dnsNames"]


def test_without_certificates_there_is_no_issuer() -> None:
    assert "Issuer" not in objects(published())
    assert "Issuer" in objects(shop())
