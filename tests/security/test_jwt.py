"""Tokens that must not get in, by attack class, and those that must. The classes are those of RFC 8725, of Wycheproof's
JSON web crypto vectors and of the advisories on JWT libraries; every token is made here, byte by byte."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from api_gateway_service_mesh.model import JwtAlgorithm, JwtAuthentication
from api_gateway_service_mesh.security.identity import Denial, Denied, Identity
from api_gateway_service_mesh.security.jwk import KeyRing, read_jwks
from api_gateway_service_mesh.security.jwt import REMEMBERED, JwtVerifier
from api_gateway_service_mesh.security.token import MAX_TOKEN_BYTES, TokenError, read_token
from tests.support.tokens import ISSUER, NOW, b64, claims, compact, signer

RS, ES, ED = signer("RS256", "rsa"), signer("ES256", "ec"), signer("EdDSA", "ed")
STRANGER = signer("RS256", "stranger")
ALL = tuple(JwtAlgorithm)


class Keys:
    """A key source that has what it has."""

    def __init__(self, *members: dict[str, Any]) -> None:
        self.revision = 1
        self.ring: KeyRing | None = read_jwks(json.dumps({"keys": list(members)}).encode())

    def keys(self) -> KeyRing | None:
        return self.ring


def config(**more: Any) -> JwtAuthentication:
    return JwtAuthentication("urn:jwt", ISSUER, ("shop", "store"), "", **{"algorithms": ALL, **more})


def verifier(source: Keys | None = None, now: float = NOW, **more: Any) -> JwtVerifier:
    keys = source or Keys(RS.jwk(), ES.jwk(), ED.jwk())
    return JwtVerifier(config(**more), keys, lambda: now)  # type: ignore[arg-type]


def verdict(raw: bytes, judge: JwtVerifier | None = None) -> Identity | Denied:
    try:
        return (judge or verifier()).judge(read_token(raw), b"digest")
    except TokenError as error:
        return Denied(Denial.INVALID, str(error))


def parts(header: Any, payload: Any = None, sign: Callable[[bytes], bytes] = RS.sign) -> bytes:
    return compact(header, claims() if payload is None else payload, sign)


def hs(key: bytes, name: str = "sha256") -> Callable[[bytes], bytes]:
    return lambda data: hmac.new(key, data, name).digest()


PEM = RS.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = RS.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
JWK_TEXT = json.dumps(RS.jwk()).encode()
HEAD = {"alg": "RS256", "kid": "rsa"}
GOOD = RS.token()
H, P, S = GOOD.split(b".")


def _raw_payload(text: str | bytes) -> bytes:
    return parts(HEAD, text if isinstance(text, bytes) else text.encode())


def _raw_header(text: str | bytes) -> bytes:
    return parts(text if isinstance(text, bytes) else text.encode())


def _claims(**more: Any) -> bytes:
    return RS.token(claims(**more))


def _payload_with(pair: str) -> str:
    return json.dumps(claims())[:-1] + ", " + pair + "}"


def _last_bits(part: bytes) -> bytes:
    """The same bytes in another spelling: the bits that count for nothing set."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4 in (2, 3)
    return part[:-1] + bytes([alphabet[alphabet.index(part[-1]) | 1]])


def _es_zero(size: int = 64) -> bytes:
    return compact({"alg": "ES256", "kid": "ec"}, claims(), lambda _: bytes(size))


def _es(change: Callable[[bytes], bytes]) -> bytes:
    return compact({"alg": "ES256", "kid": "ec"}, claims(), lambda data: change(ES.sign(data)))


_P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

FORGED: dict[str, bytes] = {
    # no signature at all
    **{f"alg {name!r}": compact({"alg": name}, claims(), lambda _: b"x") for name in
       ("none", "None", "NONE", "nOnE", "none ", "\u0000none", "", "null", "false")},
    "none, empty signature": b64(b'{"alg":"none"}') + b"." + P + b".",
    "none, no dot": b64(b'{"alg":"none"}') + b"." + P,
    "none with the kid of a key": parts({"alg": "none", "kid": "rsa"}),
    "signature taken off": H + b"." + P + b".",
    "signature and dot taken off": H + b"." + P,
    "alg is null": parts({"alg": None, "kid": "rsa"}),
    "alg is a number": parts({"alg": 256, "kid": "rsa"}),
    "alg is a list": parts({"alg": ["RS256"], "kid": "rsa"}),
    "alg is an object": parts({"alg": {"RS256": 1}, "kid": "rsa"}),
    "alg is missing": parts({"kid": "rsa", "typ": "JWT"}),
    "alg in lower case": parts({"alg": "rs256", "kid": "rsa"}),
    "alg with a space": parts({"alg": "RS256 ", "kid": "rsa"}),
    "an unknown alg": parts({"alg": "RS1", "kid": "rsa"}),
    "ES256K": parts({"alg": "ES256K", "kid": "ec"}),
    # key confusion: the public key as a shared secret
    **{f"HS{bits} with the public key as {what}": parts({"alg": f"HS{bits}", "kid": "rsa"}, sign=hs(key, f"sha{bits}"))
       for bits in (256, 384, 512)
       for what, key in {"PEM": PEM, "PEM without end": PEM.rstrip(), "DER": DER, "JWK": JWK_TEXT, "kid": b"rsa",
                         "modulus": RS.jwk()["n"].encode(), "nothing": b""}.items()},
    "HS256 without a kid": parts({"alg": "HS256"}, sign=hs(PEM)),
    "HMAC under the name RS256": parts(HEAD, sign=hs(PEM)),
    "HMAC under the name ES256": parts({"alg": "ES256", "kid": "ec"}, sign=hs(PEM, "sha512")),
    # algorithm and key that do not fit
    "ES256 naming the RSA key": parts({"alg": "ES256", "kid": "rsa"}, sign=ES.sign),
    "RS256 naming the EC key": parts({"alg": "RS256", "kid": "ec"}),
    "EdDSA naming the RSA key": parts({"alg": "EdDSA", "kid": "rsa"}, sign=ED.sign),
    "RS512 under a key for RS256": parts({"alg": "RS512", "kid": "rsa"}),
    "PS256 under a key for RS256": parts({"alg": "PS256", "kid": "rsa"}),
    "ES384 under a P-256 key": parts({"alg": "ES384", "kid": "ec"}, sign=ES.sign),
    "RS256 said, PSS made": parts(HEAD, sign=lambda data: RS.private.sign(
        data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())),
    "RS256 said, SHA-1 made": parts(HEAD, sign=lambda data: RS.private.sign(data, padding.PKCS1v15(), hashes.SHA1())),
    # somebody else's signature
    "a stranger's key under our kid": parts(HEAD, sign=STRANGER.sign),
    "a stranger's key under its kid": STRANGER.token(),
    "a stranger's key without kid": STRANGER.token(kid=None),
    "payload changed": H + b"." + b64(json.dumps(claims(sub="root")).encode()) + b"." + S,
    "header changed": b64(json.dumps({"alg": "RS256", "kid": "rsa", "x": 1}).encode()) + b"." + P + b"." + S,
    "payload of one, signature of another": H + b"." + P + b"." + RS.token(claims(sub="bob")).split(b".")[2],
    "first bit of the signature": H + b"." + P + b"." + b64(bytes([base64.urlsafe_b64decode(S + b"==")[0] ^ 128]) +
                                                        base64.urlsafe_b64decode(S + b"==")[1:]),
    "signature cut": H + b"." + P + b"." + S[:-8],
    "signature with bytes before": H + b"." + P + b"." + b64(b"\0\0\0" + base64.urlsafe_b64decode(S + b"==")),
    "signature with bytes behind": H + b"." + P + b"." + b64(base64.urlsafe_b64decode(S + b"==") + b"\0"),
    "signature of nothing": parts(HEAD, sign=lambda _: RS.sign(b"")),
    "signature of the payload alone": parts(HEAD, sign=lambda data: RS.sign(data.split(b".")[1])),
    # ECDSA
    "r and s zero (CVE-2022-21449)": _es_zero(),
    "r and s zero, short": _es_zero(2),
    "ECDSA in DER": parts({"alg": "ES256", "kid": "ec"}, sign=lambda data: ES.private.sign(
        data, __import__("cryptography.hazmat.primitives.asymmetric.ec", fromlist=["ECDSA"]).ECDSA(hashes.SHA256()))),
    "ECDSA with r + n": _es(lambda sig: ((int.from_bytes(sig[:32], "big") + _P256_N) % 2**256).to_bytes(32, "big") + sig[32:]),
    "ECDSA with r zero": _es(lambda sig: bytes(32) + sig[32:]),
    "ECDSA with s zero": _es(lambda sig: sig[:32] + bytes(32)),
    "ECDSA with s = n": _es(lambda sig: sig[:32] + _P256_N.to_bytes(32, "big")),
    "ECDSA cut": _es(lambda sig: sig[:-1]),
    "ECDSA with zeros before": _es(lambda sig: b"\0" + sig[:32] + b"\0" + sig[32:]),
    "ECDSA halves swapped": _es(lambda sig: sig[32:] + sig[:32]),
    "ECDSA empty halves": _es(lambda sig: b""),
    "EdDSA cut": parts({"alg": "EdDSA", "kid": "ed"}, sign=lambda data: ED.sign(data)[:-1]),
    "EdDSA of zeros": parts({"alg": "EdDSA", "kid": "ed"}, sign=lambda data: bytes(64)),
    # what a header asks for
    **{f"header has {name}": parts({**HEAD, name: value}) for name, value in {
        "crit": ["exp"], "b64": False, "zip": "DEF", "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x",
        "x5c": ["MIIB"], "jwk": STRANGER.jwk(), "enc": "A256GCM"}.items()},
    "crit that is empty": parts({**HEAD, "crit": []}),
    "crit that names what is known": parts({**HEAD, "crit": ["alg"]}),
    "crit that names b64": parts({**HEAD, "crit": ["b64"], "b64": True}),
    "crit that is null": parts({**HEAD, "crit": None}),
    "b64 true": parts({**HEAD, "b64": True}),
    "own key brought along": parts({"alg": "RS256", "jwk": STRANGER.jwk()}, sign=STRANGER.sign),
    # kid
    **{f"kid {name}": parts({"alg": "RS256", "kid": kid}) for name, kid in {
        "of a path": "../../../../dev/null", "of SQL": "rsa' UNION SELECT 'x", "of a command": "rsa|id", "empty": "",
        "with NUL": "rsa\0", "with a space": "rsa ", "in upper case": "RSA", "too long": "r" * 257, "of an URL":
        "https://evil.example/k", "a number": 0, "null": None, "a list": ["rsa"], "an object": {"rsa": 1}, "true": True,
    }.items()},
    "no kid where two keys could be meant": b"",  # made in a test of its own
    # kinds of tokens that are not ours
    **{f"typ {typ}": parts({**HEAD, "typ": typ}) for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "", 5, None, ["JWT"])},
    # the form
    "five parts": GOOD + b".AA.AA",
    "four parts": GOOD + b".AA",
    "two dots only": b"..",
    "nothing": b"",
    "a dot before": b"." + GOOD,
    "a space before": b" " + GOOD,
    "a line end behind": GOOD + b"\n",
    "a NUL behind": GOOD + b"\0",
    "a comma and another": GOOD + b"," + GOOD,
    "padding on the signature": GOOD + b"=",
    "padding on the header": H + b"=." + P + b"." + S,
    "padding in two": GOOD + b"==",
    "standard base64": GOOD.replace(b"-", b"+").replace(b"_", b"/") + (b"" if b"-" in GOOD or b"_" in GOOD else b"+"),
    "a line end within": H + b"." + P[:10] + b"\n" + P[10:] + b"." + S,
    "a space within": H + b"." + P + b". " + S,
    "percent-encoded": H + b"%2E" + P + b"." + S,
    "a letter too many": H + b"." + P + b"." + S + b"AAA",
    "bits that count for nothing": H + b"." + P + b"." + _last_bits(S),
    "characters beyond ASCII": H + b"." + P + b"." + S + "é".encode(),
    "longer than the limit": _claims(pad="x" * MAX_TOKEN_BYTES),
    "JSON serialization": json.dumps({"payload": P.decode(), "protected": H.decode(), "signature": S.decode()}).encode(),
    # JSON
    "claim twice": _raw_payload(_payload_with('"sub": "root"')),
    "exp twice": _raw_payload(_payload_with('"exp": 9999999999')),
    "claim twice, escaped": _raw_payload(_payload_with('"s\\u0075b": "root"')),
    "claim twice, deep": _raw_payload(_payload_with('"x": {"a": 1, "a": 2}')),
    "alg twice": _raw_header('{"alg": "none", "alg": "RS256", "kid": "rsa"}'),
    "kid twice": _raw_header('{"alg": "RS256", "kid": "x", "kid": "rsa"}'),
    "payload with BOM": _raw_payload(b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
    "header with BOM": _raw_header(b"\xef\xbb\xbf" + json.dumps(HEAD).encode()),
    **{f"payload in {coding}": _raw_payload(json.dumps(claims()).encode(coding)) for coding in
       ("utf-16", "utf-16-le", "utf-16-be", "utf-32")},
    **{f"header in {coding}": _raw_header(json.dumps(HEAD).encode(coding)) for coding in ("utf-16", "utf-16-le", "utf-32")},
    "payload in Latin-1": _raw_payload(json.dumps(claims(name="é"), ensure_ascii=False).encode("latin-1")),
    "overlong UTF-8": _raw_payload(json.dumps(claims()).encode().replace(b"alice", b"\xc0\xaf")),
    "half a character": _raw_payload(_payload_with('"x": "\\ud800"')),
    "NaN": _raw_payload(_payload_with('"x": NaN')),
    "Infinity": _raw_payload(_payload_with('"x": -Infinity')),
    "a comma too many": _raw_payload(json.dumps(claims())[:-1] + ",}"),
    "single quotes": _raw_payload(json.dumps(claims()).replace('"', "'")),
    "a comment": _raw_payload(json.dumps(claims()) + "//"),
    "more behind": _raw_payload(json.dumps(claims()) + "{}"),
    "a control character": _raw_payload(_payload_with('"x": "\x01"')),
    **{f"payload is {name}": _raw_payload(text) for name, text in {
        "a list": "[]", "a text": '"x"', "a number": "1", "null": "null", "nothing": " ", "cut": "{"}.items()},
    **{f"header is {name}": _raw_header(text) for name, text in {
        "a list": "[]", "a text": '"RS256"', "null": "null", "cut": "{"}.items()},
    **{f"{depth} deep {kind}": _raw_payload(_payload_with(f'"x": {opening * depth}{closing * depth}')) for depth in (10, 500)
       for kind, opening, closing in (("lists", "[", "]"),)},
    "2,900 deep": _raw_payload('{"x":' + "[" * 2900 + "]" * 2900 + "}"),
    "deep objects": _raw_payload(_payload_with('"x": ' + '{"a":' * 20 + "1" + "}" * 20)),
    "deep and never closed": _raw_payload('{"x":' + "[" * 5000),
    "a number of 5,000 digits": _raw_payload(_payload_with('"x": ' + "9" * 5000)),
    # claims
    **{f"no {name}": _claims(**{name: None}) for name in ("iss", "aud", "exp")},
    **{f"exp is {name}": _claims(exp=value) for name, value in {
        "a text": str(int(NOW) + 300), "true": True, "a list": [int(NOW) + 300], "over": int(NOW) - 31, "just over":
        int(NOW) - 30, "zero": 0, "negative": -1, "an object": {}, "in milliseconds": int(NOW) * 1000 + 1, "empty": ""}.items()},
    "exp is null": _raw_payload(json.dumps({**claims(), "exp": None})),
    "exp is 1e400": _raw_payload(json.dumps(claims(exp=None))[:-1] + ', "exp": 1e400}'),
    "exp is huge": _raw_payload(json.dumps(claims(exp=None))[:-1] + ', "exp": ' + "9" * 400 + "}"),
    "exp is a fraction that is over": _claims(exp=NOW - 30.5),
    **{f"nbf is {name}": _claims(nbf=value) for name, value in {
        "ahead": int(NOW) + 31, "a text": "0", "true": True, "a list": [0], "an object": {}}.items()},
    "nbf is null": _raw_payload(json.dumps({**claims(), "nbf": None})),
    **{f"iat is {name}": _claims(iat=value) for name, value in {"ahead": int(NOW) + 31, "a text": "1", "true": True}.items()},
    **{f"iss is {name}": _claims(iss=value) for name, value in {
        "another": "https://evil.example/", "longer": ISSUER + "x", "shorter": ISSUER[:-1], "in upper case": ISSUER.upper(),
        "a list": [ISSUER], "a number": 1, "an object": {"iss": ISSUER}, "empty": "", "true": True}.items()},
    **{f"aud is {name}": _claims(aud=value) for name, value in {
        "another": "bank", "part of ours": "sho", "longer": "shopping", "empty": "", "an empty list": [], "others": ["a", "b"],
        "a number": 1, "an object": {"shop": 1}, "a list with a number": ["shop", 1], "a list in a list": [["shop"]],
        "true": True, "in upper case": "SHOP", "two in one text": "shop bank"}.items()},
    **{f"sub is {name}": _claims(sub=value) for name, value in {"a number": 7, "a list": ["a"], "an object": {}}.items()},
}  # fmt: skip
del FORGED["no kid where two keys could be meant"]

SOUND: dict[str, bytes] = {
    "RS256": GOOD,
    "ES256": ES.token(),
    "EdDSA": ED.token(),
    "no kid, one key that fits": ES.token(kid=None),
    "no typ": RS.token(typ=None),
    "an access token": RS.token(typ="at+jwt"),
    "an access token, media type": RS.token(typ="application/at+JWT"),
    "an unknown header member": RS.token(x5t="abc", cty="x"),
    "several audiences": _claims(aud=["bank", "store"]),
    "exp a fraction": _claims(exp=NOW + 0.5),
    "exp within the skew": _claims(exp=int(NOW) - 29),
    "nbf within the skew": _claims(nbf=int(NOW) + 30),
    "iat within the skew": _claims(iat=int(NOW) + 30),
    "no iat": _claims(iat=None),
    "no sub": _claims(sub=None),
    "unicode": _claims(name="Zoë \U0001f600"),
    "ten deep": _raw_payload(_payload_with('"x": ' + "[" * 9 + "]" * 9)),
    "brackets in a text": _claims(x="[" * 50 + "\\" + '"' + "{" * 50),
    "white space": _raw_payload("\n " + json.dumps(claims(), indent=4) + "\t"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    said = verdict(FORGED[name])
    assert isinstance(said, Denied), name
    assert said.denial in (Denial.INVALID, Denial.EXPIRED, Denial.PENDING)
    for part in FORGED[name].split(b"."):
        assert len(part) < 8 or part.decode("latin-1") not in said.reason


def test_there_are_enough_of_them() -> None:
    assert len(FORGED) >= 150


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_token_is_taken(name: str) -> None:
    said = verdict(SOUND[name])
    assert isinstance(said, Identity), said
    assert said.issuer == ISSUER


@pytest.mark.parametrize("algorithm", [algorithm.value for algorithm in JwtAlgorithm])
def test_every_algorithm_is_checked_and_pinned(algorithm: str) -> None:
    issuer = signer(algorithm, f"kid-{algorithm}")
    keys = Keys(issuer.jwk())
    assert isinstance(verdict(issuer.token(), verifier(keys)), Identity)
    others = tuple(other for other in JwtAlgorithm if other.value != algorithm)
    assert isinstance(verdict(issuer.token(), verifier(keys, algorithms=others)), Denied)
    broken = issuer.token()[:-6] + b"AAAAAA"
    assert isinstance(verdict(broken, verifier(keys)), Denied)


def test_without_a_kid_two_keys_are_one_too_many() -> None:
    keys = Keys(RS.jwk(), STRANGER.jwk())
    assert isinstance(verdict(RS.token(kid=None), verifier(keys)), Denied)
    assert isinstance(verdict(RS.token(), verifier(keys)), Identity)


def test_two_keys_of_one_kid_are_both_tried() -> None:
    keys = Keys(STRANGER.jwk(kid="rsa"), RS.jwk())
    assert isinstance(verdict(GOOD, verifier(keys)), Identity)


def test_default_algorithms_are_two() -> None:
    plain = JwtAuthentication("urn:jwt", ISSUER, ("shop",), "")
    judge = JwtVerifier(plain, Keys(RS.jwk(), ES.jwk(), ED.jwk()), lambda: NOW)  # type: ignore[arg-type]
    assert isinstance(judge.judge(read_token(GOOD), b""), Identity)
    assert isinstance(judge.judge(read_token(ES.token()), b""), Identity)
    assert isinstance(judge.judge(read_token(ED.token()), b""), Denied)


def test_nobody_gets_in_by_what_is_not_configured() -> None:
    nothing = JwtAuthentication("urn:jwt", "", (), "")
    judge = JwtVerifier(nothing, Keys(RS.jwk()), lambda: NOW)  # type: ignore[arg-type]
    for payload in (claims(), claims(iss=""), claims(iss="", aud=""), claims(iss="", aud=[])):
        assert isinstance(judge.judge(read_token(RS.token(payload)), b""), Denied)


def test_a_key_that_is_not_known_is_pending_not_wrong() -> None:
    said = verdict(STRANGER.token())
    assert isinstance(said, Denied) and said.denial is Denial.PENDING
    source = Keys(RS.jwk())
    source.ring = None
    said = verdict(GOOD, verifier(source))
    assert isinstance(said, Denied) and said.denial is Denial.PENDING


def test_the_end_is_told_only_behind_a_good_signature() -> None:
    said = verdict(_claims(exp=int(NOW) - 500))
    assert isinstance(said, Denied) and said.denial is Denial.EXPIRED
    said = verdict(parts(HEAD, claims(exp=int(NOW) - 500), STRANGER.sign))
    assert isinstance(said, Denied) and said.denial is Denial.INVALID


@pytest.mark.parametrize(
    ("carried", "taken"),
    [
        ({"scope": "a b"}, True),
        ({"scope": "b c a"}, True),
        ({"scope": ["a", "b"]}, True),
        ({"scp": ["a", "b"]}, True),
        ({"scp": "a b"}, True),
        ({"scope": "a", "scp": ["b"]}, True),
        ({"scope": "a"}, False),
        ({"scope": "ab"}, False),
        ({"scope": "a,b"}, False),
        ({"scope": "a\tb"}, False),
        ({"scope": 5}, False),
        ({"scope": {"a": 1, "b": 1}}, False),
        ({"scope": [["a", "b"]]}, False),
        ({}, False),
    ],
)
def test_scopes(carried: dict[str, Any], taken: bool) -> None:
    said = verdict(_claims(**carried), verifier(required_scopes=("a", "b")))
    assert isinstance(said, Identity) if taken else isinstance(said, Denied) and said.denial is Denial.SCOPE
    assert taken or said.scopes == ("a", "b")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("demanded", "carried", "taken"),
    [
        ("tenant", {"tenant": "x"}, True),
        ("tenant", {"tenant": 0}, True),
        ("tenant", {}, False),
        ("tenant=acme", {"tenant": "acme"}, True),
        ("tenant=acme", {"tenant": ["x", "acme"]}, True),
        ("tenant=acme", {"tenant": "acme2"}, False),
        ("tenant=acme", {"tenant": {"acme": 1}}, False),
        ("level=3", {"level": 3}, True),
        ("level=3", {"level": 30}, False),
        ("email_verified=true", {"email_verified": True}, True),
        ("email_verified=true", {"email_verified": False}, False),
        ("a=b=c", {"a": "b=c"}, True),
    ],
)
def test_claims_that_are_demanded(demanded: str, carried: dict[str, Any], taken: bool) -> None:
    said = verdict(_claims(**carried), verifier(required_claims=(demanded,)))
    assert isinstance(said, Identity) if taken else isinstance(said, Denied) and said.denial is Denial.CLAIM


def test_claims_become_header_lines_that_cannot_break_out() -> None:
    token = _claims(
        sub="a\r\nX-Evil: 1", email="zoë@example.com", groups=["a", "b\n"], age=7, ratio="100%", blank=" x ", none=None
    )
    names = ("sub", "email", "groups", "age", "ratio", "blank", "none", "https://x.example/role")
    said = verdict(token, verifier(forwarded_claims=names))
    assert isinstance(said, Identity)
    assert said.fields.split(b"\r\n") == [
        b"X-Jwt-Claim-Sub: a%0D%0AX-Evil: 1",
        b"X-Jwt-Claim-Email: zo%C3%AB@example.com",
        b'X-Jwt-Claim-Groups: ["a","b\\n"]',
        b"X-Jwt-Claim-Age: 7",
        b"X-Jwt-Claim-Ratio: 100%25",
        b"X-Jwt-Claim-Blank: %20x%20",
        b"",
    ]


def test_claim_keys_keep_issuers_apart() -> None:
    said = verdict(_claims(sub="7", groups=["b", "a"]))
    assert isinstance(said, Identity)
    assert said.claim_key("sub") == f"{ISSUER}\0" + "7"
    assert said.claim_key("groups") == f'{ISSUER}\0["b","a"]'
    assert said.claim_key("nothing") == ""


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def _remembering(**more: Any) -> tuple[JwtVerifier, Keys, Clock]:
    source, clock = Keys(RS.jwk(), ES.jwk()), Clock()
    return JwtVerifier(config(**more), source, clock), source, clock  # type: ignore[arg-type]


def test_a_verdict_is_remembered_but_never_past_its_end() -> None:
    judge, _, clock = _remembering()
    digest = hashlib.sha256(GOOD).digest()
    assert judge.remembered(digest) is None
    said = judge.judge(read_token(GOOD), digest)
    assert judge.remembered(digest) is said
    clock.now = NOW + 299.9
    assert judge.remembered(digest) is said
    clock.now = NOW + 300
    assert judge.remembered(digest) is None
    assert isinstance(judge.judge(read_token(GOOD), digest), Identity), "within the skew it is checked in full"
    clock.now = NOW + 330
    assert isinstance(judge.judge(read_token(GOOD), digest), Denied)


def test_a_clock_that_jumps_back_brings_nothing_forward() -> None:
    judge, _, clock = _remembering()
    clock.now = NOW + 100
    raw = _claims(nbf=int(NOW) + 100)
    judge.judge(read_token(raw), b"d")
    assert judge.remembered(b"d") is not None
    clock.now = NOW - 3600
    assert judge.remembered(b"d") is None


def test_new_keys_make_old_verdicts_worthless() -> None:
    judge, source, _ = _remembering()
    judge.judge(read_token(GOOD), b"d")
    judge.judge(read_token(ES.token()), b"e")
    source.ring = Keys(ES.jwk()).ring
    source.revision += 1
    assert judge.remembered(b"d") is None
    said = judge.judge(read_token(GOOD), b"d")
    assert isinstance(said, Denied) and said.denial is Denial.PENDING
    judge.judge(read_token(ES.token()), b"e")
    assert judge.remembered(b"e") is not None
    assert judge.remembered(b"d") is None


def test_without_keys_nothing_is_remembered_either() -> None:
    judge, source, _ = _remembering()
    judge.judge(read_token(GOOD), b"d")
    source.ring = None
    assert judge.remembered(b"d") is None


def test_refusals_are_not_remembered() -> None:
    judge, _, _ = _remembering()
    judge.judge(read_token(_claims(exp=0)), b"d")
    assert judge.remembered(b"d") is None


def test_memory_is_bounded() -> None:
    judge, _, _ = _remembering()
    said = judge.judge(read_token(GOOD), b"first")
    assert isinstance(said, Identity)
    for number in range(REMEMBERED + 10):
        judge._remember(number.to_bytes(8, "big"), said, 1)
    assert len(judge._verdicts) <= REMEMBERED
    assert judge.remembered(b"first") is None
    assert judge.remembered((REMEMBERED + 9).to_bytes(8, "big")) is not None


def test_no_loop_is_needed_to_judge() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert isinstance(verdict(b64(b"{}") + b"." + b64(b"{}") + b".AA"), Denied)
