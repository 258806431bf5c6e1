"""`ApiGateway.update`: SPARQL Update on a gateway in this process."""

from __future__ import annotations

import aiohttp
import pytest

from api_gateway_service_mesh import ApiGateway
from api_gateway_service_mesh.errors import ClientError, ConfigError
from tests.support.backend import answer, backend, says
from tests.support.serving import turtle

PREFIX = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>\n"


def config(address: str = "127.0.0.1:9") -> str:
    return turtle(f"""ex:g a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/r" ; agw:hasBackendService ex:b .
ex:b a agw:BackendService ; agw:address "{address}" .
""")


def test_what_changes_is_returned_and_asked() -> None:
    gateway = ApiGateway.from_turtle(config())
    delta = gateway.update(PREFIX + "INSERT DATA { ex:r agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] }")
    assert (len(delta.added), len(delta.removed)) == (3, 0)
    [row] = gateway.query(PREFIX + "SELECT ?s { ex:r agw:hasTimeout/agw:timeoutSeconds ?s }")
    assert row.s == 5
    delta = gateway.update("DELETE { ?t agw:timeoutSeconds ?s } INSERT { ?t agw:timeoutSeconds 6 } WHERE "
                           "{ ?t agw:timeoutSeconds ?s }")  # fmt: skip
    assert (len(delta.added), len(delta.removed)) == (1, 1)
    assert gateway.build.mesh.routes[0].timeout.total_seconds == 6  # type: ignore[union-attr]
    assert not gateway.update("DELETE DATA { <urn:a> <urn:b> <urn:c> }")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("DELETE WHERE { ?r agw:routePath ?p }", ConfigError),
        ("INSERT DATA { ex:r agw:routePth '/x' }", ConfigError),
        ("INSERT DATA { GRAPH <urn:agw:graph:shapes> { ex:a ex:b ex:c } }", ClientError),
        ("LOAD <file:///etc/passwd>", ClientError),
        ("INSERT DATA { ex:a", ClientError),
        ("SELECT * {}", ClientError),
    ],
)
def test_what_is_refused_leaves_it_as_it_was(text: str, error: type[Exception]) -> None:
    gateway = ApiGateway.from_turtle(config())
    before = gateway.build
    with pytest.raises(error):
        gateway.update(PREFIX + text)
    assert gateway.build is before
    assert gateway.explain("GET", "/r").route == "http://example.org/r"


async def test_a_gateway_that_serves_goes_over_to_it() -> None:
    async with backend(says(answer())) as served:
        gateway = ApiGateway.from_turtle(config(f"127.0.0.1:{served.port}"))
        async with gateway.serving() as address, aiohttp.ClientSession() as session:
            gateway.update(PREFIX + 'DELETE DATA { ex:r agw:routePath "/r" } ; INSERT DATA { ex:r agw:routePath "/s" }')
            async with session.get(address.url + "/s") as got:
                assert got.status == 200
            with pytest.raises(ConfigError):
                gateway.update("DELETE WHERE { ?r agw:routePath ?p }")
            async with session.get(address.url + "/s") as got:
                assert got.status == 200
            async with session.get(address.url + "/r") as got:
                assert got.status == 404
