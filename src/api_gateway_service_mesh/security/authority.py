"""A small certificate authority in a folder, for meshes that have none yet (``agw cert ca|issue|rotate|revoke``).

The folder holds ``ca.pem`` and ``ca-key.pem``, and ``NAME.pem`` with ``NAME-key.pem`` for each certificate issued. Keys
are EC P-256 and readable by their owner only (0600). A file appears whole or not at all (written aside, synced, then
linked into place), and nothing that is there is overwritten: `rotate` alone replaces, by renaming over.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate

from .facts import CertificateFacts, certificate_facts, read_facts, spiffe_id
from .issued import IssuedPair, write_whole

__all__ = [
    "CertificateStatus",
    "IssuedCertificate",
    "create_authority",
    "issue",
    "issue_pair",
    "revoke",
    "rotate",
    "status",
]

_AUTHORITY = "ca"
_AUTHORITY_DAYS = 3650
_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """Where a certificate, its key and the bundle that vouches for it lie."""

    certificate_file: Path
    key_file: Path
    trust_bundle_file: Path
    not_after: datetime


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One certificate of the folder. `remaining_days` is negative once it expired."""

    certificate_file: Path
    facts: CertificateFacts
    remaining_days: float
    has_key: bool


def create_authority(folder: str | Path, name: str, *, days: int = _AUTHORITY_DAYS) -> IssuedCertificate:
    """A new self-signed authority called `name` in `folder` (made if missing, 0700), valid for `days` days.

    Raises:
        AgwError: there is an authority already, `name` or `days` cannot be used, or the folder cannot be written.
    """
    place = Path(folder)
    _check_days(days)
    if not name.strip() or len(name) > 64:  # X.520 ub-common-name
        raise AgwError("An authority needs a name of 1 to 64 characters.")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _store(place, _AUTHORITY, certificate, key, replace=False)


def issue(
    folder: str | Path,
    names: Sequence[str],
    uris: Sequence[str] = (),
    days: int = 90,
    *,
    file_stem: str | None = None,
) -> IssuedCertificate:
    """A certificate for `names` (DNS names or IP addresses) and `uris` (SPIFFE IDs), for servers and clients alike.

    The files are called after the first name (`file_stem` to choose another). It never outlives the authority.

    Raises:
        AgwError: no authority in `folder`, a name or ID that is none, nothing to certify, or the files exist.
    """
    place = Path(folder)
    return _issue(place, names, uris, days, file_stem or _stem((*names, *uris)), replace=False)


def rotate(folder: str | Path, file_stem: str, days: int = 90) -> IssuedCertificate:
    """A new key and certificate with the names of ``FILE_STEM.pem``, put in its place.

    Raises:
        AgwError: there is no such certificate, or as `issue`.
    """
    place = Path(folder)
    if file_stem == _AUTHORITY:
        raise AgwError("The authority itself is not rotated: create one in another folder and trust both for a while.")
    facts = read_facts(place / f"{file_stem}.pem")[0]
    return _issue(place, (*facts.dns_names, *facts.ip_addresses), facts.uris, days, file_stem, replace=True)


def revoke(folder: str | Path, file_stem: str, days: int = 30) -> Path:
    """Put ``FILE_STEM.pem`` on the authority's revocation list (``ca.crl``, PEM), which is then valid for `days` days;
    an empty `file_stem` only renews the list. Where the list is.

    Raises:
        AgwError: there is no such certificate, it is of another authority, or the list cannot be read or written.
    """
    place = Path(folder)
    _check_days(days)
    authority, key = _authority(place)
    listed: dict[int, x509.RevokedCertificate] = {}
    file = place / f"{_AUTHORITY}.crl"
    if file.exists():
        try:
            known = x509.load_pem_x509_crl(file.read_bytes())
        except (OSError, ValueError) as fault:
            raise AgwError(f"The revocation list {file} cannot be read.") from fault
        listed = {each.serial_number: each for each in known}
    now = datetime.now(UTC)
    if file_stem:
        _check_stem(file_stem)
        facts = read_facts(place / f"{file_stem}.pem")[0]
        if facts.issuer != certificate_facts(authority).subject:
            raise AgwError(f"{file_stem}.pem is not of the authority in {place}.")
        serial = int(facts.serial, 16)
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        listed.setdefault(serial, entry.build())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - _CLOCK_SKEW)
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for each in listed.values():
        builder = builder.add_revoked_certificate(each)
    try:
        write_whole(file, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as fault:
        raise AgwError(f"{place} cannot be written: {fault.strerror}.") from fault
    return file


def status(folder: str | Path, *, moment: datetime | None = None) -> list[CertificateStatus]:
    """All certificates in `folder`, the soonest to expire first; judged at `moment` (default: now).

    Raises:
        AgwError: the folder is missing, or a ``.pem`` in it cannot be read.
    """
    place, now = Path(folder), moment or datetime.now(UTC)
    if not place.is_dir():
        raise AgwError(f"{place} is not a folder.", remedy="agw cert ca makes one.")
    found = []
    for file in sorted(place.glob("*.pem")):
        if file.name.endswith("-key.pem"):
            continue
        facts = read_facts(file)[0]
        remaining = (facts.not_after - now) / timedelta(days=1)
        found.append(CertificateStatus(file, facts, remaining, file.with_name(f"{file.stem}-key.pem").exists()))
    return sorted(found, key=lambda one: (one.facts.not_after, one.certificate_file))


def issue_pair(folder: str | Path, certificate: Certificate) -> IssuedPair:
    """What the authority in `folder` (made when there is none) issues for a certificate of the model. Nothing of it is
    written.

    Raises:
        AgwError: as `issue`.
    """
    place = Path(folder)
    if not (place / f"{_AUTHORITY}.pem").exists():
        create_authority(place, "agw certificate authority")
    uris = [name for name in certificate.names if name.startswith("spiffe:")]
    names = [name for name in certificate.names if name not in uris]
    lasts = timedelta(seconds=certificate.lifetime_seconds)
    made, key = _signed(place, names, uris, lasts, _stem((*names, *uris)))
    root = (place / f"{_AUTHORITY}.pem").read_bytes()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return IssuedPair(made.public_bytes(serialization.Encoding.PEM), secret, root)


def _issue(
    place: Path, names: Sequence[str], uris: Sequence[str], days: int, stem: str, *, replace: bool
) -> IssuedCertificate:
    _check_days(days)
    _check_stem(stem)
    certificate, key = _signed(place, names, uris, timedelta(days=days), stem)
    return _store(place, stem, certificate, key, replace=replace)


def _signed(
    place: Path, names: Sequence[str], uris: Sequence[str], lasts: timedelta, stem: str
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    general = [*map(_general_name, names), *map(_spiffe_name, uris)]
    if not general:
        raise AgwError(
            "A certificate needs at least one name.", remedy="Give a DNS name, an IP address or a SPIFFE ID."
        )
    authority, authority_key = _authority(place)
    now = datetime.now(UTC)
    ends = min(now + lasts, authority.not_valid_after_utc)
    if ends <= now:
        raise AgwError(f"The authority in {place} expired on {authority.not_valid_after_utc:%Y-%m-%d}.")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem[:64])]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return certificate, key


def _authority(place: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((place / f"{_AUTHORITY}.pem").read_bytes())
        key = serialization.load_pem_private_key((place / f"{_AUTHORITY}-key.pem").read_bytes(), password=None)
    except FileNotFoundError as fault:
        raise AgwError(f"{place} holds no authority.", remedy="Create one first: agw cert ca.") from fault
    except (OSError, ValueError, TypeError) as fault:
        raise AgwError(f"The authority in {place} cannot be read.") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AgwError(f"The authority in {place} was not made by agw: its key is not an EC key.")
    return certificate, key


def _store(
    place: Path, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, replace: bool
) -> IssuedCertificate:
    files = IssuedCertificate(
        certificate_file=place / f"{stem}.pem",
        key_file=place / f"{stem}-key.pem",
        trust_bundle_file=place / f"{_AUTHORITY}.pem",
        not_after=certificate_facts(certificate).not_after,
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not replace:
            for file in (files.certificate_file, files.key_file):
                if file.exists():
                    raise FileExistsError(file)
        # The key goes first: a certificate without its key would look finished.
        _write(files.key_file, secret, 0o600, replace=replace)
        _write(files.certificate_file, public, 0o644, replace=replace)
    except FileExistsError as fault:
        raise AgwError(
            f"{fault.args[0] if len(fault.args) == 1 else files.key_file} is there already and is not overwritten.",
            remedy="Choose another folder or name; agw cert rotate replaces a certificate.",
        ) from fault
    except OSError as fault:
        raise AgwError(f"{place} cannot be written: {fault.strerror}.") from fault
    return files


def _write(file: Path, content: bytes, mode: int, *, replace: bool) -> None:
    aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        if replace:
            aside.replace(file)
        else:
            os.link(aside, file)  # unlike a rename, this fails when the name is taken
    finally:
        aside.unlink(missing_ok=True)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _DNS_NAME.fullmatch(name):
        raise AgwError(f"{name!r} is neither a DNS name nor an IP address.", remedy="Write names in their ASCII form.")
    return x509.DNSName(name)


def _spiffe_name(uri: str) -> x509.UniformResourceIdentifier:
    if spiffe_id((uri,)) is None:
        raise AgwError(
            f"{uri!r} is not a SPIFFE ID.", remedy="Write spiffe://TRUST-DOMAIN/PATH, lower-case trust domain."
        )
    return x509.UniformResourceIdentifier(uri)


def _stem(names: Sequence[str]) -> str:
    first = names[0] if names else ""
    plain = first.removeprefix("spiffe://").replace("*", "wildcard")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain)[:100]


def _check_stem(stem: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", stem) or stem == _AUTHORITY or stem.endswith("-key"):
        raise AgwError(
            f"{stem!r} cannot be the name of a certificate file.", remedy="Use letters, digits, dots, dashes."
        )


def _check_days(days: int) -> None:
    if not 1 <= days <= _AUTHORITY_DAYS * 2:
        raise AgwError(
            f"A validity of {days} days cannot be issued.", remedy=f"Choose 1 to {_AUTHORITY_DAYS * 2} days."
        )
