"""Waiting for the whole body of a request, up to a bound, before anything is forwarded: for gates that look into it.

The pieces stay where they are, and go on as they came: whoever looks gets a copy. A client that waits to be told to go
on (``Expect: 100-continue``) is told so here, as no backend is asked yet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .answer import AnswerHead, AnswerMarks, StatusLine

if TYPE_CHECKING:
    from .exchange import Exchange
    from .pipeline import Gate

__all__ = ["expects_body", "gather", "gathered"]

_CONTINUE: Final = AnswerHead(StatusLine(100, b"Continue"), b"", None, AnswerMarks())
_EXPECT: Final = re.compile(rb"(?im)^expect:[^\r\n]*\r\n")


def expects_body(exchange: Exchange) -> bool:
    """The request has a body, which may turn out to be empty."""
    return exchange.block.length > 0 or exchange.block.marks.chunked or not exchange.body_done or bool(exchange.waiting)


def gather(exchange: Exchange, gate: Gate, most: int) -> bool:
    """Whether no more need be waited for: the body is there, or is over `most` bytes (`gathered` tells). False: the
    gate is asked again when that is so, and answers with WAIT."""
    if exchange.body_done or exchange.block.length > most or exchange.bytes_in > most:
        return True

    def came(exchange: Exchange) -> None:
        if exchange.body_done or exchange.bytes_in > most:
            exchange.gathering = None
            exchange.proceed()

    exchange.waits_at = gate
    exchange.gathering = came
    if exchange.block.marks.expect:
        exchange.fields = _EXPECT.sub(b"", exchange.fields)
        exchange.down.interim(_CONTINUE)
    return False


def gathered(exchange: Exchange, most: int) -> bytes | None:
    """The body that was waited for; None: it is over `most` bytes."""
    if exchange.block.length > most or exchange.bytes_in > most:
        return None
    return b"".join(exchange.waiting)
