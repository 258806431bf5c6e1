"""One suite, two data planes, one graph: what clients and backends see of agw's own and of an Envoy that agw configures.

The cases are those of tests/peers, where Envoy's configuration is written by hand, and those of `pages`; here the graph
alone speaks, and far fewer differences are left. ``pytest tests/parity -s`` prints the table of targets after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from tests.parity.differences import DIFFERENCES
from tests.parity.pages import PAGES
from tests.parity.running import ENVOY, envoy_of
from tests.peers.backend import Backend, backend
from tests.peers.case import Case, Facts
from tests.peers.client import Client
from tests.peers.test_peers import CASES as PEERS
from tests.peers.test_peers import _agw
from tests.support.serving import turtle

CASES = (*PEERS, *PAGES)

Running = tuple[Client, Client, dict[str, list[Backend]]]

#: What a race decides: Envoy ejects on its main thread, and a request may slip through before.
RACES = {"breaker", "ejected"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Both data planes with the same graph, and the backends of each case."""
    folder = tmp_path_factory.mktemp("parity")
    async with contextlib.AsyncExitStack() as stack:
        backends = {
            case.name: [
                await stack.enter_async_context(backend(script)) for script in (*case.backends, *case.apart.values())
            ]
            for case in CASES
        }
        text = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        file = folder / "gateway.ttl"
        file.write_text(turtle(text + "".join(case.turtle(backends[case.name]) for case in CASES)))
        mesh = build(SourceGraph.load([file])).mesh
        ours = await stack.enter_async_context(_agw(file))
        theirs = await stack.enter_async_context(envoy_of(mesh, folder))
        yield Client(ours), Client(theirs), backends


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in RACES], ids=lambda case: case.name)
async def test_both_planes_do_the_same(case: Case, both: Running) -> None:
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


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
@pytest.mark.parametrize("name", sorted(RACES))
async def test_both_planes_leave_the_failing_alone(name: str, both: Running) -> None:
    *clients, backends = both
    (case,) = (case for case in CASES if case.name == name)
    for client in clients:
        for each in backends[name]:
            each.forget()
        await case.ask(client, backends[name])
        assert 3 <= len(backends[name][-1].calls) <= 5
