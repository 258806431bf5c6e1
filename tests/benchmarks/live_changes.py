"""Changes of one route while traffic runs: how long until each is live, and whether any request failed.

    python -m tests.benchmarks.live_changes [--routes 10000] [--updates 1000] [--reloads 1000] [--clients 4] [--pause 0.005]

Starts a real ``agw serve`` twice: with a store, which takes SPARQL updates over HTTP one after the other; and with a
file, which is edited and must go live each time. Requests run all the while, on kept connections, through the gateway to
a backend; each is counted, and anything but 200 with the right body is a failure. An update counts until its answer is
here, which is sent when every worker serves it; an edit counts from the renaming of the file until the gateway says that
it is live. Exit status 1 when a request failed. Nothing else is asserted: times depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.support.serving import Serving, serve_process
from tests.support.turtle import routes_turtle

__all__ = ["Changes", "Traffic", "measure"]

_EX = "https://example.com/"
_BODY = b"as it should be"
_PREFIX = f"PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <{_EX}>\n"
_SECONDS = 100.0
"""So long a start or a single change may take before it counts as lost."""


@dataclass
class Traffic:
    """What the requests came to."""

    served: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0


@dataclass
class Changes:
    """Seconds until each update and each edit was live, and the traffic meanwhile."""

    updates: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    """What the gateway itself says an update took."""
    reloads: list[float] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)


async def measure(
    folder: Path,
    *,
    routes: int,
    updates: int,
    reloads: int,
    clients: int = 4,
    pause: float = 0.005,
    say: Callable[[str], None] = lambda line: None,
) -> Changes:
    """Make the changes; `folder` is where files may lie."""
    found = Changes()
    server = await asyncio.start_server(_backend, "127.0.0.1", 0)
    text = _configuration(routes, server.sockets[0].getsockname()[1])
    async with server:
        if updates:
            seed = folder / "seed.ttl"
            seed.write_text(text)
            with serve_process("--store", folder / "store", seed, "--workers", "2", seconds=_SECONDS) as gateway:
                async with _traffic(gateway, found.traffic, clients, pause):
                    await _update(gateway, routes, updates, found, say)
        if reloads:
            file = folder / "gateway.ttl"
            file.write_text(text)
            with serve_process(file, "--watch", "--workers", "2", seconds=_SECONDS) as gateway:
                async with _traffic(gateway, found.traffic, clients, pause):
                    await _reload(gateway, file, text, routes, reloads, found, say)
    return found


def _configuration(routes: int, backend: int) -> str:
    return routes_turtle(routes) + (
        'ex:asked a agw:Route ; agw:routePath "/asked" ; agw:hasBackendService ex:own ; agw:priority 0 .\n'
        f'ex:own a agw:BackendService ; agw:address "127.0.0.1:{backend}" .\n'
    )


async def _backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY))
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _traffic(gateway: Serving, counted: Traffic, clients: int, pause: float) -> AsyncIterator[None]:
    stop = asyncio.Event()

    async def client(session: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            started = time.perf_counter()
            try:
                async with session.get(gateway.url + "/asked") as answer:
                    body = await answer.read()
                if answer.status == 200 and body == _BODY:
                    counted.served += 1
                else:
                    counted.failures.append(f"{answer.status} {body[:200]!r}")
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                counted.failures.append(f"{type(error).__name__}: {error}")
            counted.slowest = max(counted.slowest, time.perf_counter() - started)
            await asyncio.sleep(pause)

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
        tasks = [asyncio.create_task(client(session)) for _ in range(clients)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


def _changed(number: int, routes: int) -> str:
    """The route that a change is about; every tenth is about the one that requests are asking for."""
    return "asked" if number % 10 == 0 else f"route{number * 7 % routes}"


async def _update(gateway: Serving, routes: int, updates: int, found: Changes, say: Callable[[str], None]) -> None:
    async with aiohttp.ClientSession() as session:
        for number in range(updates):
            route = f"ex:{_changed(number, routes)}"
            text = (
                f"DELETE {{ {route} agw:priority ?old }} INSERT {{ {route} agw:priority {number % 900 + 1} }} "
                f"WHERE {{ {route} agw:routePath ?path OPTIONAL {{ {route} agw:priority ?old }} }}"
            )
            started = time.perf_counter()
            fields = {"Content-Type": "application/sparql-update"}
            async with session.post(gateway.admin + "/sparql", data=_PREFIX + text, headers=fields) as answer:
                told = await answer.json()
                if answer.status != 200:
                    raise SystemExit(f"update {number} is refused: {told}\n" + "\n".join(gateway.lines))
            found.updates.append(time.perf_counter() - started)
            found.told.append(told["seconds"])
            if number % 100 == 99:
                say(f"{number + 1} updates, median {statistics.median(found.updates[-100:]) * 1000:.0f} ms")


async def _reload(
    gateway: Serving, file: Path, text: str, routes: int, reloads: int, found: Changes, say: Callable[[str], None]
) -> None:
    for number in range(reloads):
        at = text.index(f"ex:{_changed(number, routes)} a agw:Route ;") + len("ex:")
        end = text.index(" a agw:Route ;", at) + len(" a agw:Route ;")
        rest = re.sub(r"\A agw:requestCost \d+ ;", "", text[end : end + 40]) + text[end + 40 :]
        text = f"{text[:end]} agw:requestCost {number % 8 + 2} ;{rest}"
        beside = file.with_suffix(".new")
        beside.write_text(text)
        said = len(gateway.lines)
        started = time.perf_counter()
        beside.replace(file)
        await asyncio.to_thread(gateway.said, r"revision \d+ is live after", after=said, seconds=_SECONDS)
        found.reloads.append(time.perf_counter() - started)
        if number % 100 == 99:
            say(f"{number + 1} reloads, median {statistics.median(found.reloads[-100:]) * 1000:.0f} ms")


def main() -> int:
    """Make the changes that were asked for, and print what they took."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live_changes", description=__doc__)
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4, help="connections that ask without end (default: 4)")
    parser.add_argument(
        "--pause", type=float, default=0.005, help="seconds between two requests of one (default: 0.005)"
    )
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="agw-live-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # nothing compiled is left behind
        found = asyncio.run(
            measure(
                Path(folder),
                routes=options.routes,
                updates=options.updates,
                reloads=options.reloads,
                clients=options.clients,
                pause=options.pause,
                say=say,
            )
        )
    print(
        f"{options.routes} routes, {23 * options.routes} triples, milliseconds; load average {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':34}{'median':>9}{'p95':>9}{'worst':>9}")
    for name, samples in (
        (f"{len(found.updates)} updates, until answered", found.updates),
        ("  as the gateway tells", found.told),
        (f"{len(found.reloads)} edits, until live", found.reloads),
    ):
        if samples:
            ordered = sorted(samples)
            shown = (statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
            print(f"{name:34}" + "".join(f"{figure * 1000:9.1f}" for figure in shown))
    traffic = found.traffic
    print(f"{traffic.served} requests served, {len(traffic.failures)} failed, slowest {traffic.slowest * 1000:.0f} ms")
    for failure in traffic.failures[:10]:
        print(f"  {failure}")
    return 1 if traffic.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
