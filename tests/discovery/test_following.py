"""What is followed, and what a reload leaves as it was. Registries that misbehave: `test_faults`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from api_gateway_service_mesh.discovery import Discoveries, Standing
from api_gateway_service_mesh.discovery.source import SourceError
from api_gateway_service_mesh.discovery.sources import source_of
from api_gateway_service_mesh.model import Discovery, RegistryType
from api_gateway_service_mesh.model import Registry as Registered

from .faulty import Registry, entry, registry


class Followed:
    """One look-up that is followed, and how often its set changed."""

    def __init__(self, discoveries: Discoveries) -> None:
        self.discoveries = discoveries
        self.changes = 0

    @property
    def standing(self) -> Standing:
        found = self.discoveries.standing("urn:x:lookup")
        assert found is not None
        return found

    @property
    def used(self) -> list[int]:
        return [one.port for one in self.standing.held]


def lookup(url: str, empty_after: float = 30.0) -> Discovery:
    where = Registered("urn:x:registry", RegistryType.CONSUL, url)
    return Discovery("urn:x:lookup", where, "users", empty_after_seconds=empty_after)


@asynccontextmanager
async def following(url: str, empty_after: float = 30.0) -> AsyncIterator[Followed]:
    async def changed() -> None:
        followed.changes += 1

    followed = Followed(Discoveries(changed, random=Random(1)))
    followed.discoveries.adopt([lookup(url, empty_after)])
    try:
        yield followed
    finally:
        await followed.discoveries.stop()


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def told() -> AsyncIterator[Registry]:
    async with registry() as made:
        made.entries = [entry("127.0.0.1", 1), entry("127.0.0.1", 2)]
        yield made


async def test_instances_come_and_go(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        await told.tell([entry("127.0.0.1", 2), entry("", 3, Tags=["v2"], Meta={"zone": "b"}, Weights={"Passing": 7})])
        await until(lambda: followed.used == [3, 2] or followed.used == [2, 3])
        new = next(one for one in followed.standing.held if one.port == 3)
        assert (new.address, new.labels, new.zone, new.weight) == ("10.9.9.9", ("v2", "zone=b"), "b", 7)


async def test_a_look_up_that_changes_keeps_what_it_had_until_it_is_answered(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        before = followed.standing
        followed.discoveries.adopt([lookup(told.url)])
        assert followed.standing is before
        followed.discoveries.adopt([lookup("http://127.0.0.1:1")])
        assert followed.standing is not before
        assert followed.used == [1, 2]
        followed.discoveries.adopt([])
        assert followed.discoveries.standing("urn:x:lookup") is None


async def test_a_token_that_cannot_be_read_is_no_answer(told: Registry) -> None:
    where = Registered("urn:x:registry", RegistryType.CONSUL, told.url, token_ref="env:NO_SUCH_TOKEN_HERE")
    with pytest.raises(SourceError, match="NO_SUCH_TOKEN_HERE"):
        async for _ in source_of(Discovery("urn:x:lookup", where, "users")).watch():
            pass
