"""The client's side of requests of the gateway's own: copies, and what is fetched anew behind a stale answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import AnswerHead

if TYPE_CHECKING:
    from .answering import Answering
    from .tunnel import Tunnel

__all__ = ["Nobody"]


class Nobody:
    """The client's side of a request that nobody waits for."""

    writing_paused = False

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """Dropped."""

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """Dropped."""

    def more(self, payload: bytes) -> None:
        """Dropped."""

    def end(self) -> None:
        """Nothing to end."""

    def cut(self) -> None:
        """Nothing to cut."""

    def reset(self) -> None:
        """Nothing to reset."""

    def interim(self, head: AnswerHead) -> None:
        """Dropped."""

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """Never: what asks for one is asked by a client."""

    def pause_body(self) -> None:
        """The body is there in whole, if there is one."""

    def resume_body(self) -> None:
        """The body is there in whole, if there is one."""

    def finished(self, exchange: Answering) -> None:
        """Nobody waits for it."""
