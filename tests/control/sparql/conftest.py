"""A running query service over a small dataset."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api_gateway_service_mesh.control.sparql.dataset import DEFAULT_GRAPHS
from api_gateway_service_mesh.control.sparql.service import Dataset, SparqlLimits, SparqlService
from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG, GRAPH_INFERRED, GRAPH_RUNTIME, GRAPH_SHAPES

QUADS = "".join(
    [
        f'<urn:r{number}> <{AGW.routePath}> "/p/{number}" <{GRAPH_CONFIG}> .\n'
        f'<urn:r{number}> <{AGW.routePath}> "/p/{number}" <{GRAPH_INFERRED}> .\n'
        for number in range(1000)
    ]
    + [f"<urn:shape> <urn:says> <urn:something> <{GRAPH_SHAPES}> .\n"]
)


class Live:
    """Live state that a test moves."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self) -> bytes:
        return f'<urn:r1> <{AGW.requestTotal}> "{self.total}"^^<http://www.w3.org/2001/XMLSchema#integer> .\n'.encode()


def dataset(revision: int, quads: str = QUADS) -> Dataset:
    return Dataset(revision, quads.encode, DEFAULT_GRAPHS, GRAPH_RUNTIME, {"agw": AGW.routePath[: -len("routePath")]})


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
async def service(live: Live) -> AsyncIterator[SparqlService]:
    made = SparqlService(SparqlLimits(seconds=1.5, answer_bytes=1_000_000, memory_bytes=512 * 1024 * 1024))
    await made.start()
    made.use(dataset(1), live)
    yield made
    await made.stop()
