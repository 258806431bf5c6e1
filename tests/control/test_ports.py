"""Keeping a port without taking its connections."""

from __future__ import annotations

import os
import socket

import pytest

from api_gateway_service_mesh.control.ports import port_holder, reserve
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener

LISTENER = Listener("urn:l", 8080)


def test_a_reserved_port_is_shared_only_by_reuse() -> None:
    kept = reserve(LISTENER, "127.0.0.1", 0)
    with socket.socket() as alone, pytest.raises(OSError, match="in use"):
        alone.bind(("127.0.0.1", kept.port))
    with socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(("127.0.0.1", kept.port))
        worker.listen()
        for _ in range(20):  # every connection reaches the listener, none the reservation
            with socket.create_connection(("127.0.0.1", kept.port), timeout=2):
                worker.accept()[0].close()
    kept.close()


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as server:
        port = server.getsockname()[1]
        assert f"(pid {os.getpid()})" in str(port_holder(port))
        with pytest.raises(AgwError, match=f"port {port} on 127.0.0.1 is in use by"):
            reserve(LISTENER, "127.0.0.1", port)
    assert port_holder(port) is None
