"""What a request costs in agw's own code, in microseconds, without the kernel and the event loop; and each layer's part.

    PYTHONPATH=src python -m tests.benchmarks.layers [--requests 4000] [--runs 9]

Bytes go in where the loop hands them over and come out where the loop takes them: the engine's own connections, with a
transport that throws away what is written. A figure is processor time, the best of several runs, so a busy machine hardly
moves it. The layers are measured as the difference between a route with and without one. The first line names the build.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, cast

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.model import (
    Authentication,
    Breaker,
    Endpoint,
    JwtAuthentication,
    KeyKind,
    Limits,
    Mesh,
    PathKind,
    PathMatch,
    RateLimit,
    RequestKey,
    Retry,
    Route,
    RouteMatch,
    Timeout,
    Tracing,
    Upstream,
)
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.proxy.downstream import ClientConnection
from api_gateway_service_mesh.proxy.upstream import UpstreamConnection
from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.telemetry import AccessLog

from .arrangement import SAMPLED
from .tokens import make_tokens

BODY = b"hello from the backend, sixty bytes of text for the reader.\n"
PLAIN = b"GET /api/v1/products HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
BROWSER = (
    b"GET /api/v1/products?page=2 HTTP/1.1\r\nHost: shop.example.org\r\nConnection: keep-alive\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"
    b"Accept: application/json, text/plain, */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nReferer: https://shop.example.org/products\r\n"
    b"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nCookie: theme=dark; sid=%032x\r\n"
    b"traceparent: 00-%032x-%016x-01\r\nX-Request-Id: %032x\r\nX-Forwarded-For: 198.51.100.%d\r\n\r\n"
)
CHAIN = (
    b"GET /api/v1/products HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark/1.0 (a client of its own)\r\n"
    b"Accept: application/json\r\nX-Correlation-Id: %032x-00f067aa0ba902b7\r\nAuthorization: Bearer %b\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 02 Jun 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 60\r\nConnection: keep-alive\r\n"
)


class Sink:
    """A transport whose far end takes everything."""

    def __init__(self) -> None:
        self.taken: deque[bytes] = deque(maxlen=1)
        self.write = self.taken.append

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Addresses, as of a connection over loopback."""
        return ("127.0.0.1", 50000) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing is open."""

    abort = close


@cache
def _issuer() -> tuple[Path, tuple[str, ...]]:
    return make_tokens(Path(tempfile.mkdtemp(prefix="agw-layers-")), 100)


def _tokens() -> tuple[str, ...]:
    return _issuer()[1]


def requests(kind: str, number: int) -> list[bytes]:
    """Heads of `kind`: all alike, one field that varies, a browser's with four that vary behind a load balancer, or (chain)
    one field that varies and the token of one of a hundred callers."""
    if kind == "repeated":
        return [PLAIN + b"\r\n"] * number
    if kind == "chain":
        tokens = _tokens()
        return [CHAIN % (n, tokens[n % len(tokens)].encode()) for n in range(number)]
    if kind == "varied":
        return [PLAIN + b"traceparent: 00-%032x-%016x-01\r\n\r\n" % (n, n) for n in range(number)]
    return [BROWSER % (n, n, n, n, n % 250) for n in range(number)]


def answers(kind: str) -> Iterator[bytes]:
    """Answers of `kind`."""
    if kind == "repeated":
        return cycle((ANSWER + b"\r\n" + BODY,))
    return (ANSWER + b'ETag: "%x"\r\nX-Trace: %032x\r\n\r\n' % (n, n) + BODY for n in count())


class Rig:
    """One engine with one route, one client connection and one backend connection."""

    def __init__(self, route: Route, log: AccessLog | None = None, others: tuple[Route, ...] = ()) -> None:
        self.service = Upstream("urn:b:service", "service", (Endpoint("urn:b:endpoint", "127.0.0.1", 1),))
        mesh = Mesh("urn:b:gateway", "gateway", (route, *others), (self.service,), access_log=log is not None)
        store = CellStore.local(2**20)
        layout = CellLayout(store)
        layout_for(mesh, layout, 1)
        engine = Engine(cells=store, access_log=log)
        engine.install(mesh, compile_table(mesh), layout.slots, "1")
        core = engine.core()
        assert core.generation is not None
        self.client = ClientConnection(core, Limits())
        self.client_end = Sink()
        self.client.connection_made(cast(Any, self.client_end))
        entry = core.generation.table.entries[0]
        target = core.generation.handler(entry, core).target
        assert target is not None and target.only is not None
        pool = target.only
        self.backend = UpstreamConnection(pool, core.answers)
        self.backend_end = Sink()
        self.backend.connection_made(cast(Any, self.backend_end))
        pool.parent.open += 1
        pool.put(self.backend, time.monotonic())  # else the housekeeping takes it for an old one and closes it

    async def warm(self, head: bytes, answer: bytes) -> None:
        """One request, which may wait for what is fetched once (the issuer's keys)."""
        self.client.data_received(head)
        while self.backend.exchange is None:
            await asyncio.sleep(0.01)
        self.backend.data_received(answer)

    def microseconds(self, heads: list[bytes], replies: Iterator[bytes]) -> float:
        """For each of `heads`, answered with the next of `replies`."""
        said = list(islice(replies, len(heads)))
        ask, say = self.client.data_received, self.backend.data_received
        gc.collect()
        began = time.process_time_ns()
        for head, answer in zip(heads, said, strict=True):
            ask(head)
            say(answer)
        took = (time.process_time_ns() - began) / len(heads) / 1000
        assert self.client_end.taken.pop().endswith(BODY)
        return took


def plain_route() -> Route:
    return Route("urn:b:route", "plain", RouteMatch(PathMatch(PathKind.PREFIX, "/api")), upstream="urn:b:service")


def layers() -> list[tuple[str, Route, bool]]:
    """Each layer alone on a route, and all of them."""
    bare = plain_route()
    limit = RateLimit("urn:b:limit", 1e9, 10**6)
    keyed = RateLimit("urn:b:keyed", 1e9, 10**6, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    breaker, retry, timeout = Breaker("urn:b:breaker"), Retry("urn:b:retry"), Timeout("urn:b:timeout", 5.0)
    jwt = JwtAuthentication("urn:b:jwt", "https://issuer.example/", ("benchmark",), f"file:{_issuer()[0]}")
    token = Authentication("urn:b:gateway", (jwt,))
    tracing = Tracing("urn:b:tracing", sampling_rate=SAMPLED)  # without a collector: sending is a thread's own matter
    full = replace(bare, rate_limits=(keyed,), breaker=breaker, retry=retry, timeout=timeout, tracing=tracing)
    return [
        ("plain route", bare, False),
        ("+ rate limit", replace(bare, rate_limits=(limit,)), False),
        ("+ rate limit by client", replace(bare, rate_limits=(keyed,)), False),
        ("+ circuit breaker", replace(bare, breaker=breaker), False),
        ("+ retry policy", replace(bare, retry=retry), False),
        ("+ timeout", replace(bare, timeout=timeout), False),
        ("+ tracing, 1 %", replace(bare, tracing=tracing), False),
        ("+ access log", bare, True),
        ("all of them", full, True),
        ("chain heads, no policy", bare, False),
        ("chain heads, JWT", replace(bare, authentication=token), False),
        ("chain heads, full chain", replace(full, authentication=token), True),
    ]


async def measure(number: int, runs: int) -> None:
    print(f"data plane {resources.build()}")
    log = AccessLog(os.open(os.devnull, os.O_WRONLY))
    cases = [
        (f"plain route, requests {ask}, answers {say}", Rig(plain_route()), ask, say)
        for ask in ("repeated", "varied", "browser")
        for say in ("repeated", "varied")
    ]
    for name, route, logged in layers():
        ask = "chain" if name.startswith("chain") else "repeated"
        cases.append((name, Rig(route, log if logged else None), ask, "repeated"))
    for _, rig, ask, say in cases:
        async with asyncio.timeout(10):
            await rig.warm(requests(ask, 1)[0], next(answers(say)))
    best = [float("inf")] * len(cases)
    for _ in range(runs):
        for index, (_, rig, ask, say) in enumerate(cases):
            best[index] = min(best[index], rig.microseconds(requests(ask, number), answers(say)))
    bare = {"repeated": best[6], "chain": best[-3]}
    for index, (name, _, ask, _) in enumerate(cases):
        part = f"  layer {best[index] - bare[ask]:+5.2f}" if index > 6 else ""
        print(f"{best[index]:7.2f} us  {name}{part}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    asyncio.run(measure(options.requests, options.runs))


if __name__ == "__main__":
    main()
