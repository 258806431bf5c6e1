"""What a connection remembers of its last head never outlives what it was judged by."""

from __future__ import annotations

from dataclasses import replace

from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

HEAD = b"GET /%d HTTP/1.%d\r\nHost: %b\r\nX-Forwarded-For: 198.51.100.7\r\nX-A: %b\r\n%b\r\n"


async def test_repeated_changed_and_repeated_again() -> None:
    """Same block, other field, other host, other version, other length: each request gets its own fields."""
    cases = [(1, b"a", b"1"), (1, b"a", b"1"), (1, b"a", b"2"), (1, b"b", b"2"), (1, b"a", b"1"), (1, b"a", b"1")]
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            for number, (minor, host, value) in enumerate(cases):
                writer.write(HEAD % (number, minor, host, value, b""))
                assert (await read_answer(reader)).body == b"x"
            for number, body in enumerate((b"abc", b"", b"abcdef", b"abc")):
                writer.write(HEAD % (number, 1, b"a", b"1", b"Content-Length: %d\r\n" % len(body)) + body)
                assert (await read_answer(reader)).body == b"x"
            writer.write(HEAD % (9, 0, b"a", b"1", b"Connection: keep-alive\r\n"))
            assert (await read_answer(reader)).get("connection") == "keep-alive"
            writer.write(HEAD % (9, 1, b"a", b"1", b"Connection: keep-alive\r\n"))
            assert (await read_answer(reader)).get("connection") is None
            writer.close()
    for sent, (_, host, value) in zip(behind.requests, cases, strict=False):
        assert (sent.get("host"), sent.get("x-a")) == (host.decode(), value.decode())
        assert sent.get("x-forwarded-host") == host.decode()
        assert sent.get("x-forwarded-for") == "127.0.0.1"
        assert sent.get("via") == "1.1 agw"
    assert [one.body for one in behind.requests[6:10]] == [b"abc", b"", b"abcdef", b"abc"]
    assert [one.get("content-length") for one in behind.requests[6:10]] == ["3", "0", "6", "3"]
    assert [one.get("via") for one in behind.requests[10:]] == ["1.0 agw", "1.1 agw"]


async def test_a_new_table_judges_the_same_bytes_by_its_own_proxies() -> None:
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            reader, writer = await gateway.connect()

            async def ask() -> Received:
                writer.write(HEAD % (1, 1, b"a", b"1", b""))
                await read_answer(reader)
                return behind.requests[-1]

            assert (await ask()).get("x-forwarded-for") == "127.0.0.1"
            gateway.install(replace(mesh, trusted_proxies=("127.0.0.0/8",)))
            assert (await ask()).get("x-forwarded-for") == "198.51.100.7, 127.0.0.1"
            gateway.install(mesh, "3")
            assert (await ask()).get("x-forwarded-for") == "127.0.0.1"
            writer.close()
