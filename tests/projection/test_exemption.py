"""Exemptions as the model has them."""

from __future__ import annotations

from api_gateway_service_mesh.model import Exemption
from tests.support.configuration import EX, assembled, mesh_of

LEAVE = """ex:leave a agw:Exemption ; agw:exempts ex:a , ex:b ; agw:exemptsFrom agw:hasAuthentication ;
    agw:exemptionReason "probes" ; agw:exemptionOwner "platform" ; agw:validUntil "{}"^^xsd:date ."""


def test_all_of_an_exemption() -> None:
    authentication = "https://ggen.ai/ontology/api-gateway#hasAuthentication"
    (found,) = mesh_of(LEAVE.format("2027-03-31Z")).exemptions
    assert found == Exemption(EX + "leave", (EX + "a", EX + "b"), (authentication,), "probes", "platform", "2027-03-31")


def test_a_date_that_is_none_exempts_nobody() -> None:
    made = assembled(LEAVE.format("2027-02-31"))
    assert made.mesh.exemptions == ()
    assert [finding.code for finding in made.findings] == ["invalid-value"]
