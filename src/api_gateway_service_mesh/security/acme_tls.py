"""TLS-ALPN-01 (RFC 8737): a name is proved by the certificate of a handshake that is made for nothing else.

The control process keeps, for each name that is asked about, a self-signed certificate with the answer in it, as a
file among the authority's questions (`acme.CHALLENGES`). Whoever accepts connections reads the ClientHello: one that
offers ``acme-tls/1`` alone and names such a file gets that certificate and is hung up on; every other connection is
none of this. A file is named by a digest, so what a stranger sends leads nowhere else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .client_hello import ALPN, extensions, server_name, vector

__all__ = ["PROTOCOL", "answer_context", "answer_name", "answer_pem", "asked_name"]

PROTOCOL = "acme-tls/1"
_LIFE = timedelta(hours=1)


def answer_name(name: str) -> str:
    """The name of the file with the answer for `name`, a DNS name or an IP address as they are asked about: an address
    by its reverse name (RFC 8738 §6)."""
    try:
        asked = ipaddress.ip_address(name).reverse_pointer
    except ValueError:
        asked = name
    return _file_name(asked)


def _file_name(asked: str) -> str:
    return hashlib.sha256(asked.lower().rstrip(".").encode()).hexdigest() + ".pem"


def answer_pem(name: str, key_authorization: str) -> bytes:
    """Key and certificate (PEM) that prove `name` (RFC 8737 §3)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(key_authorization.encode("ascii")).digest()
    try:
        held: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        held = x509.DNSName(name)
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ACME challenge")])
    now = datetime.now(UTC)
    identifier = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + digest)
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([held]), critical=False)
        .add_extension(identifier, critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + made.public_bytes(serialization.Encoding.PEM)


def answer_context(folders: Iterable[str], asked: str) -> ssl.SSLContext | None:
    """What to show to who asks about `asked`; None where no such question is open in `folders`."""
    for folder in folders:
        place = Path(folder) / _file_name(asked)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([PROTOCOL])
        try:
            context.load_cert_chain(place)
        except OSError:  # ssl.SSLError too: the file is just being taken away
            continue
        return context
    return None


def asked_name(hello: bytes) -> str | None:
    """The server name of a ClientHello that offers ``acme-tls/1`` and nothing else; None for every other, and for what
    is no ClientHello."""
    if PROTOCOL.encode() not in hello:
        return None
    try:
        if vector(extensions(hello)[ALPN], 2) != bytes([len(PROTOCOL)]) + PROTOCOL.encode():
            return None
    except (KeyError, IndexError, ValueError):  # cut off, or not of this form
        return None
    return server_name(hello)
