"""Certificates that an authority issued to agw: how they are asked for, checked, kept and found again.

One file holds the key and the chain, readable by its owner only, and is replaced by one rename: whoever is killed in
the middle leaves the old pair whole. Nothing is kept that would not serve: the key must be the certificate's, and the
period must have begun and not ended. A lock in the folder lets one gateway of several ask at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate

from .facts import CertificateFacts, certificate_facts

__all__ = ["IssuedPair", "IssuingBusy", "current", "folder_lock", "is_address", "keep", "new_request", "write_whole"]


class IssuingBusy(AgwError):
    """Another gateway asks the same authority just now."""


@dataclass(frozen=True, slots=True)
class IssuedPair:
    """Chain and key as PEM; the bundle, where the authority gives one, says whom the other side's must come from."""

    chain: bytes
    key: bytes = field(repr=False)
    bundle: bytes | None = None


def new_request(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A fresh EC P-256 key (PEM), and a signing request for `names` (DNS names and IP addresses; DER,
    RFC 2986)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret, request.public_bytes(serialization.Encoding.DER)


def is_address(name: str) -> bool:
    """Whether `name` is an IP address (RFC 8738 has ACME's servers certify those, too)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _general_name(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)


def current(certificate: Certificate) -> CertificateFacts | None:
    """What is kept for `certificate` now; None when there is nothing, or nothing that serves."""
    try:
        content = Path(certificate.certificate_file or "").read_bytes()
        chain = _checked(content, content)
    except (OSError, ValueError, TypeError, AgwError):
        return None
    return certificate_facts(chain[0])


def keep(certificate: Certificate, pair: IssuedPair, *, moment: datetime | None = None) -> CertificateFacts:
    """Put `pair` where `certificate` says; what it says.

    Raises:
        AgwError: it would not serve, or cannot be written; what was there is there still.
    """
    now = moment or datetime.now(UTC)
    try:
        chain = _checked(pair.chain, pair.key)
        facts = certificate_facts(chain[0])
        bundle = x509.load_pem_x509_certificates(pair.bundle) if pair.bundle is not None else []
    except (ValueError, TypeError) as fault:
        raise AgwError("the authority's answer holds no certificate that goes with the key") from fault
    if facts.not_after <= now:
        raise AgwError(f"the authority gave a certificate that ended on {facts.not_after:%Y-%m-%d %H:%M} UTC")
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
    place = Path(certificate.certificate_file or "")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if bundle and certificate.trust_bundle_file is not None:
            roots = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in bundle)
            write_whole(Path(certificate.trust_bundle_file), roots, 0o644)
        write_whole(place, pair.key + pem, 0o600)
    except OSError as fault:
        raise AgwError(f"{place.parent} cannot be written: {fault.strerror}") from fault
    return facts


def write_whole(place: Path, content: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all, in the place of one that may be there.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    aside = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def folder_lock(folder: str) -> Iterator[None]:
    """Be the only one, on all machines that share `folder`, that asks for certificates kept there.

    Raises:
        IssuingBusy: somebody else is.
        AgwError: the folder cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place / ".issuing", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise AgwError(f"{place} cannot be written: {fault.strerror}") from fault
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise IssuingBusy(f"another gateway asks for certificates in {place}") from fault
        yield
    finally:
        os.close(descriptor)


def _checked(chain: bytes, key: bytes) -> list[x509.Certificate]:
    found = x509.load_pem_x509_certificates(chain)
    secret = serialization.load_pem_private_key(key, password=None)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if found[0].public_key().public_bytes(*form) != secret.public_key().public_bytes(*form):
        raise AgwError("the key does not belong to the certificate")
    return found
