"""What of a request a policy is keyed by, over real requests."""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.model import Algorithm, Balancer, KeyKind, Limits, RateLimit, RequestKey
from api_gateway_service_mesh.proxy.head import HeadReader
from api_gateway_service_mesh.proxy.key import address_block, cookie
from api_gateway_service_mesh.proxy.parser import BlockJudge
from tests.support.backend import answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (b"Cookie: session=a1", "a1"),
        (b"cookie:x=1; session=a1;y=2", "a1"),
        (b'Cookie: session="a 1"; session=second', '"a 1"'),
        (b"Cookie: xsession=no", None),
        (b"Cookie: SESSION=no", None),
        (b"Cookie: session", None),
        (b"Cookie: session=", ""),
        (b"Cookie: session=a=b", "a=b"),
        (b"Cookie: x=1\r\nCookie: session=a1", "a1"),
        (b"X-Cookie: session=no", None),
    ],
)
async def test_a_cookie_is_found(fields: bytes, value: str | None) -> None:
    reader = HeadReader(BlockJudge(asyncio.get_running_loop()))
    block = reader.block(b"Host: a\r\n" + fields + b"\r\n", Limits())
    assert cookie(block, "session") == value


@pytest.mark.parametrize("field", ["Cookie: a=1; session={}", "X-Session: {}"])
async def test_requests_with_one_key_go_to_one_endpoint(field: str) -> None:
    key = RequestKey(KeyKind.COOKIE, "session") if "ookie" in field else RequestKey(KeyKind.HEADER, "x-session")
    config = Balancer("urn:test:balancer", Algorithm.CONSISTENT_HASH, key)
    async with (
        backend(says(answer(b"one"))) as one,
        backend(says(answer(b"two"))) as two,
        running(
            mesh_of(route(balancer=config), upstream(endpoint(one.port, "one"), endpoint(two.port, "two")))
        ) as gateway,
    ):
        reader, writer = await gateway.connect()
        seen: dict[int, set[bytes]] = {}
        for turn in range(48):
            session = turn % 16
            writer.write(f"GET / HTTP/1.1\r\nHost: a\r\n{field.format(session)}\r\n\r\n".encode())
            seen.setdefault(session, set()).add((await read_answer(reader)).body)
        writer.close()
    assert all(len(bodies) == 1 for bodies in seen.values())
    assert set.union(*seen.values()) == {b"one", b"two"}


async def test_rate_limit_by_header() -> None:
    limit = RateLimit("urn:limit", 0.01, 1, (RequestKey(KeyKind.HEADER, "x-tenant"),))
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(rate_limits=(limit,)), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            lines = []
            for tenant in (b"a", b"b", b"a", b"c", b"b"):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: %b\r\n\r\n" % tenant)
                lines.append((await read_answer(reader)).line.split()[1])
            writer.close()
    assert lines == ["200", "200", "429", "200", "429"]


@pytest.mark.parametrize(
    ("address", "other", "alike"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_network_is_one_host(address: str, other: str, alike: bool) -> None:
    assert (address_block(address, 64) == address_block(other, 64)) is alike


def test_an_address_that_is_none_is_taken_as_it_is() -> None:
    assert address_block("unix:socket", 64) == "unix:socket"
