"""No secret is told by an object: what a program, a debugger or an error tracker prints of a gateway in use is searched."""

from __future__ import annotations

import asyncio
import gc
import traceback
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from api_gateway_service_mesh import ApiGateway
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.security.secret import read_secret
from tests.control.planted_gateway import plant
from tests.support.backend import answer, backend, says
from tests.support.planted import Planted, tattler

PACKAGE = "api_gateway_service_mesh"
HASH = "api-key's hash"


def printed() -> dict[str, str]:
    """What every object of the package's own classes prints, by class."""
    found: dict[str, str] = {}
    for each in gc.get_objects():
        kind = type(each)
        if str(kind.__module__).startswith(PACKAGE) and not isinstance(each, type):
            name = f"{kind.__module__}.{kind.__qualname__}"
            found[name] = f"{found.get(name, '')}\n{each!r} {each!s}"
    return found


async def test_what_objects_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = Planted()
    with tattler() as teller:
        async with backend(says(answer(b"ok"))) as behind:
            file, environment = plant(tmp_path, planted, teller.port, behind.port)
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            gateway = ApiGateway.from_turtle(file)
            async with TestClient(TestServer(gateway.app())) as client:
                for path, fields in (
                    ("/partners/a", {"X-API-Key": planted.values["api-key"]}),
                    ("/introspected/a", {"Authorization": f"Bearer {planted.new('shown').strip('+/=&')}"}),
                    ("/page", {"Cookie": f"agw_session={planted.new('cookie')}", "Accept": "text/html"}),
                    ("/open/a", {}),
                ):
                    async with client.get(path, headers=fields, allow_redirects=False) as said:
                        text = f"{said.status} {said.reason} {said.headers} {await said.text()}"
                        assert not planted.found(text), path
                holding = printed()
                assert len(holding) > 60
                # The model holds the hash that a configuration states, as the graph does; a hash of 256 random bits opens nothing.
                told = {name: planted.found(text) - {HASH} for name, text in holding.items()}
                assert {name: found for name, found in told.items() if found} == {}
                for way in (
                    repr(gateway),
                    str(gateway.query("SELECT * { ?s ?p ?o }")),
                    "\n".join(map(repr, gateway.query("SELECT * { ?s ?p ?o }"))),
                    gateway.graph.serialize(format="turtle"),
                    str(gateway.explain("GET", "/partners/a?key=x")),
                ):
                    assert not planted.found(way) - {HASH}
                reading = asyncio.all_tasks()
                assert not planted.found("\n".join(map(repr, reading)))


def test_what_a_traceback_tells(tmp_path: Path) -> None:
    planted = Planted()
    (tmp_path / "near").write_text(planted.new("near"))
    (tmp_path / "binary").write_bytes(b"\xff" + planted.new("binary").encode())
    for reference in (
        f"file:{tmp_path}/none",
        f"file:{tmp_path}/binary",
        f"file:{tmp_path}",
        "env:NONE",
        "near",
        planted.new("typed"),
    ):
        with pytest.raises(AgwError) as refused:
            read_secret(reference)
        assert not planted.found("".join(traceback.format_exception(refused.value)))
