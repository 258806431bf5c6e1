"""Listening sockets that outlive who accepts from them, and how they travel."""

from __future__ import annotations

import asyncio
import socket

import pytest

from api_gateway_service_mesh.control.channel import Channel, Parcel, encode
from api_gateway_service_mesh.control.doors import Doors
from api_gateway_service_mesh.control.ports import reserve
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener

LISTENER = Listener("urn:l", 8080)


def test_one_port_for_all_workers() -> None:
    kept = reserve(LISTENER, "127.0.0.1", 0)
    doors = Doors(LISTENER, "127.0.0.1", kept.port, 3)
    assert doors.addresses == 1
    assert [sock.getsockname()[1] for sock in doors.sockets] == [kept.port] * 3
    socket.create_connection(("127.0.0.1", kept.port), timeout=2).close()
    doors.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", kept.port), timeout=2)
    kept.close()


def test_a_port_that_cannot_be_had_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AgwError, match="in use"):
        Doors(LISTENER, "127.0.0.1", taken.getsockname()[1], 2)


async def _channels() -> tuple[Channel, Channel]:
    one, other = socket.socketpair()
    beside, other_beside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return await Channel.over(one, beside), await Channel.over(other, other_beside)


async def test_sockets_travel_with_the_message_that_speaks_of_them() -> None:
    ours, theirs = await _channels()
    doors = Doors(LISTENER, "127.0.0.1", 0, 1)
    port = doors.sockets[0].getsockname()[1]
    many = [doors.sockets[0]] * 300
    await ours.send_frames(encode("first"), Parcel(encode("many"), many), Parcel(encode("one"), doors.sockets))
    client = socket.create_connection(("127.0.0.1", port), timeout=2)
    doors.close()
    await ours.send_frames(Parcel(encode("closed"), doors.sockets), encode("last"))
    assert await theirs.receive() == ("first",)
    assert await theirs.receive() == ("many",)
    for sock in theirs.take_sockets(300):
        assert not sock.get_inheritable()
        sock.close()
    assert await theirs.receive() == ("one",)
    (held,) = theirs.take_sockets(1)
    accepted, address = held.accept()  # who connected before the first holder let go
    assert address == client.getsockname()
    assert await theirs.receive() == ("last",)
    for sock in (accepted, held, client):
        sock.close()
    ours.close()
    theirs.close()


async def test_more_sockets_than_fit_wait_for_the_reader() -> None:
    ours, theirs = await _channels()
    doors = Doors(LISTENER, "127.0.0.1", 0, 1)
    rounds = 2000
    sending = asyncio.create_task(ours.send_frames(*[Parcel(encode("one"), doors.sockets)] * rounds))
    await asyncio.sleep(0.1)
    assert not sending.done()
    for _ in range(rounds):
        assert await theirs.receive() == ("one",)
        for sock in theirs.take_sockets(1):
            sock.close()
    await sending
    doors.close()
    ours.close()
    theirs.close()
