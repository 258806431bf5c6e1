"""A look at regular times goes on after one that failed, and stops when it is told to."""

from __future__ import annotations

import asyncio
import logging

import pytest

from api_gateway_service_mesh.control.lookout import Lookout

pytestmark = pytest.mark.asyncio


async def test_a_look_that_fails_is_told_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[float] = []
    enough = asyncio.Event()

    def look(now: float) -> None:
        seen.append(now)
        if len(seen) == 1:
            raise ValueError("dust on the glass")
        if len(seen) == 4:
            enough.set()

    lookout = Lookout(look, 0.001, "glass", logging.getLogger("agw.glass"), "nothing can be seen")
    lookout.start()
    lookout.start()
    assert sum(task.get_name() == "glass" for task in asyncio.all_tasks()) == 1
    async with asyncio.timeout(20):
        await enough.wait()
    await lookout.stop()
    looked = len(seen)
    await asyncio.sleep(0.02)
    assert len(seen) == looked and seen == sorted(seen)
    assert [record.getMessage() for record in caplog.records if record.name == "agw.glass"] == ["nothing can be seen"]
    assert "dust on the glass" in caplog.text


async def test_it_can_be_stopped_before_it_began() -> None:
    await Lookout(lambda now: None, 1.0, "idle", logging.getLogger("agw.glass"), "").stop()
