"""Keys that must not check anything, and those that may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api_gateway_service_mesh.model import JwtAlgorithm
from api_gateway_service_mesh.security.json_text import MAX_DEPTH, read_object
from api_gateway_service_mesh.security.jwk import MAX_JWKS_BYTES, read_jwks
from tests.support.tokens import b64, signer

RS, ES, ED = signer("RS256", "rsa"), signer("ES256", "ec"), signer("EdDSA", "ed")
P = 2**255 - 19


def document(*members: Any, **more: Any) -> bytes:
    return json.dumps({"keys": list(members), **more}).encode()


def point(y: int) -> dict[str, Any]:
    return ED.jwk(x=b64(y.to_bytes(32, "little")).decode())


REFUSED: dict[str, Any] = {
    "a shared secret": {"kty": "oct", "k": b64(b"x" * 32).decode(), "alg": "HS256"},
    "no kty": RS.jwk(kty=None),
    "an unknown kty": RS.jwk(kty="XYZ"),
    "RSA of 1024 bits": signer("RS256", "weak", 1024).jwk(),
    "RSA of 16384 bits": RS.jwk(n=b64(b"\xff" * 2048).decode()),
    "RSA with exponent 3": signer("RS256", "three", 2048, 3).jwk(),
    "RSA with exponent 1": RS.jwk(e=b64(b"\1").decode()),
    "RSA without modulus": RS.jwk(n=None),
    "RSA, modulus a number": RS.jwk(n=5),
    "RSA, modulus padded": RS.jwk(n=RS.jwk()["n"] + "=="),
    "a private key": RS.jwk(d=b64(b"x" * 256).decode()),
    "for encryption": RS.jwk(use="enc"),
    "key_ops sign": RS.jwk(key_ops=["sign"]),
    "key_ops a text": RS.jwk(key_ops="verify"),
    "alg of another kind": RS.jwk(alg="ES256"),
    "alg HS256": RS.jwk(alg="HS256"),
    "alg none": RS.jwk(alg="none"),
    "alg a list": RS.jwk(alg=["RS256"]),
    "alg of encryption": RS.jwk(alg="RSA-OAEP"),
    "kid a number": RS.jwk(kid=7),
    "kid empty": RS.jwk(kid=""),
    "EC on secp256k1": ES.jwk(crv="secp256k1"),
    "EC on an unknown curve": ES.jwk(crv="P-1"),
    "EC off its curve": ES.jwk(y=b64(b"\7" * 32).decode()),
    "EC at zero": ES.jwk(x=b64(bytes(32)).decode(), y=b64(bytes(32)).decode()),
    "EC of P-256 said to be P-384": ES.jwk(crv="P-384", alg="ES384"),
    "EC without y": ES.jwk(y=None),
    "X25519": ED.jwk(crv="X25519"),
    "Ed448": ED.jwk(crv="Ed448"),
    "Ed25519 too short": ED.jwk(x=b64(b"x" * 31).decode()),
    "Ed25519 of order 1": point(1),
    "Ed25519 of order 2": point(P - 1),
    "Ed25519 of order 4": point(0),
    "Ed25519 of order 4, the other sign": point(2**255),
    "Ed25519 of order 8": point(2707385501144840649318225287225658788936804267575313519463743609750303402022),
    "Ed25519 of order 8, the other": point(
        55188659117513257062467267217118295137698188065244968500265048394206261417927
    ),
    "Ed25519 not canonical": point(P + 1),
    "no object": "rsa",
    "null": None,
    "a list": [],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_weak_or_unfit_key_is_left_out_and_said_why(name: str) -> None:
    ring = read_jwks(document(REFUSED[name], ES.jwk(kid="good")))
    assert [key.kid for key in ring.keys] == ["good"]
    assert len(ring.left_out) == 1
    assert ring.left_out[0].startswith("key 1: ")
    with pytest.raises(ValueError, match="no usable key"):
        read_jwks(document(REFUSED[name]))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b"\xef\xbb\xbf" + document(RS.jwk()),
        document(RS.jwk()).decode().encode("utf-16"),
        document(RS.jwk(), pad="x" * MAX_JWKS_BYTES),
        document(*[RS.jwk(n="AQAB", e="AQAB")] * 101),
        b"<html>",
    ],
    ids=range(12),
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"it|a name"):
        read_jwks(text)


def test_a_key_is_good_for_what_it_says_and_is() -> None:
    ring = read_jwks(document(RS.jwk(), RS.jwk(kid="any", alg=None), ES.jwk(alg=None), ED.jwk(key_ops=["verify"])))
    can = {key.kid: {algorithm.value for algorithm in key.algorithms} for key in ring.keys}
    assert can == {
        "rsa": {"RS256"},
        "any": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
        "ec": {"ES256"},
        "ed": {"EdDSA"},
    }
    assert len(ring.candidates("any", JwtAlgorithm.PS512)) == 1
    assert ring.candidates(None, JwtAlgorithm.RS256) == ()
    assert ring.knows("ec") and not ring.knows("nobody")


def test_a_key_prints_nothing_of_itself() -> None:
    ring = read_jwks(document(RS.jwk()))
    assert RS.jwk()["n"] not in repr(ring)


def test_json_is_bounded_before_it_is_read() -> None:
    assert read_object(b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}")
    for text in (b"[" * 100_000, b'{"a":' * 100_000, b'{"a": "\\ud83d"}', b'{"a": 1e999, "b": Infinity}'):
        with pytest.raises(ValueError, match=r"it|a name"):
            read_object(text)
    assert read_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}
