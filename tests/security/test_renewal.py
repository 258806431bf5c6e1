"""Renewals that several workers want at once."""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.renewal import RENEWAL_CELLS, RenewalBoard
from api_gateway_service_mesh.security.renewal import Board, renewed_once


class Provider:
    """Takes its time."""

    def __init__(self, left: str | None = "sealed", *, fails: bool = False) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self.left, self.fails = left, fails

    async def renew(self) -> tuple[str, str | None]:
        self.asked += 1
        await self.go.wait()
        if self.fails:
            raise OSError("away")
        return "renewed", self.left


def asks(board: Board | None, provider: Provider, good: str | None = None) -> asyncio.Task[str]:
    return asyncio.create_task(
        renewed_once(
            board, "cookie", meanwhile=lambda: good, renew=provider.renew, adopt=lambda sealed: f"adopted {sealed}"
        )
    )


@pytest.fixture
def boards() -> tuple[RenewalBoard, RenewalBoard]:
    view = CellStore.local(RENEWAL_CELLS).view
    return RenewalBoard(view, 0), RenewalBoard(view, 0)


async def test_one_asks_and_all_have_it(boards: tuple[RenewalBoard, RenewalBoard]) -> None:
    provider = Provider()
    tasks = [asks(board, provider) for board in boards * 4]
    good = asks(boards[1], provider, "good for a while")
    assert await good == "good for a while"
    provider.go.set()
    assert sorted(await asyncio.gather(*tasks)) == ["adopted sealed"] * 7 + ["renewed"]
    assert await asks(boards[1], provider) == "adopted sealed"
    assert provider.asked == 1


async def test_a_no_is_for_all_and_a_failure_for_one(boards: tuple[RenewalBoard, RenewalBoard]) -> None:
    away, says_no = Provider(fails=True), Provider("")
    first = asks(boards[0], away)
    second = asks(boards[1], says_no)
    for provider in (away, says_no):
        provider.go.set()
    with pytest.raises(OSError, match="away"):
        await first
    assert await second == "renewed"
    assert await asks(boards[0], says_no) == "adopted "
    assert says_no.asked == 1


async def test_what_may_be_tried_again_is_and_without_a_board_each_does_it() -> None:
    board = RenewalBoard(CellStore.local(RENEWAL_CELLS).view, 0)
    provider = Provider(None)
    provider.go.set()
    for _ in range(2):
        assert await asks(board, provider) == "renewed"
        assert await asks(None, provider) == "renewed"
    assert provider.asked == 4


async def test_who_is_cancelled_gives_it_back(boards: tuple[RenewalBoard, RenewalBoard]) -> None:
    never, provider = Provider(), Provider()
    task = asks(boards[0], never)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    provider.go.set()
    assert await asks(boards[1], provider) == "renewed"
