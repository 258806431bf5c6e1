"""Caps on connections from triples to the listeners that are opened."""

from __future__ import annotations

from api_gateway_service_mesh.model import ConnectionCap
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:g a agw:ApiGateway ; agw:hasRoute ex:r """


def test_a_listener_s_own_cap_goes_before_the_gateway_s() -> None:
    mesh = mesh_of(
        TEXT
        + """; agw:trustedProxy "10.0.0.0/8" ; agw:maxConnectionsPerAddress 9 ; agw:hasListener ex:a , ex:b .
        ex:a a agw:Listener ; agw:port 80 .
        ex:b a agw:Listener ; agw:port 81 ; agw:maxConnectionsPerAddress 5 ; agw:ipv6PrefixLength 56 ."""
    )
    proxies = ("10.0.0.0/8",)
    of_all, own = ConnectionCap(EX + "g", 9, 64, proxies), ConnectionCap(EX + "b", 5, 56, proxies)
    assert mesh.connection_cap == of_all
    assert [listener.connection_cap for listener in mesh.listeners] == [None, own]
    assert [listener.connection_cap for listener in mesh.listening] == [of_all, own]


def test_without_listeners_the_one_that_is_opened_has_it() -> None:
    (listener,) = mesh_of(TEXT + "; agw:maxConnectionsPerAddress 9 .").listening
    assert listener.connection_cap == ConnectionCap(EX + "g", 9)
    (listener,) = mesh_of(TEXT + ".").listening
    assert listener.connection_cap is None
