"""No secret comes out: each is planted where a configuration takes one, everything is asked, and all of it searched."""

from __future__ import annotations

import asyncio
import json
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from api_gateway_service_mesh.vocabulary import (
    GRAPH_CONFIG,
    GRAPH_HISTORY,
    GRAPH_INFERRED,
    GRAPH_ONTOLOGY,
    GRAPH_RUNTIME,
    GRAPH_SHAPES,
)
from tests.support.backend import answer, backend, says
from tests.support.planted import Planted, Tattler, tattler
from tests.support.serving import Serving, serve_process, turtle

from .planted_gateway import REFERENCES, plant, questions

GRAPHS = [GRAPH_CONFIG, GRAPH_HISTORY, GRAPH_INFERRED, GRAPH_ONTOLOGY, GRAPH_RUNTIME, GRAPH_SHAPES]
PREFIX = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/> "
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def teller() -> Iterator[Tattler]:
    with tattler() as one:
        yield one


class Searched:
    """All that came out."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.leaks: list[str] = []

    def look(self, where: str, text: bytes | str, *, holds: frozenset[str] = frozenset()) -> None:
        """Look through `text`, which may hold what is named in `holds`."""
        if found := self.planted.found(text) - holds:
            self.leaks.append(f"{where}: {', '.join(sorted(found))}")


async def traffic(port: int, planted: Planted, searched: Searched) -> None:
    """Requests that show secrets of their own, right and wrong."""
    key, wrong = planted.values["api-key"], planted.new("shown")
    asked = [
        ("/introspected/a", {"Authorization": f"Bearer {planted.values['shown'].strip('+/=&')}"}),
        ("/introspected/a", {"Authorization": f"Bearer {wrong}"}),
        ("/signed/a", {"Authorization": f"Bearer a.{wrong}.c"}),
        ("/partners/a", {"X-API-Key": key}),
        ("/partners/b", {"X-API-Key": wrong}),
        (f"/partners/c?key={key}&token={wrong}", {}),
        (f"/partners/d?key={wrong}", {}),
        ("/judged/a", {"X-API-Key": key, "Authorization": f"Basic {wrong}", "Cookie": f"at={wrong}"}),
        (f"/.agw/callback?code={wrong}&state={wrong}", {"Cookie": f"agw_session={wrong}; __Host-agw={wrong}"}),
        (f"/oauth2/callback?code={wrong}&state={wrong}", {}),
        ("/page", {"Cookie": f"agw_session={wrong}", "Accept": "text/html", "Sec-Fetch-Mode": "navigate"}),
        ("/open/a", {"Authorization": f"Bearer {wrong}"}),
    ]
    async with aiohttp.ClientSession() as session:
        for path, fields in asked:
            async with session.get(f"http://127.0.0.1:{port}{path}", headers=fields, allow_redirects=False) as said:
                searched.look(
                    f"the answer to {path[:12]}", f"{said.status} {said.reason} {said.headers} {await said.text()}"
                )


async def ask(
    session: aiohttp.ClientSession, searched: Searched, method: str, url: str, **more: object
) -> tuple[int, str]:
    """One request to the admin port, its answer searched."""
    async with session.request(method, url, **more) as said:  # type: ignore[arg-type]
        text = await said.text()
        where = f"{method} {url.partition('//')[2][:160]} {said.status} {said.headers.get('Content-Type')}"
        searched.look(where, f"{said.reason} {said.headers} {text}")
        return said.status, text


async def everything(gateway: Serving, planted: Planted, searched: Searched) -> int:
    """Ask all that can be asked by GET; how many answers were good."""
    good = 0
    bearer = {"Authorization": f"Bearer {planted.values['AGW_ADMIN_READ_TOKEN']}"}
    async with aiohttp.ClientSession(headers=bearer) as session:
        _, index = await ask(session, searched, "GET", gateway.admin + "/")
        _, listed = await ask(session, searched, "GET", gateway.admin + "/queries")
        names = [item["name"] for item in json.loads(listed)]
        for path, kind in questions(re.findall(r"^/\S*", index, re.MULTILINE), names, GRAPHS):
            status, _ = await ask(session, searched, "GET", gateway.admin + path, headers={"Accept": kind})
            good += status == 200
            assert status != 500, path
    return good


async def changes(gateway: Serving, planted: Planted, searched: Searched) -> None:
    """Changes that hold secrets where none belongs, by all ways and in all forms; one that is right."""
    typed = planted.new("typed")
    write = {"Authorization": f"Bearer {planted.values['principal']}"}
    async with aiohttp.ClientSession(headers=write) as session:
        url = gateway.admin + "/sparql"
        text = PREFIX + "INSERT DATA { ex:open agw:priority 5 }"
        kind = {"Content-Type": "application/sparql-update"}
        assert (await ask(session, searched, "POST", url, data=text, headers=kind))[0] in (200, 204)
        for accepted in ("application/problem+json", "text/turtle", "application/ld+json", "text/plain"):
            for subject, name in REFERENCES.values():
                form = kind | {"Accept": accepted}
                text = (
                    PREFIX
                    + f'DELETE WHERE {{ {subject} agw:{name} ?o }} ; INSERT DATA {{ {subject} agw:{name} "{typed}" }}'
                )
                assert (await ask(session, searched, "POST", url, data=text, headers=form))[0] == 422
            text = PREFIX + f'INSERT DATA {{ ex:tokens agw:clientSecretRef "{typed}" BROKEN'
            assert (await ask(session, searched, "POST", url, data=text, headers=kind | {"Accept": accepted}))[0] == 400
            for end in ("", " BROKEN"):
                turtle = f'@prefix agw: <https://ggen.ai/ontology/api-gateway#> . <urn:x> agw:privateKeyRef "{typed}" {end} .'
                form = {"Content-Type": "text/turtle", "Accept": accepted}
                for method, path in (("POST", "/data?default"), ("PUT", "/data?default"), ("POST", "/shacl")):
                    status, _ = await ask(session, searched, method, gateway.admin + path, data=turtle, headers=form)
                    assert status in (200, 400, 422) or path == "/shacl", (method, path, status)
        await ask(session, searched, "POST", gateway.admin + "/reload")
        await ask(session, searched, "POST", gateway.admin + "/certificates/rotate")
    for token in (planted.new("wrong-token"), "", typed):
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            assert (await ask(session, searched, "GET", gateway.admin + "/config"))[0] == 401


async def test_nothing_of_a_served_gateway_tells_a_secret(tmp_path: Path, teller: Tattler) -> None:
    planted = Planted()
    searched = Searched(planted)
    async with backend(says(answer(b"ok"))) as behind:
        file, environment = plant(tmp_path, planted, teller.port, behind.port)
        with serve_process(file, "--writable", "--workers", "1", environment=environment) as gateway:
            await traffic(gateway.port, planted, searched)
            assert not searched.leaks, searched.leaks
            await changes(gateway, planted, searched)
            for path in ("own/*.pem", "own/**/*.key", "acme/*.pem"):
                for made in tmp_path.glob(path):
                    if "PRIVATE KEY" in made.read_text():
                        assert not made.stat().st_mode & 0o077, made
                        planted.watch(made.name, "".join(made.read_text().splitlines()[1:-1])[48:80])
            async with asyncio.timeout(60):
                while not all(
                    any(part in text for text in teller.heard) for part in (b"/introspect", b"/spans", b"AUTH", b"/v1/")
                ):
                    await asyncio.sleep(0.05)
            good = await everything(gateway, planted, searched)
            assert good > 100
            gateway.end()
            for name, lines in (("standard error", gateway.lines), ("standard output", gateway.output)):
                assert name != "standard error" or lines
                searched.look(name, "\n".join(lines))
    for spans in (text for text in teller.heard if text.startswith(b"POST /spans")):
        searched.look("spans", spans)
    held = {"AGW_ADMIN_TOKEN", "api-key's hash", "principal's hash"}
    for path in tmp_path.rglob("*"):
        if (
            path.is_file()
            and not re.search(r"\.secret$|\.key$|key.*\.pem$|^principals$|account", path.name)
            and b"PRIVATE KEY" not in path.read_bytes()
        ):
            searched.look(f"the file {path.relative_to(tmp_path)}", path.read_bytes(), holds=frozenset(held))
    assert not searched.leaks, "\n" + "\n".join(searched.leaks)


def test_no_process_leaves_a_core(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle('ex:r a agw:Route ; agw:routePath "/" ; agw:hasDirectResponse [ a agw:DirectResponse ] .'))
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with serve_process(file, "--workers", "1") as gateway:
            processes = [gateway.process.pid, *gateway.children("")]
            assert len(processes) >= 3
            for process in processes:
                limits = Path(f"/proc/{process}/limits").read_text()
                soft = next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size"))
                assert soft == "0", process
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
