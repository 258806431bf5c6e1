"""The codings that bodies can be given: gzip always, brotli and zstd when their libraries are installed.

Each stream takes a window of bounded size (32 KiB of gzip, 256 KiB of brotli, 512 KiB of zstd), so that many at once
are no burden, and work is done piece by piece: a piece is what was read at once, 256 KiB at most.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from api_gateway_service_mesh.model import CompressionEffort

brotli: Any = None
zstd: Any = None
try:
    import brotli as _brotli

    brotli = _brotli
except ImportError:  # the extra is not installed
    pass
try:
    from compression import zstd as _zstd  # Python 3.14

    zstd = _zstd
except ImportError:
    try:
        from backports import zstd as _backported

        zstd = _backported
    except ImportError:  # the extra is not installed
        pass

__all__ = ["INSTALLED", "Coder", "coder"]

INSTALLED: Final = frozenset(
    name for name, there in (("zstd", zstd is not None), ("br", brotli is not None), ("gzip", True)) if there
)
"""The codings that can be given here."""

_LEVELS: Final[dict[str, dict[CompressionEffort, int]]] = {
    "gzip": {CompressionEffort.FAST: 1, CompressionEffort.BALANCED: 5, CompressionEffort.SMALL: 9},
    "br": {CompressionEffort.FAST: 1, CompressionEffort.BALANCED: 4, CompressionEffort.SMALL: 6},
    "zstd": {CompressionEffort.FAST: 1, CompressionEffort.BALANCED: 3, CompressionEffort.SMALL: 9},
}
_GZIP: Final = 16 + zlib.MAX_WBITS
_BROTLI_WINDOW: Final = 18
_ZSTD_WINDOW: Final = 19


class Coder:
    """Compresses one body."""

    __slots__ = ()

    def add(self, data: bytes) -> bytes:
        """What can be sent after `data`; the rest is kept for more."""
        raise NotImplementedError

    def flush(self) -> bytes:
        """What was kept, so that the other side can read all that was added."""
        raise NotImplementedError

    def finish(self) -> bytes:
        """The end of the body."""
        raise NotImplementedError


class _Gzip(Coder):
    __slots__ = ("_inner",)

    def __init__(self, level: int) -> None:
        self._inner: Any = zlib.compressobj(level, zlib.DEFLATED, _GZIP)

    def add(self, data: bytes) -> bytes:
        made: bytes = self._inner.compress(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._inner.flush(zlib.Z_SYNC_FLUSH)
        return made

    def finish(self) -> bytes:
        made: bytes = self._inner.flush()
        return made


class _Brotli(Coder):
    __slots__ = ("_inner",)

    def __init__(self, level: int) -> None:
        self._inner: Any = brotli.Compressor(quality=level, lgwin=_BROTLI_WINDOW)

    def add(self, data: bytes) -> bytes:
        made: bytes = self._inner.process(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._inner.flush()
        return made

    def finish(self) -> bytes:
        made: bytes = self._inner.finish()
        return made


class _Zstd(Coder):
    __slots__ = ("_inner",)

    def __init__(self, level: int) -> None:
        chosen = zstd.CompressionParameter
        self._inner: Any = zstd.ZstdCompressor(
            options={chosen.compression_level: level, chosen.window_log: _ZSTD_WINDOW}
        )

    def add(self, data: bytes) -> bytes:
        made: bytes = self._inner.compress(data)
        return made

    def flush(self) -> bytes:
        made: bytes = self._inner.flush(self._inner.FLUSH_BLOCK)
        return made

    def finish(self) -> bytes:
        made: bytes = self._inner.flush(self._inner.FLUSH_FRAME)
        return made


def coder(coding: str, effort: CompressionEffort) -> Coder:
    """A coder for one body; `coding` is one of `INSTALLED`."""
    level = _LEVELS[coding][effort]
    if coding == "gzip":
        return _Gzip(level)
    return _Brotli(level) if coding == "br" else _Zstd(level)
