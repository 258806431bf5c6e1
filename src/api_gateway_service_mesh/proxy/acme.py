"""ACME's questions as a stage of the one route that answers them (RFC 8555 §8.3).

The control process writes an answer as a file named by its token; whichever worker is asked reads it there. Questions
are few, so nothing is kept in memory; a token is a short word of base64url, so it leads nowhere else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from .problem import Direct, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["acme_gates"]

_TOKEN = re.compile(rb"/\.well-known/acme-challenge/([A-Za-z0-9_-]{1,128})(?:\?.*)?")
_ANSWER_BYTES = 512


def acme_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of the route that answers ACME's questions."""
    challenge = handler.route.challenge
    if challenge is None:
        return []
    folders = tuple(Path(folder) / ".challenges" for folder in challenge.folders)
    unknown = Refusal(404, "no-route", "no such question is open")

    def give(exchange: Exchange) -> Refusal | None:
        token = _TOKEN.fullmatch(exchange.target_bytes)
        if token is None:
            return unknown
        name = token.group(1).decode("ascii")
        for folder in folders:
            try:
                with (folder / name).open("rb") as stream:
                    answer = stream.read(_ANSWER_BYTES)
            except OSError:
                continue
            return Direct(200, "acme-challenge", "", b"", None, body=answer, content_type=b"application/octet-stream")
        return unknown

    return [give]
