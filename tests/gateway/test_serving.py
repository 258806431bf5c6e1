from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.gateway.serving import Address, listeners_of
from api_gateway_service_mesh.model import Certificate, Listener, Mesh, MtlsMode

TLS = Listener("urn:l", 8443, "127.0.0.1", Certificate("urn:c"), MtlsMode.STRICT)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        (Address("0.0.0.0", 80), "http://127.0.0.1:80"),
        (Address("::", 443, "https"), "https://[::1]:443"),
    ],
)
def test_urls(address: Address, url: str) -> None:
    assert address.url == url


def test_without_place_the_graph_decides() -> None:
    mesh = Mesh("urn:g", "g", listeners=(TLS, Listener("urn:m", 80)))
    assert listeners_of(mesh, None, None) == mesh.listeners
    (default,) = listeners_of(Mesh("urn:g", "g"), None, None)
    assert (default.bind_address, default.port) == ("0.0.0.0", 8080)


def test_another_place_takes_no_guarantee_away() -> None:
    (moved,) = listeners_of(Mesh("urn:g", "g", listeners=(TLS,)), "0.0.0.0", 9000)
    assert (moved.bind_address, moved.port) == ("0.0.0.0", 9000)
    assert (moved.certificate, moved.mtls_mode) == (TLS.certificate, MtlsMode.STRICT)


def test_one_place_cannot_stand_for_several_listeners() -> None:
    with pytest.raises(ConfigError, match="2 listeners"):
        listeners_of(Mesh("urn:g", "g", listeners=(TLS, Listener("urn:m", 80))), None, 9000)
