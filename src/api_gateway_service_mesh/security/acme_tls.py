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

__all__ = ["PROTOCOL", "answer_context", "answer_name", "answer_pem", "asked_name", "hello_bytes"]

PROTOCOL = "acme-tls/1"
_LIFE = timedelta(hours=1)
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16
_LARGEST_HELLO_BYTES = 5 + 16 * 1024


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


def hello_bytes(head: bytes) -> int:
    """How many bytes of a connection hold its ClientHello, as far as `head` tells (RFC 8446 §5.1, §4); 0: no question
    can be in it. A question is small, so one that goes over several records is none."""
    if len(head) < 5:
        return 5
    if head[0] != _HANDSHAKE:
        return 0
    whole = 5 + int.from_bytes(head[3:5], "big")
    return whole if whole <= _LARGEST_HELLO_BYTES else 0


def asked_name(hello: bytes) -> str | None:
    """The server name of a ClientHello that offers ``acme-tls/1`` and nothing else; None for every other, and for what
    is no ClientHello."""
    if PROTOCOL.encode() not in hello:
        return None
    try:
        extensions = dict(_extensions(hello))
        if _vector(extensions[_ALPN], 2) != bytes([len(PROTOCOL)]) + PROTOCOL.encode():
            return None
        names = _vector(extensions[_SERVER_NAME], 2)
        return _vector(names[1:], 2).decode("ascii") if names[0] == 0 else None
    except (KeyError, IndexError, ValueError):  # cut off, or not of this form
        return None


def _extensions(hello: bytes) -> list[tuple[int, bytes]]:
    """Types and contents (RFC 8446 §4.1.2)."""
    if hello[0] != _HANDSHAKE or hello[5] != _CLIENT_HELLO:
        raise ValueError
    message = _vector(hello[6:], 3)
    rest = message[34:]  # version, random
    for width in (1, 2, 1):  # session, suites, compression
        rest = rest[width + len(_vector(rest, width)) :]
    rest, found = _vector(rest, 2), []
    while rest:
        content = _vector(rest[2:], 2)
        found.append((int.from_bytes(rest[:2], "big"), content))
        rest = rest[4 + len(content) :]
    return found


def _vector(data: bytes, width: int) -> bytes:
    """The content of a vector whose length is told in `width` bytes.

    Raises:
        ValueError: it is cut off.
    """
    end = width + int.from_bytes(data[:width], "big")
    if len(data) < end or len(data) < width:
        raise ValueError
    return data[width:end]
