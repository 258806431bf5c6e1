"""Tokens, sound and forged, made of bytes: nothing here goes through the code that judges them."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

__all__ = ["ISSUER", "NOW", "Issuer", "KeyServer", "b64", "claims", "compact", "key_server", "signer"]

ISSUER = "https://id.example.com/"
NOW = 1_800_000_000.0


def b64(data: bytes) -> bytes:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def number(value: int, size: int | None = None) -> str:
    """A big number as JWK has it."""
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).decode()


def compact(header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """A token of these parts; what is given as bytes stands in it as it is."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = b64(parts[0]) + b"." + b64(parts[1])
    return signed + b"." + b64(sign(signed))


def claims(now: float = NOW, **more: Any) -> dict[str, Any]:
    """What a good token says; None takes a claim away."""
    said = {"iss": ISSUER, "aud": "shop", "sub": "alice", "iat": int(now) - 10, "exp": int(now) + 300, **more}
    return {name: value for name, value in said.items() if value is not None}


_HASH = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
_CURVE = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}


@dataclass
class Issuer:
    """A private key with an id and an algorithm."""

    algorithm: str
    kid: str
    private: Any

    def sign(self, data: bytes) -> bytes:
        """The signature's bytes, as JWS has them (RFC 7518 §3)."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        algorithm = _HASH[self.algorithm[2:]]()
        if isinstance(self.private, rsa.RSAPrivateKey):
            if self.algorithm.startswith("RS"):
                return self.private.sign(data, padding.PKCS1v15(), algorithm)
            return self.private.sign(data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
        size = (self.private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(algorithm)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, payload: dict[str, Any] | None = None, **header: Any) -> bytes:
        """A token signed with this key; None takes a header member away."""
        members = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        return compact(
            {name: value for name, value in members.items() if value is not None},
            claims() if payload is None else payload,
            self.sign,
        )

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key (RFC 7518 §6); None takes a member away."""
        public = self.private.public_key()
        made: dict[str, Any]
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = public.public_numbers()
            made = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif isinstance(self.private, ed25519.Ed25519PrivateKey):
            made = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()).decode()}
        else:
            numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
            made = {"kty": "EC", "crv": _NAMES[public.curve.name]}
            made |= {"x": number(numbers.x, size), "y": number(numbers.y, size)}
        made = {**made, "kid": self.kid, "use": "sig", "alg": self.algorithm, **more}
        return {name: value for name, value in made.items() if value is not None}


@cache
def signer(algorithm: str = "RS256", kid: str = "one", bits: int = 2048, exponent: int = 65537) -> Issuer:
    """An issuer with a new key, the same one each time."""
    if algorithm == "EdDSA":
        return Issuer(algorithm, kid, ed25519.Ed25519PrivateKey.generate())
    if algorithm in _CURVE:
        return Issuer(algorithm, kid, ec.generate_private_key(_CURVE[algorithm]()))
    return Issuer(algorithm, kid, rsa.generate_private_key(exponent, bits))


@dataclass
class KeyServer:
    """An identity provider's key endpoint that does as it is told. ``answers``: asked for each request."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    answers: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.asked += 1
        if self.answers is not None:
            return await self.answers(request)
        return web.json_response({"keys": self.keys})


@contextlib.asynccontextmanager
async def key_server(*issuers: Issuer) -> AsyncIterator[KeyServer]:
    """A real server on loopback that publishes the keys of `issuers`."""
    server = KeyServer(keys=[issuer.jwk() for issuer in issuers])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    try:
        yield server
    finally:
        await runner.cleanup()
