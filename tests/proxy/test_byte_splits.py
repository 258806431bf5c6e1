"""Good requests, pipelined and cut anywhere: the backend receives exactly what was sent.

`AGW_SPLITS` sets how many requests are sent (20,000 and more in a long run), `AGW_HOSTILE_SEED` chooses others.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from random import Random

from tests.support.strict_backend import StrictBackend, read_answer

from .hostile_gateway import SEED, Gateway

REQUESTS = int(os.environ.get("AGW_SPLITS", "1000"))
CONNECTIONS = 16

_TEXT = bytes(range(0x20, 0x7F)) + b"\t" + bytes(range(0x80, 0x100))
_PATH = b"abcXYZ019-_~.!$&'()*+,:=@"


@dataclass(frozen=True)
class Sent:
    """A request, and what of it the backend must see."""

    wire: bytes
    method: str
    target: str
    host: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


def text(random: Random, most: int) -> bytes:
    return bytes(random.choices(_TEXT, k=random.randrange(most))).strip(b" \t")


def chunks(random: Random, body: bytes) -> bytes:
    """`body` in chunks of any size, with extensions and trailers, which do not reach the backend."""
    wire = b""
    while body:
        size = random.randint(1, len(body))
        extension = random.choice((b"", b"", b";a", b';a="b;c"', b";a=b;c=d"))
        wire += random.choice((b"%x", b"%X", b"0%x")) % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return wire + b"0\r\n" + random.choice((b"", b"", b"X-Trailer: 1\r\n")) + b"\r\n"


def request(random: Random, number: int) -> Sent:
    method = random.choice(("GET", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"))
    segment = b"a" + bytes(random.choices(_PATH, k=random.randrange(20)))
    query = random.choice((b"", b"?", b"?q=%20&a[]=1", b"?%s" % bytes(random.choices(_PATH + b"/?%", k=9))))
    target = b"/%d/%b%b" % (number, segment, query)
    host = random.choice((b"a", b"example.org:8080", b"[::1]:80", b"%d.example.org" % random.randrange(4)))
    fields = [
        (random.choice((b"X-A", b"x-b", b"Cookie", b"Accept", b"traceparent", b"X-%d" % number)), text(random, 40))
        for _ in range(random.randrange(6))
    ]
    hop = [
        random.choice((b"Connection: keep-alive", b"connection: X-Gone", b"TE: trailers", b"X-Forwarded-For: 1.2.3.4"))
    ]
    gone = hop[0].endswith(b"X-Gone")
    body = random.randbytes(random.choice((0, 0, 1, 7, 100, 3000, 70_000)) if method not in ("GET", "HEAD") else 0)
    lines = [
        b"%b:%b%b%b" % (name, random.choice((b" ", b"", b"\t ")), value, random.choice((b"", b" ")))
        for name, value in fields
    ]
    lines += random.choice(([], hop, [*hop, b"X-Gone: 1"] if gone else hop))
    payload = body
    if body and random.random() < 0.5:
        lines.append(random.choice((b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked")))
        payload = chunks(random, body)
    elif body or method == "POST":
        lines.append(b"Content-Length: %d" % len(body))
    lines.insert(random.randrange(len(lines) + 1), b"Host: " + host)
    start = b"%b %b HTTP/1.1" % (method.encode(), target)
    wire = b"\r\n".join((start, *lines, b"", payload))
    seen = tuple((name.lower(), value) for name, value in fields)
    return Sent(wire, method, target.decode(), host, seen, body)


def pieces(random: Random, wire: bytes) -> list[bytes]:
    """`wire`, cut in a few places, or at every byte of its beginning."""
    if random.random() < 0.15:
        head = min(len(wire), 300)
        return [*(wire[place : place + 1] for place in range(head)), wire[head:]]
    cuts = sorted(random.randrange(len(wire) + 1) for _ in range(random.randrange(8)))
    return [wire[start:end] for start, end in zip((0, *cuts), (*cuts, len(wire)), strict=True) if start < end]


async def one_connection(gateway: Gateway, backend: StrictBackend, seed: int, first: int, number: int) -> None:
    random = Random(seed)
    sent = [request(random, first + place) for place in range(number)]
    reader, writer = await gateway.connect()

    async def send() -> None:
        for piece in pieces(random, b"".join(one.wire for one in sent)):
            writer.write(piece)
            await writer.drain()
            for _ in range(random.choice((0, 1, 2))):
                await asyncio.sleep(0)

    sending = asyncio.get_running_loop().create_task(send())
    try:
        for one in sent:
            answer = await read_answer(reader, one.method)
            assert answer is not None, one
            assert answer.status == 200, (answer, one)
            expected = f"{one.method} {one.target} {len(one.body)}".encode()
            assert answer.body == (b"" if one.method == "HEAD" else expected)
            (seen,) = [request for request in backend.requests if request.target == one.target]
            assert seen.method == one.method
            assert seen.body == one.body
            assert seen.values(b"host") == [one.host]
            names = {name for name, _ in one.fields}
            assert tuple(field for field in seen.fields if field[0] in names) == one.fields
            assert not seen.values(b"x-gone")
            backend.requests.remove(seen)
    finally:
        sending.cancel()
        writer.close()


async def test_cut_anywhere_the_backend_receives_what_was_sent() -> None:
    backend = StrictBackend()
    await backend.start()
    gateway = Gateway(backend.port)
    await gateway.start()
    random = Random(SEED)
    done = 0
    while done < REQUESTS:
        runs = []
        for _ in range(CONNECTIONS):
            number = random.randint(1, 6)
            runs.append(one_connection(gateway, backend, random.getrandbits(64), done, number))
            done += number
        async with asyncio.timeout(60):
            await asyncio.gather(*runs)
        assert not backend.faults, backend.faults[0]
    await gateway.engine.drain(0)
    await backend.stop()
