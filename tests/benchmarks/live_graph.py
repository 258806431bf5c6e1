"""What the live graph costs, and that its bounds hold: queries that would run for hours, updates, kills, questions.

    python -m tests.benchmarks.live_graph [--routes 1000] [--rounds 5]

A gateway with a store (``agw serve --store DIR``) and one worker, with one client's traffic running all the while. Prints, as medians
and worst cases: how late a query is cut off after its bound, what memory it held and what is left of that, what the
traffic noticed; what an update takes until it is acknowledged (on disk, and live in the worker); how soon a gateway that
was killed in the middle of updates serves what it acknowledged; what questions to it take. Nothing is asserted but that no
request failed and nothing acknowledged was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp

from api_gateway_service_mesh.control.sparql.answers import SparqlLimits
from tests.support.serving import Serving, load, serve_process, turtle

AGW = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>\n"
RUNAWAYS = {
    "a cross product": "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "sorting a cross product": "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?c ?f ?i",
}
SET = "DELETE {{ ex:r0 agw:priority ?o }} INSERT {{ ex:r0 agw:priority {0} }} WHERE {{ ex:r0 a agw:Route OPTIONAL {{ ex:r0 agw:priority ?o }} }}"
HELD = AGW + "SELECT ?p { GRAPH <urn:agw:graph:config> { ex:r0 agw:priority ?p } }"
QUESTIONS = {
    "a SPARQL query": "/queries/routes?route=http://example.org/r0",
    "explain": "/explain?url=/r0/x",
    "why not": "/explain?url=/nowhere&why_not=http://example.org/r0",
    "difference of two revisions": "/revisions/3/diff?from=2",
    "explain as of a revision": "/explain?url=/r0/x&revision=2",
    "impact of a thing": "/impact?iri=ex:patience&manifests=false",
}


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live_graph", description=__doc__)
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agw-live-graph-") as folder:
        asyncio.run(_measured(Path(folder), options.routes, options.rounds))
    return 0


def configuration(routes: int) -> str:
    """Routes that answer by themselves, under one timeout."""
    listed = "\n".join(
        f'ex:r{n} a agw:Route ; agw:routePath "/r{n}/*" ; agw:hasTimeout ex:patience ; agw:hasDirectResponse ex:well .'
        for n in range(routes)
    )
    shared = (
        "ex:patience a agw:Timeout ; agw:timeoutSeconds 5 . ex:well a agw:DirectResponse ; agw:responseStatus 200 ."
    )
    return turtle(
        f"ex:g a agw:ApiGateway ; agw:hasRoute {' , '.join(f'ex:r{n}' for n in range(routes))} .\n{shared}\n{listed}"
    )


async def _measured(folder: Path, routes: int, rounds: int) -> None:
    file = folder / "gateway.ttl"
    file.write_text(configuration(routes))
    print(f"{routes} routes; medians of {rounds} (worst)")
    with serve_process("--store", folder / "store", file, "--workers", "1", "--no-watch") as gateway:
        async with aiohttp.ClientSession() as session:
            async with load(gateway.url + "/r0/x", clients=1) as quiet:
                await asyncio.sleep(2)
            print(f"traffic by itself: {quiet.total / 2:.0f} requests/s, the slowest {quiet.slowest * 1000:.1f} ms")
            async with load(gateway.url + "/r0/x", clients=1) as traffic:
                for name, text in RUNAWAYS.items():
                    await _cut_off(gateway, session, name, text, rounds)
                await _updated(gateway, session, 4 * rounds)
                for name, path in QUESTIONS.items():
                    _say(name, [await _asked(session, gateway.admin + path) for _ in range(rounds)])
            print(f"traffic meanwhile: {traffic.total} requests, {len(traffic.failures)} failed, the slowest {traffic.slowest * 1000:.1f} ms")  # fmt: skip
            assert not traffic.failures
    await _killed(folder, rounds)


async def _cut_off(gateway: Serving, session: aiohttp.ClientSession, name: str, text: str, rounds: int) -> None:
    bound = SparqlLimits().seconds
    late, held, left, again = [], [], [], []
    for _ in range(rounds):
        await _answered(gateway, session)
        before = _memory(gateway)
        started = time.perf_counter()
        asking = asyncio.create_task(_post(session, gateway, text))
        most = before
        while not asking.done():
            await asyncio.sleep(0.05)
            most = max(most, _memory(gateway))
        status = await asking
        late.append(time.perf_counter() - started - bound)
        assert status == 503, status
        again.append(await _answered(gateway, session))
        held.append((most - before) / 2**20)
        left.append((_memory(gateway) - before) / 2**20)
    _say(f"{name}, bound {bound:g} s: cut off late by", late)
    _say("  the next query is answered after", again)
    print(f"  memory it held {statistics.median(held):.0f} MiB, left of that {statistics.median(left):.0f} MiB")


async def _answered(gateway: Serving, session: aiohttp.ClientSession) -> float:
    started = time.perf_counter()
    while await _post(session, gateway, "ASK {}") != 200:
        await asyncio.sleep(0.01)
    return time.perf_counter() - started


async def _post(session: aiohttp.ClientSession, gateway: Serving, text: str, kind: str = "query") -> int:
    async with session.post(gateway.admin + "/sparql", data={kind: text}) as answer:
        await answer.read()
        return answer.status


async def _updated(gateway: Serving, session: aiohttp.ClientSession, count: int) -> None:
    taken = []
    for number in range(count):
        started = time.perf_counter()
        assert await _post(session, gateway, AGW + SET.format(number), "update") == 200
        taken.append(time.perf_counter() - started)
    _say("an update of one route, on disk and live", taken)


async def _asked(session: aiohttp.ClientSession, url: str) -> float:
    started = time.perf_counter()
    async with session.get(url) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    return time.perf_counter() - started


async def _killed(folder: Path, rounds: int) -> None:
    """Killed while it takes updates; started again, until it serves what it acknowledged."""
    taken, acknowledged = [], -1
    for _ in range(rounds + 1):
        started = time.perf_counter()
        with serve_process("--store", folder / "store", "--workers", "1", "--no-watch") as gateway:
            async with aiohttp.ClientSession() as session:
                taken.append(time.perf_counter() - started)
                async with session.post(gateway.admin + "/sparql", data={"query": HELD}) as answer:
                    (row,) = (await answer.json())["results"]["bindings"]
                held = int(row["p"]["value"])
                assert acknowledged in (-1, held, held - 1), "something acknowledged is lost"
                for number in range(held + 1, held + 4):
                    assert await _post(session, gateway, AGW + SET.format(number), "update") == 200
                    acknowledged = number
                gateway.process.send_signal(signal.SIGKILL)
                gateway.process.wait()
    _say("killed with -9: started again and serving after", taken[1:])


def _memory(gateway: Serving) -> int:
    """Resident bytes of the control process and its query processes."""
    return sum(map(_resident, (gateway.process.pid, *gateway.children("sparql"))))


def _resident(process: int) -> int:
    def lines() -> Iterator[str]:
        try:
            yield from Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            return

    return sum(int(line.split()[1]) * 1024 for line in lines() if line.startswith("VmRSS"))


def _say(what: str, seconds: Sequence[float]) -> None:
    print(f"{what}: {statistics.median(seconds) * 1000:.1f} ms ({max(seconds) * 1000:.1f})", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
