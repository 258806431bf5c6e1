"""The chunked coding: what is taken is taken however it is cut, what is broken is refused however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.proxy.chunked import ChunkDecoder, ChunkError, encode_chunk

bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
cuts = st.lists(st.integers(min_value=0, max_value=4000), max_size=12)


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@settings(max_examples=300, deadline=None)
@given(
    bodies,
    cuts,
    st.sampled_from([b"", b";a", b';a="b\\"c";d=e']),
    st.sampled_from([b"", b"X: y\r\n", b"A:\r\nB: c\r\n"]),
)
def test_any_body_cut_anywhere(body: list[bytes], places: list[int], extension: bytes, trailers: bytes) -> None:
    wire = b"".join(b"%X%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in body)
    wire += b"0%b\r\n%b\r\n" % (extension, trailers)
    decoder = ChunkDecoder()
    got = b"".join(decoder.feed(piece) for piece in pieces(wire + b"GET /next", places) if not decoder.done)
    assert got == b"".join(body)
    assert decoder.done
    assert b"GET /next".startswith(decoder.rest)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), cuts)
def test_verdict_and_payload_do_not_depend_on_the_cuts(data: bytes, places: list[int]) -> None:
    def run(parts: list[bytes]) -> tuple[bytes, bool, bool]:
        decoder, got = ChunkDecoder(), b""
        try:
            for part in parts:
                if not decoder.done:
                    got += decoder.feed(part)
        except ChunkError:
            return got, decoder.done, True
        return got, decoder.done, False

    whole, cut = run([data] if data else []), run(pieces(data, places))
    assert whole[1:] == cut[1:] or cut[2]
    if not whole[2] and not cut[2]:
        assert whole[0] == cut[0]


@pytest.mark.parametrize(
    "data",
    [
        b"g\r\n", b"\r\n", b" 1\r\na\r\n", b"1 \r\na\r\n", b"0x1\r\na\r\n", b"+1\r\na\r\n", b"1\na\r\n", b"1\r\nab\r\n",
        b"1\r\na\n", b"1\r\na\rx", b"1;\r\na\r\n", b"1; a\r\na\r\n", b"1;a=\x00\r\na\r\n", b"1;a\rb\r\na\r\n", b"0\r\nx y: z\r\n\r\n",
        b"0\r\n x: y\r\n\r\n", b"0\r\nx: y\n\r\n", b"0\r\nx : y\r\n\r\n", b"1" * 16 + b"\r\n", b"1;" + b"a" * 600,
        b"0\r\n" + b"X: y\r\n" * 2000, b"".join(b"1;%b\r\na\r\n" % (b"e" * 400) for _ in range(50)),
    ],
)  # fmt: skip
def test_broken(data: bytes) -> None:
    with pytest.raises(ChunkError):
        ChunkDecoder().feed(data)


def test_encoding_is_what_the_decoder_takes() -> None:
    decoder = ChunkDecoder()
    assert decoder.feed(encode_chunk(b"abc") + b"0\r\n\r\n") == b"abc"
    assert decoder.done
