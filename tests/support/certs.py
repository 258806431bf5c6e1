"""Throw-away certificates: real ones, made in a millisecond each (EC P-256), written where the test says."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api_gateway_service_mesh.model import Certificate

__all__ = ["Authority", "Issued", "new_authority"]


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM and on disk."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate_file: Path
    key_file: Path
    trust_bundle_file: Path

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _key_pem(self.key)

    def model(self, *, trust: bool = True, key_ref: str | None = None) -> Certificate:
        """The model's view of it; `trust` also names the authority as trust bundle."""
        return Certificate(
            iri=f"urn:test:certificate:{self.certificate_file.stem}",
            certificate_file=str(self.certificate_file),
            private_key_ref=key_ref or f"file:{self.key_file}",
            trust_bundle_file=str(self.trust_bundle_file) if trust else None,
        )


@dataclass(frozen=True)
class Authority:
    """A certificate authority that writes what it issues into `folder`."""

    folder: Path
    name: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def bundle(self) -> Path:
        """Its own certificate: what others trust."""
        return self.folder / f"{self.name}-ca.pem"

    def trust_model(self) -> Certificate:
        """A `Certificate` that only names the trust bundle (one-way TLS towards an upstream)."""
        return Certificate(iri=f"urn:test:trust:{self.name}", trust_bundle_file=str(self.bundle))

    def issue(
        self,
        stem: str,
        *,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        uris: Sequence[str] = (),
        common_name: str | None = None,
        usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
        starts: timedelta = timedelta(hours=-1),
        lasts: timedelta = timedelta(days=1),
        rsa_bits: int | None = None,
    ) -> Issued:
        """A leaf: `names` are DNS names or IP addresses, `uris` URI names (SPIFFE IDs), `starts` is relative to now."""
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        begin = datetime.now(UTC) + starts
        general = [*map(_general_name, names), *map(x509.UniformResourceIdentifier, uris)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name or stem))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + lasts)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        )
        if general:
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        issued = Issued(certificate, key, self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem", self.bundle)
        issued.certificate_file.write_bytes(issued.certificate_pem)
        issued.key_file.write_bytes(issued.key_pem)
        issued.key_file.chmod(0o600)
        return issued

    def crl(self, name: str, *revoked: Issued, lasts: timedelta = timedelta(days=1), der: bool = False) -> Path:
        """A revocation list of this authority with `revoked` on it, which ends `lasts` from now."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(days=2))
            .next_update(now + lasts)
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(hours=2)).build())
        place = self.folder / name
        encoding = serialization.Encoding.DER if der else serialization.Encoding.PEM
        place.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(encoding))
        return place

    def expired(self, stem: str = "expired", **options: object) -> Issued:
        """A leaf that ended yesterday."""
        return self.issue(stem, starts=timedelta(days=-10), lasts=timedelta(days=9), **options)  # type: ignore[arg-type]


def new_authority(folder: Path, name: str = "test") -> Authority:
    """A fresh self-signed authority whose files go to `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(f"{name} authority"))
        .issuer_name(_name(f"{name} authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    authority = Authority(folder, name, certificate, key)
    authority.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
