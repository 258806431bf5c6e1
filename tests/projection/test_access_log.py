"""Access logs from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import LogFormat
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:g a agw:ApiGateway ; agw:hasAccessLog ex:l ."""


def test_all_that_it_says() -> None:
    mesh = mesh_of(TEXT + " ex:l a agw:AccessLog .")
    assert mesh.log_format == mesh.routes[0].access_log == LogFormat(EX + "l")
    assert (mesh.access_log, mesh.logs) == (False, True)
    mesh = mesh_of(
        TEXT
        + """ ex:l a agw:AccessLog ; agw:logField "status" , "time" ; agw:logRequestHeader "User-Agent" ;
        agw:logMinimumStatus 400 ; agw:logSlowerThan "PT0.5S"^^xsd:dayTimeDuration ; agw:logFile "logs/a.log" ."""
    )
    made = mesh.routes[0].access_log
    assert made is not None
    assert made.file is not None
    assert made.file.endswith("/logs/a.log")
    assert made == LogFormat(EX + "l", ("time", "status"), ("user-agent",), None, 400, 0.5, 0.0, made.file)


def test_a_route_says_its_own_and_a_class_says_it_for_its_members() -> None:
    mesh = mesh_of(
        TEXT
        + """ ex:l a agw:AccessLog . ex:o a agw:AccessLog ; agw:logSamplePercent 1 . ex:k a agw:AccessLog .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s ; agw:hasAccessLog ex:o .
        ex:Quiet rdfs:subClassOf agw:Route ; agw:hasAccessLog ex:k .
        ex:c a ex:Quiet ; agw:routePath "/c" ; agw:hasBackendService ex:s ."""
    )
    found = {each.iri[len(EX) :]: each.access_log.iri[len(EX) :] for each in mesh.routes if each.access_log}
    assert found == {"r": "l", "b": "o", "c": "k"}


def test_the_switch_turns_all_of_it_off() -> None:
    mesh = mesh_of(TEXT + " ex:l a agw:AccessLog . ex:g agw:accessLogEnabled false .")
    assert (mesh.logs, mesh.log_format, mesh.routes[0].access_log) == (False, None, None)
