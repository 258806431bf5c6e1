"""What an exchange asks of the client's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .answer import AnswerHead

if TYPE_CHECKING:
    from .answering import Answering
    from .tunnel import Tunnel

__all__ = ["Downstream"]


class Downstream(Protocol):
    """The client's side of an exchange: a raw connection, or a request of an aiohttp application."""

    writing_paused: bool

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer. `raw`: the same as it came from the backend, for those who can pass that on."""

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head of an answer whose body follows."""

    def more(self, payload: bytes) -> None:
        """A piece of the body."""

    def end(self) -> None:
        """The body has ended."""

    def cut(self) -> None:
        """The body will never end: let the client see that."""

    def reset(self) -> None:
        """There will be no answer at all: the connection breaks, as it does when whoever answers dies."""

    def interim(self, head: AnswerHead) -> None:
        """A 1xx answer."""

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """101: from now on bytes go through `tunnel`."""

    def pause_body(self) -> None:
        """Read no more of the request's body for now."""

    def resume_body(self) -> None:
        """Read on."""

    def finished(self, exchange: Answering) -> None:
        """The exchange is over, its answer was given whole."""
