"""What every source must stand: a registry that is slow, wrong, gone, flapping, empty, large, or busy.

One suite for all of them, over real sockets; see `registries` for how a further source joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from api_gateway_service_mesh.discovery import Discoveries, DiscoveryState, Instance, Instances, SourceError, Standing
from api_gateway_service_mesh.discovery import following as following_module
from api_gateway_service_mesh.discovery.sources import source_of
from api_gateway_service_mesh.model import Discovery, RegistryType

from .registries import STAND_INS, Place, StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CURRENT, STALE, DOUBTED, WAITING = (
    DiscoveryState.CURRENT,
    DiscoveryState.STALE,
    DiscoveryState.DOUBTED,
    DiscoveryState.WAITING,
)
_SECONDS = 40.0


def places(*numbers: int) -> list[Place]:
    """Instances by number."""
    return [(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 8000) for number in numbers]


class Followed:
    """One look-up that is followed, and how often its set changed."""

    def __init__(self) -> None:
        self.discoveries = Discoveries(self._changed, random=Random(1))
        self.changes = 0

    async def _changed(self) -> None:
        self.changes += 1

    @property
    def standing(self) -> Standing:
        """What it has come to."""
        found = self.discoveries.standing("urn:x:lookup")
        assert found is not None
        return found

    @property
    def used(self) -> list[Place]:
        """What is in use."""
        return [(one.address, one.port) for one in self.standing.held]

    async def uses(self, wanted: Sequence[Place], state: DiscoveryState = CURRENT) -> None:
        """Wait for that."""
        await until(lambda: sorted(self.used) == sorted(wanted) and self.standing.state is state)


@asynccontextmanager
async def following(*lookups: Discovery) -> AsyncIterator[Followed]:
    followed = Followed()
    followed.discoveries.adopt(lookups)
    try:
        yield followed
    finally:
        await followed.discoveries.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(params=sorted(STAND_INS))
async def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    made = STAND_INS[request.param]()
    monkeypatch.setattr(following_module, "_FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(following_module, "_LONGEST_PAUSE_SECONDS", 1.0)
    await made.start()
    await made.tell(places(1, 2))
    try:
        yield made
    finally:
        await made.stop()


def test_every_source_has_its_stand_in() -> None:
    assert set(STAND_INS) == set(RegistryType)


async def test_instances_come_and_go(told: StandIn) -> None:
    async with following(told.discovery()) as followed:
        await followed.uses(places(1, 2))
        await told.tell(places(2, 3))
        await followed.uses(places(2, 3))
        assert all(one.tzinfo is UTC for one in followed.standing.first_told.values())
        assert sorted(followed.standing.first_told) == sorted(places(2, 3))


async def test_a_wrong_answer_changes_nothing(told: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    told.impatient(monkeypatch)
    for fault in (*told.faults, "silence"):
        async with following(told.discovery()) as followed:
            await followed.uses(places(1, 2))
            await told.misbehave(fault)
            await until(lambda: followed.standing.state is STALE)
            assert sorted(followed.used) == places(1, 2), fault
            assert followed.standing.fault and followed.standing.stale_since is not None, fault
            await told.misbehave(None)
            await followed.uses(places(1, 2))
            assert (followed.standing.fault, followed.standing.stale_since, followed.changes) == (None, None, 1), fault


async def test_one_value_that_is_wrong_breaks_nothing(told: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a source makes of it: instances that can be used and told of, or one of the failures it may have."""
    told.impatient(monkeypatch)
    refused = taken = 0
    for mutation in told.mutations():
        await told.mutated(mutation)
        async with aclosing(cast("AsyncGenerator[Instances]", source_of(told.discovery()).watch())) as answers:
            try:
                async with asyncio.timeout(_SECONDS):
                    found = await anext(answers)
            except (SourceError, OSError) as error:
                str(error).encode()
                refused += 1
                continue
        standing = Standing(30.0)
        standing.answered(found, 0.0)
        standing.take(1.0)
        for one in standing.held:
            _is_sound(one)
        taken += 1
    assert refused and taken


def _is_sound(one: Instance) -> None:
    assert type(one.port) is int and 0 < one.port < 65536
    assert type(one.weight) is int and one.weight >= 0 and type(one.priority) is int
    assert all(text.isprintable() and len(text) <= 1000 for text in (one.address, one.zone, *one.labels))
    assert " " not in one.address and len(one.labels) <= 200


async def test_a_registry_that_is_gone_and_comes_back(told: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    told.impatient(monkeypatch)
    async with following(told.discovery()) as followed:
        await followed.uses(places(1, 2))
        before = dict(followed.standing.first_told)
        await told.stop()
        await followed.uses(places(1, 2), STALE)
        assert followed.standing.stale_since is not None and followed.standing.stale_since <= datetime.now(UTC)
        await told.tell(places(1, 3))
        await told.start()
        await followed.uses(places(1, 3))
        assert followed.standing.first_told[places(1)[0]] == before[places(1)[0]]


async def test_a_registry_that_is_not_there_at_first(told: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    told.impatient(monkeypatch)
    await told.stop()
    async with following(told.discovery()) as followed:
        await until(lambda: followed.standing.failures > 0)
        assert (followed.standing.state, followed.used) == (WAITING, [])
        await told.start()
        await followed.uses(places(1, 2))


async def test_a_slow_registry_holds_up_nobody_else(told: StandIn) -> None:
    other = STAND_INS["consul"]()
    await other.start()
    try:
        await told.misbehave("silence")
        await other.tell(places(7))
        quick = Discovery("urn:x:quick", other.registry(), "users")
        async with following(told.discovery(), quick) as followed:
            await followed.discoveries.answered(0.1)  # gives up waiting
            assert followed.standing.state is WAITING
            standing = followed.discoveries.standing("urn:x:quick")
            assert standing is not None
            for number in range(8, 11):
                await other.tell(places(number))
                await until(lambda number=number: [one.address for one in standing.held] == [f"10.0.0.{number}"])
            assert followed.standing.state is WAITING
            await told.misbehave(None)
            await followed.uses(places(1, 2))
    finally:
        await other.stop()


async def test_a_registry_that_flaps(told: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    told.impatient(monkeypatch)
    seen: set[int] = set()
    async with following(told.discovery()) as followed:
        await followed.uses(places(1, 2))
        for number in range(10):
            await told.misbehave(told.faults[number % len(told.faults)] if number % 2 else None)
            await asyncio.sleep(0.05)
            seen.add(len(followed.used))
        for _ in range(3):
            await told.stop()
            await asyncio.sleep(0.05)
            await told.start()
            await asyncio.sleep(0.05)
            seen.add(len(followed.used))
        await told.misbehave(None)
        await told.tell(places(3))
        await followed.uses(places(3))
        assert seen == {2}
        assert followed.changes == 2


async def test_nobody_is_believed_when_it_is_said_again(told: StandIn) -> None:
    async with following(told.discovery(empty_after=1.0)) as followed:
        await followed.uses(places(1, 2))
        await told.tell([])
        await followed.uses(places(1, 2), DOUBTED)
        await followed.uses([])


async def test_nobody_for_a_moment_is_not_believed(told: StandIn) -> None:
    async with following(told.discovery()) as followed:
        await followed.uses(places(1, 2))
        for _ in range(2):
            await told.tell([])
            await followed.uses(places(1, 2), DOUBTED)
            await told.tell(places(1, 2))
            await followed.uses(places(1, 2))
        assert followed.changes == 1


async def test_as_many_instances_as_there_may_be(told: StandIn) -> None:
    many = places(*range(told.most + 50)) if told.most == 10_000 else places(*range(told.most))
    await told.tell(many)
    async with following(told.discovery()) as followed:
        await until(lambda: len(followed.used) == told.most)
        assert followed.standing.left_out == len(many) - told.most
        await told.tell([*many[1:], *places(200_000)])
        await until(lambda: many[0] not in followed.used)
        assert len(followed.used) == told.most


async def test_a_hundred_changes_a_second(told: StandIn) -> None:
    loop = asyncio.get_running_loop()
    async with following(told.discovery()) as followed:
        await followed.uses(places(1, 2))
        asked, began = told.questions, loop.time()
        for number in range(100):
            await told.tell(places(1000 + number))
            await asyncio.sleep(0.01)
        await followed.uses(places(1099))
        seconds = loop.time() - began
        assert followed.changes <= 4 * seconds + 3
        assert told.questions - asked <= 21 * seconds + 10
