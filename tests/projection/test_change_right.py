"""Rights to change from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import ChangeRight
from api_gateway_service_mesh.projection.change_right import ChangeRightRow
from tests.support.configuration import EX, mesh_of

assert ChangeRightRow


def test_all_that_a_right_says() -> None:
    rights = mesh_of(
        """ex:a a agw:ChangeRight ; agw:grantedTo "t", "s*" ; agw:onSubject "urn:*" ; agw:onClass agw:Route ;
        agw:onProperty agw:routePath ; agw:mayGrant true . ex:b a agw:ChangeRight ; agw:grantedTo "x" ."""
    ).change_rights
    ns = "https://ggen.ai/ontology/api-gateway#"
    assert rights == (
        ChangeRight(EX + "a", ("s*", "t"), ("urn:*",), (f"{ns}Route",), (f"{ns}routePath",), True),
        ChangeRight(EX + "b", ("x",)),
    )
