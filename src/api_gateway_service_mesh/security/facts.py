"""What a certificate says about itself, read from its DER bytes and never from OpenSSL's printed form.

Names come from whoever asked the authority for a certificate: they may hold NUL, CR LF or worse. Every string here is
safe to print and to put in a header or a literal (anything but visible ASCII is percent-encoded), so a name with a NUL
can never equal the name before the NUL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from api_gateway_service_mesh.errors import AgwError

__all__ = ["CertificateFacts", "certificate_facts", "expiry", "read_facts", "spiffe_id"]

# SPIFFE-ID §2: trust domain in lower case letters, digits, dots, dashes and underscores; path segments never empty,
# "." or ".."; no query, fragment, port, userinfo or percent-encoding. At most 2048 bytes (§2.3).
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate. Times are UTC; `subject` and `issuer` are RFC 4514 strings; names are printable (see above)."""

    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    is_authority: bool = False

    @property
    def identity(self) -> str | None:
        """The SPIFFE ID, where there is exactly one URI name and it is one (X.509-SVID §2)."""
        return spiffe_id(self.uris)

    def valid_at(self, moment: datetime) -> bool:
        """True inside the validity period (RFC 5280 §4.1.2.5, both ends included)."""
        return self.not_before <= moment <= self.not_after


def spiffe_id(uris: tuple[str, ...]) -> str | None:
    """The one SPIFFE ID among `uris`; None when there is none, more than one URI, or it breaks the grammar."""
    if len(uris) != 1 or len(uris[0]) > 2048:
        return None
    return uris[0] if _SPIFFE.fullmatch(uris[0]) else None


def certificate_facts(certificate: x509.Certificate | bytes) -> CertificateFacts:
    """The facts of one certificate, parsed or in DER.

    Raises:
        AgwError: the bytes are not a certificate, or its names cannot be read.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate) if isinstance(certificate, bytes) else certificate
        return _facts(parsed)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as fault:
        raise AgwError(f"A certificate cannot be read: {_printable(str(fault))}") from fault


def read_facts(path: str | Path) -> tuple[CertificateFacts, ...]:
    """The facts of every certificate in a PEM file, in its order (the leaf comes first in a chain).

    Raises:
        AgwError: the file cannot be read or holds no PEM certificate.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as fault:
        raise AgwError(f"The certificate file {path} cannot be read: {fault.strerror}.") from fault
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError as fault:
        raise AgwError(
            f"{path} holds no PEM certificate.",
            remedy="A PEM certificate starts with -----BEGIN CERTIFICATE-----.",
        ) from fault
    return tuple(certificate_facts(certificate) for certificate in certificates)


def expiry(path: str | Path) -> datetime:
    """When the first certificate of a PEM file ends (``agw:certificateExpiry``), in UTC.

    Raises:
        AgwError: the file cannot be read or holds no PEM certificate.
    """
    return read_facts(path)[0].not_after


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    return CertificateFacts(
        subject=_printable(certificate.subject.rfc4514_string()),
        issuer=_printable(certificate.issuer.rfc4514_string()),
        serial=f"{certificate.serial_number:x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc.astimezone(UTC),
        not_after=certificate.not_valid_after_utc.astimezone(UTC),
        dns_names=tuple(map(_printable, names.get_values_for_type(x509.DNSName))),
        uris=tuple(map(_printable, names.get_values_for_type(x509.UniformResourceIdentifier))),
        ip_addresses=tuple(map(str, names.get_values_for_type(x509.IPAddress))),
        emails=tuple(map(_printable, names.get_values_for_type(x509.RFC822Name))),
        is_authority=authority,
    )


def _printable(text: str) -> str:
    return "".join(
        char if " " <= char <= "~" else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )
