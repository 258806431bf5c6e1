"""Which coding a client gets, and of which answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import CODINGS, Compression, CompressionEffort
from api_gateway_service_mesh.routing import ExplainRequest
from api_gateway_service_mesh.routing.compression import choose_coding, compression_part, type_test
from tests.support.gateway import route


@pytest.mark.parametrize(
    ("accepts", "chosen"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0.8,gzip;q=0.8", "br"),
        ("gzip ; q=0.001", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, *;q=0.1", "zstd"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("deflate, compress", None),
        ("identity;q=0.9, gzip;q=0.8", None),
        ("identity;q=0.8, gzip;q=0.8", "gzip"),
        ("identity;q=0", None),
        ("gzip;q=2", None),
        ("gzip;q=0.1234", None),
        ("gzip;q", None),
        ("gz ip", None),
        (",, gzip ,", "gzip"),
        ("gzip;q=0, gzip", None),
    ],
)
def test_the_coding_that_a_client_likes_most(accepts: str | None, chosen: str | None) -> None:
    assert choose_coding(accepts, CODINGS) == chosen


@given(st.dictionaries(st.sampled_from([*CODINGS, "identity", "*", "deflate"]), st.integers(0, 1000)))
def test_nobody_gets_what_they_refuse_or_like_less(weights: dict[str, int]) -> None:
    chosen = choose_coding(", ".join(f"{name};q={weight / 1000:.3f}" for name, weight in weights.items()), CODINGS)
    liked = {coding: weights.get(coding, weights.get("*", 0)) for coding in CODINGS}
    if chosen is None:
        assert max(liked.values()) == 0 or weights.get("identity", 0) > max(liked.values())
    else:
        assert liked[chosen] == max(liked.values()) > 0


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("text/html; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/problem+json", True),
        ("application/+json", False),
        ("application/jsonp", False),
        ("text/event-stream", False),
        ("text/event-stream;charset=utf-8", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_types(kind: str, fits: bool) -> None:
    assert type_test(Compression("").types)(kind) is fits


def test_grpc_is_never_compressed_here() -> None:
    assert not type_test(("application/*",))("application/grpc-web+proto")
    assert type_test(("application/*",))("application/x")


def test_explain_says_what_a_client_gets() -> None:
    policy = Compression("urn:c", ("br", "gzip"), ("text/html",), 10, CompressionEffort.SMALL)
    request = ExplainRequest("GET", "a.example", "/", headers={"Accept-Encoding": "gzip, zstd"})
    part = compression_part(route("/x", compression=policy), policy, request)
    assert part.text == "br, gzip for answers of 10 bytes and more, of text/html; this client gets gzip"
    assert [citation.object for citation in part.citations] == ["urn:c", "br", "gzip", "text/html", "10", "SMALL"]
    plain = compression_part(route("/x", compression=policy), Compression("urn:d"), None)
    assert plain.text == "zstd, br, gzip for answers of 1024 bytes and more"
    none = ExplainRequest("GET", "a.example", "/", headers={"accept-encoding": "identity"})
    assert compression_part(route("/x"), policy, none).text.endswith("this client gets them as they are")
