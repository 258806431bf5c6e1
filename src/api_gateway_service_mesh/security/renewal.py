"""One renewal of a session for all who ask for it at once, in whatever worker they are.

Workers agree on a `Board` (`policies.renewal`). What is left there for the others is sealed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from time import monotonic
from typing import Protocol, TypeVar

from api_gateway_service_mesh.model import RenewalClaim

__all__ = ["Board", "renewed_once"]

LOOK_SECONDS = 0.02
"""So often one looks whether another worker is done."""

T = TypeVar("T")


class Board(Protocol):
    """Where it is claimed."""

    def claim(self, key_hash: int, now: float) -> int:
        """A place, for who is to do it, else a `RenewalClaim`."""

    def leave(self, place: int, key_hash: int, now: float, result: bytes) -> None:
        """It is done, with this result."""

    def drop(self, place: int, key_hash: int) -> None:
        """It came to nothing, and may be tried again."""

    def result(self, key_hash: int, now: float) -> bytes | None:
        """What was left."""


async def renewed_once(
    board: Board | None,
    shown: str,
    *,
    meanwhile: Callable[[], T | None],
    renew: Callable[[], Awaitable[tuple[T, str | None]]],
    adopt: Callable[[str], T],
) -> T:
    """What a renewal of the session that was `shown` comes to.

    Args:
        meanwhile: what one goes on with while another worker is at it; None: that one waits for it.
        renew: does it; beside what comes of it, what the others adopt: empty when it cannot be renewed any more, None
            when it may be tried again.
        adopt: what comes of what another worker left; empty when that found it cannot be renewed, or is forgotten.
    """
    if board is None:
        return (await renew())[0]
    key = int.from_bytes(sha256(shown.encode()).digest()[:6], "big")
    while (place := board.claim(key, monotonic())) == RenewalClaim.ELSEWHERE:
        found = meanwhile()
        if found is not None:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    if place == RenewalClaim.RENEWED:
        return adopt((board.result(key, monotonic()) or b"").decode("ascii"))
    left: str | None = None
    try:
        made, left = await renew()
    finally:
        if place != RenewalClaim.ALONE:
            if left is None:
                board.drop(place, key)
            else:
                board.leave(place, key, monotonic(), left.encode("ascii"))
    return made
