"""The last head of a client connection, as it went upstream.

Clients on one connection often send the same header block again, nearly always the same but for a few values, and still
more often the same marks; what was made of them is kept with the connection, in bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.model import Limits

from .forwarded import Peer, around, upstream_fields
from .head import Block, HeadReader, Marks
from .head_pattern import HeadPattern

if TYPE_CHECKING:
    from .core import Generation

__all__ = ["LastHead"]

REMEMBERED_BYTES = 2048
STRANGE_HEADS = 8
"""After so many that did not look like the one before it, no pattern of this connection's heads is made any more."""


class LastHead:
    """See the module. ``fields`` go upstream for ``block``, which ``raw`` stands for when it is not None."""

    __slots__ = (
        "_after", "_before", "_limits", "_marks", "_pattern", "_strange", "_trusted", "block", "fields", "generation",
        "minor", "raw",
    )  # fmt: skip

    block: Block

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.raw: bytes | None = None
        self.fields = b""
        self.minor = 1
        self.generation: Generation | None = None
        self._trusted = False
        self._marks: Marks | None = None
        self._before = self._after = b""
        self._pattern: HeadPattern | None = None
        self._strange = 0
        """How many heads in a row did not look like the one before."""

    def read(
        self, heads: HeadReader, raw: bytes, peer: Peer, generation: Generation, authority: bytes | None, minor: int
    ) -> Block:
        """Judge `raw`; ``fields`` are then what goes upstream.

        Raises:
            HeadError: 400, 417, 431 or 501.
        """
        pattern = self._pattern
        if pattern is not None:
            if minor == self.minor and generation is self.generation and authority is None:
                fields = pattern.read(raw)
                if fields is not None and len(raw) <= self._limits.max_header_bytes:
                    self.fields = fields
                    self._strange = 0
                    self.raw = raw if len(raw) <= REMEMBERED_BYTES else None
                    self.block = Block(
                        pattern.marks, raw, b"", pattern.length, pattern.authorization, pattern.traceless
                    )
                    return self.block
            self._pattern = cast("HeadPattern | None", None)
            self._strange += 1
        block = heads.block(raw, self._limits)
        marks = block.marks
        if not minor or marks.authority is None:
            marks.check_version(minor)
        if generation is not self.generation:
            self.generation = generation
            self._marks = None
            self._trusted = generation.proxies.trusts(peer.address)
        if self._trusted or authority is not None:
            self.fields = upstream_fields(block, peer, self._trusted, authority, minor)
        else:
            if marks is not self._marks or minor != self.minor:
                self._before, self._after = around(marks, peer, {}, None, minor)
                self._marks = marks
            framing = block.framing if marks.sized or marks.chunked else b""
            self.fields = b"%b%b%b%b" % (self._before, block.forward, self._after, framing)
            if self._strange < STRANGE_HEADS and len(raw) <= 2 * REMEMBERED_BYTES:
                pattern = heads.pattern(block)
                if pattern is not None:
                    pattern.finish(self._before, self._after + framing)
                self._pattern = pattern
        self.minor = minor
        if authority is None and len(raw) <= REMEMBERED_BYTES:
            self.raw = raw
            self.block = block
        else:
            self.raw = None
        return block

    def forget(self) -> None:
        """Take no memory while the connection is idle."""
        self.raw = self._marks = self._pattern = None
        self.fields = b""
