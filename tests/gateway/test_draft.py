from __future__ import annotations

import pytest

from api_gateway_service_mesh import ConfigError, RouteConfig
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.gateway.draft import Draft, gateways_of
from tests.support.configuration import EX, parse

SOURCE = """ex:g a agw:ApiGateway ; agw:hasRoute ex:old . ex:old a agw:Route ; agw:routePath "/old" ; agw:hasBackendService ex:s .
    ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasMutualTLS ex:m ; agw:hasServiceMesh ex:k .
    ex:m a agw:MutualTLS ; agw:mtlsMode "STRICT" . ex:k a agw:ServiceMesh ; agw:meshType "istio" ."""


def test_a_service_of_the_source_is_shared_and_its_settings_come_along() -> None:
    source = parse(SOURCE)
    draft = Draft(source, {}, EX + "g", in_mesh=False)
    iri = draft.add(RouteConfig("/new", backend_service="s:80"))
    assert not any("BackendService" in str(triple.object) for triple in draft.triples)
    alone = build(draft.alone())
    assert [route.iri for route in alone.mesh.routes] == [iri]
    assert alone.mesh.upstreams[0].in_mesh


def test_one_method_and_path_is_one_route() -> None:
    draft = Draft(parse(SOURCE), {}, None, in_mesh=False)
    draft.add(RouteConfig("/new", "get", "s:80"))
    with pytest.raises(ConfigError, match="there is a route for GET /new already"):
        draft.add(RouteConfig("/new", "GET", "t:80"))
    draft.add(RouteConfig("/new", "POST", "s:80"))


def test_gateways() -> None:
    assert gateways_of(parse(SOURCE)) == [EX + "g"]
