"""Who a backend connection works for: an exchange, or the second attempt of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .answer import AnswerHead

if TYPE_CHECKING:
    from .backend_side import BackendSide

__all__ = ["Asker"]


class Asker:
    """What a connection and a pool of connections say to whom they serve."""

    is_head: bool
    """The request is a HEAD: its answer has no body."""

    @property
    def began(self) -> float:
        """When this attempt began; 0.0 when nobody watches attempts."""
        raise NotImplementedError

    @property
    def wants_upgrade(self) -> bool:
        """The client asks for a WebSocket."""
        raise NotImplementedError

    def connected(self, connection: BackendSide) -> None:
        """Here is a connection."""
        raise NotImplementedError

    def connect_failed(self, detail: str) -> None:
        """There will be none."""
        raise NotImplementedError

    def lost(self, connection: BackendSide, detail: str, malformed: bool = False) -> None:
        """The connection broke, or what came on it cannot be understood."""
        raise NotImplementedError

    def answered(self, connection: BackendSide, head: AnswerHead, payload: bytes, raw: bytes) -> None:
        """The whole answer at once."""
        raise NotImplementedError

    def grpc_failed(self, connection: BackendSide, head: AnswerHead, code: int) -> bool:
        """A call of gRPC was answered with nothing but this status; whether it is tried again, the answer dropped."""
        return False

    def answer_begins(self, connection: BackendSide, head: AnswerHead) -> bool:
        """The head of an answer whose body follows; False when this answer is not wanted."""
        raise NotImplementedError

    def answer_body(self, payload: bytes) -> None:
        """A piece of the answer's body."""
        raise NotImplementedError

    def answer_ends(self, connection: BackendSide) -> None:
        """The body ended exactly where it should."""
        raise NotImplementedError

    def trailed(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """Trailers of the answer (names in lower case, and values), which ends now."""
        raise NotImplementedError

    def interim(self, head: AnswerHead) -> None:
        """A 1xx answer other than 101."""
        raise NotImplementedError

    def upgraded(self, connection: BackendSide, head: AnswerHead, rest: bytes) -> None:
        """101 as asked for."""
        raise NotImplementedError

    def upstream_full(self) -> None:
        """The backend takes no more for now."""
        raise NotImplementedError

    def upstream_ready(self) -> None:
        """The backend takes more again."""
        raise NotImplementedError
