"""Turtle written years ago, with nothing but the published names, in every manner people write: it loads, and the four
published questions find in it what they find in the file itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import rdflib

from api_gateway_service_mesh import ApiGateway

FILES = sorted((Path(__file__).parent / "golden" / "published").glob("*.ttl"))
AGW = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#>\n"
QUESTIONS = [
    "SELECT ?route ?path ?ratelimit WHERE { ?route a agw:Route ; agw:routePath ?path ; agw:hasRateLimiter ?rl . "
    "?rl agw:requestsPerSecond ?ratelimit . }",
    "SELECT ?service ?mtlsMode WHERE { ?service agw:hasMutualTLS ?mtls . ?mtls agw:mtlsMode ?mtlsMode . "
    'FILTER(?mtlsMode = "STRICT") }',
    "SELECT ?route ?failureThreshold ?timeout WHERE { ?route agw:hasCircuitBreaker ?cb . "
    "?cb agw:failureThreshold ?failureThreshold ; agw:timeoutSeconds ?timeout . }",
    "SELECT ?service ?interval ?path ?failureThreshold WHERE { ?service agw:hasHealthCheck ?hc . "
    "?hc agw:healthCheckInterval ?interval ; agw:healthCheckPath ?path ; "
    "agw:failureThresholdHealth ?failureThreshold . }",
]


def test_every_manner_is_there() -> None:
    assert len(FILES) == 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_published_file_loads_and_answers(file: Path) -> None:
    gateway = ApiGateway.from_turtle(file)
    assert gateway.build.mesh.routes
    plain = rdflib.Graph().parse(file)
    for question in QUESTIONS:
        said = list(gateway.query(AGW + question))
        stated = list(plain.query(AGW + question))
        # Blank nodes have IRIs with us; what they say is compared.
        assert sorted(_values(row) for row in said) == sorted(_values(row) for row in stated)


def _values(row: object) -> tuple[str, ...]:
    assert isinstance(row, tuple)
    return tuple(str(value.toPython() if isinstance(value, rdflib.Literal) else value) for value in row[1:])
