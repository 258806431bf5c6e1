"""What a listener shows before its certificate has been issued: a certificate that nobody vouches for.

An ACME server asks its question on a listener that has to be open already. A stand-in lives in memory alone, is signed
by its own key, and proves nothing: every client that verifies refuses it. As a trust bundle it vouches for nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["COMMON_NAME", "stand_in"]

COMMON_NAME = "agw: not issued yet"


@lru_cache(maxsize=256)
def stand_in(iri: str) -> tuple[bytes, bytes]:
    """Certificate and key (PEM) that stand in for the certificate `iri`; the same for the life of this process."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret
