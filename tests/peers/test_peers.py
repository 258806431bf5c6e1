"""What clients and backends see of agw and of Envoy, configured alike: the same, or a difference that is explained."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.serving import Serving, turtle

from .backend import Backend, backend
from .case import Case, Facts
from .client import Client
from .differences import DIFFERENCES
from .envoy import ENVOY, envoy
from .failures import FAILURES
from .traffic import TRAFFIC

CASES = (*FAILURES, *TRAFFIC)

Running = tuple[Client, Client, dict[str, list[Backend]]]


@contextlib.asynccontextmanager
async def _agw(file: Path) -> AsyncIterator[int]:
    gateway = Serving(str(file), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "1")
    try:
        await asyncio.to_thread(gateway.ready)
        yield gateway.port
    finally:
        await asyncio.to_thread(gateway.end)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Both gateways with the configuration of all cases, and the backends of each case."""
    folder = tmp_path_factory.mktemp("peers")
    async with contextlib.AsyncExitStack() as stack:
        backends = {
            case.name: [
                await stack.enter_async_context(backend(script)) for script in (*case.backends, *case.apart.values())
            ]
            for case in CASES
        }
        text = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        text += "".join(case.turtle(backends[case.name]) for case in CASES)
        file = folder / "gateway.ttl"
        file.write_text(turtle(text))
        routes = [route for case in CASES for route in case.envoy_routes()]
        clusters = [cluster for case in CASES for cluster in case.envoy_clusters(backends[case.name])]
        ours = await stack.enter_async_context(_agw(file))
        theirs = await stack.enter_async_context(envoy(folder, routes, clusters))
        yield Client(ours), Client(theirs), backends


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_clients_and_backends_see_the_same(case: Case, both: Running) -> None:
    *clients, backends = both
    seen: list[Facts] = []
    for client in clients:
        for each in backends[case.name]:
            each.forget()
        seen.append(await case.ask(client, backends[case.name]))
    ours, theirs = seen
    differing = {
        fact: (ours.get(fact), theirs.get(fact)) for fact in {**ours, **theirs} if ours.get(fact) != theirs.get(fact)
    }
    assert differing == {fact: (each.agw, each.envoy) for fact, each in DIFFERENCES.get(case.name, {}).items()}


def test_the_readme_lists_every_case_and_every_difference() -> None:
    text = " ".join((Path(__file__).parent / "README.md").read_text().split())
    assert [case.name for case in CASES if f"`{case.name}`" not in text] == []
    assert DIFFERENCES.keys() <= {case.name for case in CASES}
    whys = {each.why for facts in DIFFERENCES.values() for each in facts.values()}
    assert [why for why in sorted(whys) if why not in text] == []
