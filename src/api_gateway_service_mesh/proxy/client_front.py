"""What stands before the client's side of an exchange and changes some of what goes there: the rest it passes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import AnswerHead

if TYPE_CHECKING:
    from .answering import Answering
    from .client_side import Downstream
    from .tunnel import Tunnel

__all__ = ["ClientFront"]


class ClientFront:
    """Passes on what those below it have no word about; they give the head, the body and its end."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Downstream) -> None:
        self._inner = inner

    @property
    def writing_paused(self) -> bool:
        """The client takes no more for the moment."""
        return self._inner.writing_paused

    @writing_paused.setter
    def writing_paused(self, paused: bool) -> None:
        self._inner.writing_paused = paused

    def cut(self) -> None:
        """End without an end."""
        self._inner.cut()

    def reset(self) -> None:
        """No answer at all."""
        self._inner.reset()

    def interim(self, head: AnswerHead) -> None:
        """1xx."""
        self._inner.interim(head)

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """What goes through a tunnel stays as it is."""
        self._inner.tunnel(head, tunnel)

    def pause_body(self) -> None:
        """Read nothing until told to."""
        self._inner.pause_body()

    def resume_body(self) -> None:
        """Read on."""
        self._inner.resume_body()

    def finished(self, exchange: Answering) -> None:
        """The exchange is over."""
        self._inner.finished(exchange)
