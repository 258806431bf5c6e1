"""Registrations from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import Registration, Registry, RegistryType
from tests.support.configuration import EX, assembled, mesh_of, only_finding

TEXT = """ex:g a agw:ApiGateway ; agw:hasRegistration ex:e .
ex:c a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://c:8500" .
ex:e a agw:Registration ; agw:registeredIn ex:c ; agw:registeredName "edge" """
CONSUL = Registry(EX + "c", RegistryType.CONSUL, "http://c:8500")


def test_all_that_it_says() -> None:
    assert mesh_of(TEXT + ".").registrations == (Registration(EX + "e", CONSUL, "edge"),)
    (made,) = mesh_of(
        TEXT
        + """; agw:advertisedAddress "gw" ; agw:advertisedPort 443 ; agw:registeredTag "b" , "a" ;
        agw:heartbeatInterval "PT3S"^^xsd:dayTimeDuration ."""
    ).registrations
    assert made == Registration(EX + "e", CONSUL, "edge", "gw", 443, ("a", "b"), 3.0)


def test_a_registry_that_takes_no_entries() -> None:
    found = only_finding(assembled(TEXT.replace('"consul"', '"dns"') + "."))
    assert found.code == "registry-takes-no-entries"
