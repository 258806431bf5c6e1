"""Query processes come to what is in force by what changed."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

from api_gateway_service_mesh.control.sparql.answers import Dataset
from api_gateway_service_mesh.control.sparql.service import SparqlLimits, SparqlService
from api_gateway_service_mesh.control.sparql.trail import Trail
from api_gateway_service_mesh.vocabulary import AGW, GRAPH_CONFIG

from .conftest import QUADS, dataset
from .test_service import count


def following(revision: int, number: int | None = None) -> Dataset:
    """The revision that adds one route to the one before."""
    added = f'<urn:more{revision}> <{AGW.routePath}> "/more/{revision}" <{GRAPH_CONFIG}> .\n'.encode()
    return replace(dataset(revision), previous=revision - 1, changes=lambda: (b"", added))


async def test_a_process_that_is_killed_catches_up_without_the_whole_being_written_again() -> None:
    written = []

    def quads() -> bytes:
        written.append(1)
        return QUADS.encode()

    service = SparqlService(SparqlLimits(children=1, queue_seconds=60.0))
    await service.start()
    try:
        service.use(replace(dataset(1), quads=quads), bytes, edited=True)
        routes = f"{{ ?r <{AGW.routePath}> ?p }}"
        assert await count(service, routes) == 1000
        for revision in range(2, 12):
            service.use(following(revision), bytes, edited=True)
        assert await count(service, routes) == 1010
        (pid,) = service.pids
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while Path(f"/proc/{pid}/stat").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
                await asyncio.sleep(0.01)
        assert await count(service, routes) == 1010
        changes = await service.update(f"DELETE WHERE {{ <urn:more7> <{AGW.routePath}> ?p }}")
        assert changes.removed.count(b"\n") == 1
        assert len(written) == 1
    finally:
        await service.stop()


async def test_nothing_leads_from_what_is_not_known_and_texts_are_made_once() -> None:
    trail = Trail()
    trail.follow(dataset(1))
    assert await trail.since(0) is None
    asked = []
    for revision in range(2, 5):
        step = following(revision)
        trail.follow(replace(step, changes=lambda: asked.append(1) or (b"", b"x")))  # type: ignore[func-returns-value]
    found = await trail.since(2)
    assert found is not None
    assert [step.revision for step in found] == [3, 4]
    await trail.since(1)
    assert len(asked) == 3
    assert await trail.since(4) == []
    trail.follow(dataset(9))  # of something else altogether
    assert await trail.since(4) is None
    assert (await trail.whole()).revision == 9


async def test_each_step_is_made_once_and_the_shortest_way_is_taken() -> None:
    """A revision may be gone back to; and a change costs the same after a thousand others."""
    trail, made = Trail(), list[int]()
    trail.follow(dataset(1))
    for revision in range(2, 300):
        step = following(revision)

        def change(revision: int = revision) -> tuple[bytes, bytes]:
            made.append(revision)
            return b"", b"x"

        trail.follow(replace(step, changes=change))
        found = await trail.since(revision - 1)
        assert found is not None and [each.revision for each in found] == [revision]
    assert made == list(range(2, 300))
    found = await trail.since(1)
    assert found is not None and len(found) == 298
