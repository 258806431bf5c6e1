"""The codings, told apart by what others make of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zlib

import pytest

from api_gateway_service_mesh.model import CODINGS, CompressionEffort
from api_gateway_service_mesh.proxy.coding import INSTALLED, Coder, coder

brotli = pytest.importorskip("brotli")
zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

TEXT = b"".join(b'{"id": %d, "name": "thing %d"}\n' % (number, number * 7) for number in range(5000))


def plain(coding: str, data: bytes) -> bytes:
    """What a client makes of so much of a body."""
    if coding == "gzip":
        return zlib.decompressobj(31).decompress(data)
    if coding == "br":
        reader = brotli.Decompressor()
        pieces = [reader.process(data)]
        while pieces[-1]:  # so much at once
            pieces.append(reader.process(b""))
        return b"".join(pieces)
    read: bytes = zstd.ZstdDecompressor().decompress(data)
    return read


def test_all_are_installed_here() -> None:
    assert set(CODINGS) == INSTALLED


@pytest.mark.parametrize("effort", CompressionEffort)
@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_in_pieces(coding: str, effort: CompressionEffort) -> None:
    made: Coder = coder(coding, effort)
    half = len(TEXT) // 2
    sent = made.add(TEXT[:half]) + made.flush()
    assert plain(coding, sent) == TEXT[:half]  # all that was added is there, before the end
    sent += made.add(TEXT[half:]) + made.finish()
    assert plain(coding, sent) == TEXT
    assert len(sent) < len(TEXT) / 4


@pytest.mark.parametrize("coding", CODINGS)
def test_an_empty_body(coding: str) -> None:
    assert plain(coding, coder(coding, CompressionEffort.FAST).finish()) == b""


@pytest.mark.parametrize(("coding", "program"), [("gzip", "gzip"), ("br", "brotli"), ("zstd", "zstd")])
def test_programs_read_it(coding: str, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    made = coder(coding, CompressionEffort.BALANCED)
    data = made.add(TEXT) + made.finish()
    assert subprocess.run([program, "-dc"], input=data, capture_output=True, check=True).stdout == TEXT
