"""Signed tokens of a throw-away issuer (RFC 7515, RFC 7518 §3.3 and §3.4) and its key set (RFC 7517)."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

__all__ = ["make_tokens"]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _whole(number: int, size: int) -> str:
    return _text(number.to_bytes(size, "big"))


def make_tokens(folder: Path, callers: int) -> tuple[Path, tuple[str, ...]]:
    """A key set ``folder/jwks.json`` with an RS256 and an ES256 key, and a token for each caller, the two in turn."""
    wide, curve = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    numbers, point = wide.public_key().public_numbers(), curve.public_key().public_numbers()
    keys = [
        {
            "kty": "RSA",
            "kid": "r",
            "alg": "RS256",
            "use": "sig",
            "n": _whole(numbers.n, 256),
            "e": _whole(numbers.e, 3),
        },
        {
            "kty": "EC",
            "kid": "e",
            "alg": "ES256",
            "use": "sig",
            "crv": "P-256",
            "x": _whole(point.x, 32),
            "y": _whole(point.y, 32),
        },
    ]
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": keys}))

    def sign(number: int) -> str:
        kid, algorithm = (("r", "RS256"), ("e", "ES256"))[number % 2]
        now = int(time.time())
        claims = {
            "iss": "https://issuer.example/", "aud": "benchmark", "sub": f"caller-{number}", "iat": now, "exp": now + 86400,
        }  # fmt: skip
        parts = ({"alg": algorithm, "typ": "JWT", "kid": kid}, claims)
        signed = ".".join(_text(json.dumps(part).encode()) for part in parts)
        if kid == "r":
            signature = wide.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(curve.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{signed}.{_text(signature)}"

    return file, tuple(sign(number) for number in range(callers))
