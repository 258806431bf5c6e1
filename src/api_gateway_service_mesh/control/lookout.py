"""A look at regular times, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

__all__ = ["Lookout"]


class Lookout:
    """Calls `look` with the monotonic clock's time, again and again, until it is stopped. One that fails is logged, and
    the next comes all the same.

    Args:
        every: seconds between two looks.
        name: of the task.
        complaint: what the log says of a look that failed.
    """

    def __init__(
        self, look: Callable[[float], None], every: float, name: str, log: logging.Logger, complaint: str
    ) -> None:
        self._look = look
        self._every = every
        self._name = name
        self._log = log
        self._complaint = complaint
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, on the running loop; nothing, if it does already."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                self._look(monotonic())
            except Exception:
                self._log.exception(self._complaint)
