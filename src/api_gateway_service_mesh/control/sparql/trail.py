"""How a query process comes to the revision in force: by what changed since the one it has, else from nothing.

What each change was is kept as long as it is little, so that a process that was busy, or was just started, catches up
without the whole dataset being written out again for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from .answers import Dataset, QueryUnavailable
from .process import ProcessGone, QueryProcess

__all__ = ["Step", "Trail", "Whole"]

_STEPS = 1024
_STEP_BYTES = 16 * 1024 * 1024
_SHARE = 4
"""Once what changed since a whole text was written is a quarter of it, the next who needs one gets a new one."""

_Parts = tuple[bytes, bytes]


@dataclass(slots=True)
class Step:
    """What goes and what comes (N-Quads) from one revision to the next."""

    previous: int
    revision: int
    prefixes: Mapping[str, str]
    _make: Callable[[], _Parts] | None
    parts: _Parts = (b"", b"")

    def made(self) -> Step:
        """This, with its texts there. What they were made of is let go."""
        if self._make is not None:
            self.parts = self._make()
            self._make = None
        return self

    @property
    def is_made(self) -> bool:
        """Whether its texts are there."""
        return self._make is None

    @property
    def size(self) -> int:
        """Of both texts, in bytes."""
        return len(self.parts[0]) + len(self.parts[1])


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a revision, as N-Quads."""

    revision: int
    prefixes: Mapping[str, str]
    runtime: str
    text: bytes


_NOTHING = Whole(-1, {}, "", b"")


class Trail:
    """The datasets in force, one after the other. Lives on one event loop; texts are made in threads."""

    def __init__(self) -> None:
        self._dataset: Dataset | None = None
        self._steps: deque[Step] = deque()
        self._whole = _NOTHING
        self._making = asyncio.Lock()
        self._writing = asyncio.Lock()

    def follow(self, dataset: Dataset) -> None:
        """`dataset` is the one in force."""
        before, self._dataset = self._dataset, dataset
        if dataset.changes is None or before is None or dataset.previous != before.revision:
            self._steps.clear()
            self._whole = _NOTHING
        else:
            self._steps.append(Step(dataset.previous, dataset.revision, dataset.prefixes, dataset.changes))

    async def lead(self, child: QueryProcess, default: Sequence[str]) -> None:
        """Bring a child to the dataset in force, with the merge of the graphs `default` as its default graph.

        Raises:
            ProcessGone: the child died, or cannot be brought there.
            QueryUnavailable: it did not take what it was given.
        """
        steps = await self.since(child.revision)
        if steps is None:
            whole = await self.whole()
            head: dict[str, Any] = {"op": "load", "default": list(default), "prefixes": dict(whole.prefixes)}
            _taken(await child.ask({**head, "runtime": whole.runtime}, whole.text))
            child.revision, child.refreshed = whole.revision, 0.0
            steps = await self.since(whole.revision)
            if steps is None:  # what is in force by now has nothing to do with that
                raise ProcessGone
        for step in steps:
            gone, come = step.parts
            head = {"op": "change", "removed": len(gone), "prefixes": dict(step.prefixes)}
            _taken(await child.ask(head, gone + come))
            child.revision = step.revision

    async def settle(self) -> None:
        """Make the texts of what changed, so that nothing older than what is in force is kept for them."""
        async with self._making:
            # All but the newest were made before: what a change costs must not grow with those that went before it.
            unmade = list(takewhile(lambda step: not step.is_made, reversed(self._steps)))
            for step in reversed(unmade):
                await asyncio.to_thread(step.made)
            size = sum(step.size for step in self._steps)
            while self._steps and (len(self._steps) > _STEPS or size > _STEP_BYTES):
                size -= self._steps.popleft().size

    async def since(self, revision: int) -> list[Step] | None:
        """What leads from a revision to the one in force; None: nothing does."""
        if self._dataset is None or revision == self._dataset.revision:
            return []
        await self.settle()
        found = self._from(revision)
        return [step.made() for step in found] if found is not None else None

    async def whole(self) -> Whole:
        """All of a revision from which `since` leads on. Written once, however many ask."""
        async with self._writing:
            dataset = self._dataset
            assert dataset is not None
            found = self._from(self._whole.revision)
            if found is None or sum(step.size for step in found) * _SHARE > len(self._whole.text):
                text = await asyncio.to_thread(dataset.quads)
                self._whole = Whole(dataset.revision, dataset.prefixes, dataset.runtime, text)
            return self._whole

    def _from(self, revision: int) -> list[Step] | None:
        assert self._dataset is not None
        if revision == self._dataset.revision:
            return []
        found: list[Step] = []
        for step in reversed(self._steps):  # who asks is seldom far behind
            found.append(step)
            if step.previous == revision:
                return found[::-1]
        return None


def _taken(told: tuple[dict[str, Any], bytes]) -> None:
    if told[0]["status"] != "ok":
        raise QueryUnavailable(
            f"a query process could not load the dataset: {told[0].get('message')}", problem="query-resources"
        )
