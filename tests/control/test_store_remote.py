"""Gateways on a triple store: a real Oxigraph and Fuseki, written by them and by others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import Serving, load, serve_process, turtle

from .test_serve import get, shop
from .test_update import ADD, PREFIX, send, update

CONFIG = "urn:agw:graph:config"
OXIGRAPH = shutil.which("oxigraph") or str(Path(sys.executable).with_name("oxigraph"))
FUSEKI = shutil.which("fuseki-server")


class Oxigraph:
    """An Oxigraph server that can be stopped and started again."""

    data = "/store"
    path = ""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}{self.path}"
        folder.mkdir(exist_ok=True)
        self.start()

    @property
    def command(self) -> list[str]:
        return [OXIGRAPH, "serve", "--location", str(self.folder), "--bind", f"127.0.0.1:{self.port}"]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder
        )
        end = time.monotonic() + 40
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                self.ask("SELECT * {}")
                return
            time.sleep(0.05)
        raise AssertionError("the triple store did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def put(self, text: str) -> None:
        """Replace the configuration, as a Graph Store client does."""
        url = f"{self.url}{self.data}?graph={CONFIG}"
        request = urllib.request.Request(url, text.encode(), {"Content-Type": "text/turtle"}, method="PUT")
        urllib.request.urlopen(request).close()

    def update(self, text: str) -> None:
        form = urllib.parse.urlencode({"update": PREFIX + text}).encode()
        urllib.request.urlopen(self.url + "/update", form).close()

    def ask(self, text: str) -> list[list[str]]:
        form = urllib.parse.urlencode({"query": PREFIX + text}).encode()
        request = urllib.request.Request(self.url + "/query", form, {"Accept": "application/sparql-results+json"})
        with urllib.request.urlopen(request) as answer:
            rows = json.loads(answer.read())["results"]["bindings"]
        return [[cell["value"] for cell in row.values()] for row in rows]


class Fuseki(Oxigraph):
    """A Fuseki server (Apache Jena) with a TDB2 database."""

    data = "/data"
    path = "/shop"

    @property
    def command(self) -> list[str]:
        assert FUSEKI is not None
        place = ["--port", str(self.port), "--localhost", "--tdb2", f"--loc={self.folder}", "--update", self.path]
        return [FUSEKI, *place]


@pytest.fixture(params=[Oxigraph, Fuseki], ids=["oxigraph", "fuseki"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Oxigraph]:
    if request.param is Oxigraph and not Path(OXIGRAPH).exists():
        pytest.skip("the Oxigraph server (PyPI: oxigraph) is not there")
    if request.param is Fuseki and FUSEKI is None:
        pytest.skip("no fuseki-server: .ci/servers/jena puts it there")
    server: Oxigraph = request.param(tmp_path / "triples")
    yield server
    server.stop()


@contextlib.contextmanager
def gateway(store: Oxigraph, *more: str | Path) -> Iterator[Serving]:
    with serve_process("--store", store.url, "--poll-seconds", "0.2", "--workers", "1", *more) as running:
        yield running


async def serves(running: Serving, path: str, status: int = 200, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while (found := (await get(running.url + path))[0]) != status:
        assert time.monotonic() < end, f"{path} is {found} and not {status}; said: {running.lines}"
        await asyncio.sleep(0.05)


async def test_what_others_write_goes_live_and_what_is_wrong_does_not(store: Oxigraph, backend_port: int) -> None:
    store.put(shop(backend_port))
    with gateway(store) as running:
        await serves(running, "/r0/x")
        async with load(running.url + "/r0/x", clients=2) as traffic:
            store.update(ADD.format(1).replace("INSERT DATA {", f"INSERT DATA {{ GRAPH <{CONFIG}> {{") + "}")
            await serves(running, "/n1/x")
            seen = len(running.lines)
            store.put(shop(backend_port).replace("agw:routePath", "agw:routePth"))
            running.said("is refused", after=seen)
            await serves(running, "/n1/x")
            seen = len(running.lines)
            store.update(f"CLEAR GRAPH <{CONFIG}>")
            running.said("is empty", after=seen)
            await serves(running, "/n1/x")
            seen = len(running.lines)
            store.stop()
            running.said("does not answer", after=seen)
            status, text, _ = await update(running, ADD.format(2))
            assert status in (409, 503), text  # what the store was last heard to hold was refused
            await asyncio.sleep(0.5)
            assert sum("does not answer" in line for line in running.lines) == 1
            store.start()
            store.put(shop(backend_port, routes=2))
            await serves(running, "/r1/x")
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}


async def test_updates_are_written_through(store: Oxigraph, backend_port: int, tmp_path: Path) -> None:
    seed = tmp_path / "gateway.ttl"
    limited = "ex:r0 agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] ."
    seed.write_text(shop(backend_port, extra=limited))
    with gateway(store, seed) as running:
        assert (await update(running, ADD.format(1), Agw_Message="by a client"))[0] == 200
        assert store.ask(f"SELECT ?p {{ GRAPH <{CONFIG}> {{ ex:n1 agw:routePath ?p }} }}") == [["/n1/*"]]
        why = "SELECT ?why { GRAPH <urn:agw:graph:history> { ?change <http://purl.org/vocab/changeset/schema#changeReason> ?why } }"
        assert sorted(store.ask(why)) == [["by a client"], ["loaded"]]
        assert (await update(running, "INSERT DATA { ex:n1 agw:routePth '/x' }"))[0] == 422
        assert (await send(running, "POST", "/revisions/1/rollback"))[0] == 200
        assert store.ask(f"SELECT ?p {{ GRAPH <{CONFIG}> {{ ?r agw:routePath ?p }} }}") == [["/r0/*"]]
    # Blank nodes of others' making are changed as well.
    store.put(shop(backend_port, extra=limited))
    with gateway(store) as running:
        change = (
            "DELETE { ?t agw:timeoutSeconds ?o } INSERT { ?t agw:timeoutSeconds 9 } WHERE { ?t agw:timeoutSeconds ?o }"
        )
        assert (await update(running, change))[0] == 200
        seconds = f"SELECT ?s {{ GRAPH <{CONFIG}> {{ ex:r0 agw:hasTimeout/agw:timeoutSeconds ?s }} }}"
        assert store.ask(seconds) == [["9"]]
        assert store.ask(f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{CONFIG}> {{ ?s ?p ?o }} }}") == [["10"]]


async def test_gateways_on_one_store_converge(store: Oxigraph, backend_port: int) -> None:
    store.put(shop(backend_port))
    with gateway(store) as one, gateway(store) as two:
        found = await asyncio.gather(*(update((one, two)[n % 2], ADD.format(n)) for n in range(6)))
        assert [status for status, _, _ in found] == [200] * 6, found
        for number in range(6):
            await serves(one, f"/n{number}/x")
            await serves(two, f"/n{number}/x")
        tags = {(await send(running, "GET", "/data?default"))[2]["ETag"] for running in (one, two)}
        assert len(tags) == 1
        tag = tags.pop()
        raced = await asyncio.gather(*(update((one, two)[n], ADD.format(10 + n), If_Match=tag) for n in range(2)))
        assert sorted(status for status, _, _ in raced) == [200, 412]


async def test_a_gateway_is_told(store: Oxigraph, backend_port: int) -> None:
    store.put(shop(backend_port))
    with serve_process("--store", store.url, "--poll-seconds", "3600", "--workers", "1") as running:
        store.put(shop(backend_port, routes=2))
        status, text, _ = await send(running, "POST", "/reload", "")
        assert (status, json.loads(text)) == (200, {"revision": 2, "changed": True})
        assert (await get(running.url + "/r1/x"))[0] == 200
        store.put(turtle("ex:r0 a agw:Route ."))
        assert (await send(running, "POST", "/reload", ""))[0] == 422
        store.stop()
        assert (await send(running, "POST", "/reload", ""))[0] == 503
        assert (await get(running.url + "/r1/x"))[0] == 200
