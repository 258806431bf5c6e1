"""What a target cannot say is told."""

from __future__ import annotations

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.gap import differs, lost
from tests.support.mesh_model import published, shop
from tests.support.routes import EX


def test_what_istio_cannot_say_is_told() -> None:
    report = render(shop(), "istio", allow_loss=True).report
    told = {(f.code, f.subject): f.message for f in report.findings}
    assert "rate limit of 5/s is missing" in told[("not-expressible", EX + "limit")]
    assert "'client-cert'" in told[("expressed-differently", EX + "client-cert")]
    assert all(f.severity is not Severity.VIOLATION for f in report.findings)
    assert not any(f.code == "not-expressible" for f in render(published(), "istio", allow_loss=True).report.findings)


def test_a_loss_warns_and_a_difference_notes() -> None:
    assert lost("urn:a", None, "x").severity is Severity.WARNING
    assert differs("urn:a", None, "x").severity is Severity.INFO
