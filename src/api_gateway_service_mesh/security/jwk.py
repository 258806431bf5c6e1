"""An issuer's public keys (RFC 7517), judged when they are loaded: a weak or unfit key is left out, and said why.

A key is good for what it says (``alg``, ``use``, ``key_ops``) and for what its type and curve allow, nothing else; so a
token cannot choose how it is checked. Shared secrets (``oct``) are never taken, and a published private key is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from api_gateway_service_mesh.model import JwtAlgorithm

from .json_text import read_object
from .token import unbase64url

__all__ = ["MAX_JWKS_BYTES", "KeyRing", "PublicKey", "read_jwks"]

MAX_JWKS_BYTES = 64 * 1024
_MAX_KEYS = 100
_RSA_BITS = (2048, 8192)
_RSA_EXPONENT = 65537

_RSA = frozenset(alg for alg in JwtAlgorithm if alg[:2] in ("RS", "PS"))
_CURVES = {"P-256": JwtAlgorithm.ES256, "P-384": JwtAlgorithm.ES384, "P-521": JwtAlgorithm.ES512}
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

# Points of order 1, 2, 4 and 8 on edwards25519 (RFC 8032 §5.1): a signature under such a key is one for any message.
_P25519 = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    (
        0,
        1,
        _P25519 - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    )
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key that may check signatures, and with which algorithms."""

    kid: str | None
    algorithms: frozenset[JwtAlgorithm]
    thumbprint: str
    key: RSAKey | ECKey | OKPKey = field(repr=False, compare=False)

    def verifies(self, algorithm: JwtAlgorithm, signed: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `signed`."""
        if algorithm not in self.algorithms:
            return False
        model = JWSRegistry.algorithms[algorithm.value]
        try:
            model.check_key(self.key)
            return model.verify(signed, signature, self.key)
        except (JoseError, ValueError, TypeError, OverflowError):
            return False


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The usable keys of one issuer. ``left_out`` says why the others are not."""

    keys: tuple[PublicKey, ...]
    left_out: tuple[str, ...] = field(default=(), compare=False)

    def candidates(self, kid: str | None, algorithm: JwtAlgorithm) -> tuple[PublicKey, ...]:
        """The keys that may have signed a token: those of its kid. A token without a kid is checked only where one key
        alone can be meant."""
        fit = tuple(key for key in self.keys if algorithm in key.algorithms)
        if kid is None:
            return fit if len(fit) == 1 else ()
        return tuple(key for key in fit if key.kid == kid)

    def knows(self, kid: str | None) -> bool:
        """Whether a key of this kid is here (without one: any key at all)."""
        return bool(self.keys) if kid is None else any(key.kid == kid for key in self.keys)


def read_jwks(document: bytes) -> KeyRing:
    """The keys of a JSON Web Key Set.

    Raises:
        ValueError: it is none, is too large, or holds no usable key.
    """
    if len(document) > MAX_JWKS_BYTES:
        raise ValueError(f"it is larger than {MAX_JWKS_BYTES} bytes")
    listed = read_object(document).get("keys")
    if not isinstance(listed, list):
        raise ValueError("it has no list of keys")
    if len(listed) > _MAX_KEYS:
        raise ValueError(f"it has more than {_MAX_KEYS} keys")
    keys: list[PublicKey] = []
    left_out: list[str] = []
    for number, member in enumerate(listed, 1):
        try:
            keys.append(_read_key(member))
        except (ValueError, TypeError, KeyError, JoseError, OverflowError) as error:
            left_out.append(f"key {number}: {error}")
    if not keys:
        raise ValueError("; ".join(["it holds no usable key", *left_out[:5]]))
    return KeyRing(tuple(keys), tuple(left_out))


def _read_key(member: Any) -> PublicKey:
    if not isinstance(member, dict):
        raise ValueError("it is not an object")
    kind = member.get("kty")
    if kind not in _PUBLIC:
        raise ValueError("its type is none that checks signatures of others")
    if any(name in member for name in _PRIVATE):
        raise ValueError("it is a private key; whoever has read it can sign")
    if member.get("use", "sig") != "sig":
        raise ValueError("it is not for signatures")
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for verifying")
    kid = member.get("kid")
    if kid is not None and (not isinstance(kid, str) or not kid):
        raise ValueError("its kid is not a text")
    public: dict[str, Any] = {"kty": kind}
    for name in _PUBLIC[kind]:
        value = member[name]
        if not isinstance(value, str):
            raise ValueError(f"its {name} is not a text")
        if name != "crv":
            unbase64url(value.encode("ascii", "replace"))
        public[name] = value
    fit = _fit(kind, public)
    stated = member.get("alg")
    if stated is not None:
        fit &= frozenset(alg for alg in JwtAlgorithm if alg.value == stated)
        if not fit:
            raise ValueError("its alg is none that it can do")
    key = _import(kind, public)
    return PublicKey(kid, fit, key.thumbprint(), key)


def _fit(kind: str, public: dict[str, Any]) -> frozenset[JwtAlgorithm]:
    """The algorithms that a key of this type, size and curve may do. Raises ValueError for a weak or odd one."""
    if kind == "RSA":
        bits = int.from_bytes(unbase64url(public["n"].encode()), "big").bit_length()
        if not _RSA_BITS[0] <= bits <= _RSA_BITS[1]:
            raise ValueError(f"it has {bits} bits, not {_RSA_BITS[0]} to {_RSA_BITS[1]}")
        if int.from_bytes(unbase64url(public["e"].encode()), "big") != _RSA_EXPONENT:
            raise ValueError(f"its exponent is not {_RSA_EXPONENT}")
        return _RSA
    if kind == "EC":
        if public["crv"] not in _CURVES:
            raise ValueError("its curve is none of P-256, P-384 and P-521")
        return frozenset((_CURVES[public["crv"]],))
    if public["crv"] != "Ed25519":
        raise ValueError("its curve is not Ed25519")
    point = unbase64url(public["x"].encode())
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if len(point) != 32 or y >= _P25519 or y in _SMALL_ORDER_Y:
        raise ValueError("it is no point of full order")
    return frozenset((JwtAlgorithm.EDDSA,))


def _import(kind: str, public: dict[str, Any]) -> RSAKey | ECKey | OKPKey:
    key: RSAKey | ECKey | OKPKey
    if kind == "RSA":
        key = RSAKey.import_key(public)
    elif kind == "EC":
        key = ECKey.import_key(public)
    else:
        key = OKPKey.import_key(public)
    key.get_op_key("verify")  # builds it: a point off its curve fails here, not at the first token
    return key
