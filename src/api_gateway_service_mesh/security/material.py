"""Reading what a `Certificate` of the model refers to: chain, key and trust bundle, checked as a person would.

OpenSSL's own words for a wrong file are "PEM lib" and "key values mismatch". Everything is therefore parsed and checked
here first, and each fault becomes a `Finding` that names the file, the property and the remedy. Key material lives in
`Material.key` alone, which no printed form shows.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from api_gateway_service_mesh.errors import ConfigError, Finding, Report, Severity
from api_gateway_service_mesh.model import Certificate

__all__ = ["AGW", "Material", "inspect_material", "load_material"]

AGW = "https://ggen.ai/ontology/api-gateway#"
_CRL_BEGIN, _CRL_END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
_LARGEST_FILE_BYTES = 4 * 1024 * 1024  # the whole Mozilla root program is a quarter of a megabyte


@dataclass(frozen=True, slots=True)
class Material:
    """PEM bytes ready for OpenSSL. `digest` identifies the content (not the paths)."""

    chain: bytes = b""
    key: bytes = field(default=b"", repr=False)
    bundle: str = ""
    crl: bytes = b""
    digest: str = ""


def load_material(certificate: Certificate, *, moment: datetime | None = None) -> Material:
    """Chain, key and bundle of `certificate`, each where it is stated.

    Raises:
        ConfigError: a file is missing, is not PEM, is encrypted, or key and certificate do not belong together.
    """
    material, findings = inspect_material(certificate, moment=moment)
    report = Report(findings)
    if not report.conforms:
        raise ConfigError(report)
    return material


def inspect_material(
    certificate: Certificate, *, moment: datetime | None = None
) -> tuple[Material, tuple[Finding, ...]]:
    """What `load_material` gives, and what to say about it (expiry: a warning, judged at `moment` or now)."""
    reader = _Reader(certificate, moment or datetime.now(UTC))
    material = reader.material()
    return material, tuple(reader.findings)


class _Reader:
    """Reads one certificate and gathers what is wrong."""

    def __init__(self, certificate: Certificate, moment: datetime) -> None:
        self._certificate = certificate
        self._moment = moment
        self.findings: list[Finding] = []

    def material(self) -> Material:
        stated = self._certificate
        if (
            stated.authority is not None
            and not Path(stated.certificate_file or stated.trust_bundle_file or "").exists()
        ):
            return self._awaited(stated)
        chain_bytes = b""
        chain: list[x509.Certificate] = []
        if stated.certificate_file is not None:
            chain_bytes, chain = self._certificates("certificateFile", stated.certificate_file)
            if chain:
                self._judge_period(chain[0], stated.certificate_file)
        key = self._key(chain, chain_bytes) if stated.private_key_ref or stated.certificate_file else b""
        bundle = ""
        if stated.trust_bundle_file is not None:
            _, roots = self._certificates("trustBundleFile", stated.trust_bundle_file)
            bundle = "".join(root.public_bytes(serialization.Encoding.PEM).decode() for root in roots)
        crl = self._revocations(stated.crl_file) if stated.crl_file is not None else b""
        pem = b"".join(link.public_bytes(serialization.Encoding.PEM) for link in chain)
        digest = hashlib.sha256(b"\0".join((pem, key, bundle.encode(), crl))).hexdigest()
        return Material(pem, key, bundle, crl, digest)

    def _awaited(self, stated: Certificate) -> Material:
        """What an authority has yet to issue: shown is a stand-in, and trusted is nobody."""
        from .standin import stand_in

        pem, key = stand_in(stated.iri)
        shown = stated.certificate_file is not None
        bundle = pem.decode() if stated.trust_bundle_file is not None else ""
        chain, key = (pem, key) if shown else (b"", b"")
        digest = hashlib.sha256(b"\0".join((chain, key, bundle.encode()))).hexdigest()
        return Material(chain, key, bundle, b"", digest)

    def _revocations(self, path: str) -> bytes:
        """The lists of a file, as PEM. One that has ended revokes everybody: nobody can say who is not on the next."""
        content = self._read("crlFile", path)
        if content is None:
            return b""
        try:
            lists = [
                x509.load_pem_x509_crl(part + _CRL_END) for part in content.split(_CRL_END)[:-1] if _CRL_BEGIN in part
            ] or [x509.load_der_x509_crl(content)]
        except ValueError:
            message = f"{path} holds no certificate revocation list."
            self._fault("crl-not-pem", message, "crlFile", path, "Name a CRL in PEM (-----BEGIN X509 CRL-----) or DER.")
            return b""
        for each in lists:
            ends = each.next_update_utc
            if ends is not None and self._moment > ends:
                message = f"The revocation list in {path} ended on {ends:%Y-%m-%d %H:%M} UTC: nobody is accepted now."
                remedy = "Put the authority's current list there (agw cert crl); agw takes it without a restart."
                self._fault("crl-expired", message, "crlFile", path, remedy, Severity.WARNING)
        return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in lists)

    def _certificates(self, term: str, path: str) -> tuple[bytes, list[x509.Certificate]]:
        content = self._read(term, path)
        if content is None:
            return b"", []
        try:
            return content, x509.load_pem_x509_certificates(content)
        except ValueError:
            remedy = "A PEM certificate starts with -----BEGIN CERTIFICATE-----."
            if content[:1] == b"0":
                remedy = f"It looks like DER; convert it: openssl x509 -inform der -in {path} -out {path}.pem"
            elif b"PRIVATE KEY-----" in content:
                remedy = "It holds a private key; agw:certificateFile and agw:privateKeyRef may be interchanged."
            self._fault("certificate-not-pem", f"{path} holds no PEM certificate.", term, path, remedy)
            return content, []

    def _key(self, chain: list[x509.Certificate], chain_bytes: bytes) -> bytes:
        """The key as unencrypted PEM; b"" when something is wrong with it (said in `findings`)."""
        reference = self._certificate.private_key_ref
        file = self._certificate.certificate_file
        if reference is None:
            if b"PRIVATE KEY-----" not in chain_bytes:
                if chain:
                    message = f"The certificate {file} has no private key: agw:privateKeyRef is missing."
                    remedy = 'Add agw:privateKeyRef "file:PATH" or "env:NAME".'
                    self._fault("key-missing", message, "privateKeyRef", None, remedy)
                return b""
            source, content = str(file), chain_bytes
        else:
            found = self._key_source(reference)
            if found is None:
                return b""
            source, content = found
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except TypeError:
            remedy = f"Decrypt it once (openssl pkey -in {source}) and guard the file by its permissions (0600)."
            self._fault(
                "key-encrypted", f"The private key in {source} is encrypted.", "privateKeyRef", reference, remedy
            )
            return b""
        except (ValueError, UnsupportedAlgorithm):
            remedy = "A PEM key starts with -----BEGIN PRIVATE KEY----- (or EC / RSA PRIVATE KEY)."
            self._fault("key-not-pem", f"{source} holds no PEM private key.", "privateKeyRef", reference, remedy)
            return b""
        public = key.public_key()
        if not isinstance(
            public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
        ):
            message = f"The private key in {source} is of a kind TLS servers do not use."
            self._fault("key-kind", message, "privateKeyRef", reference, "Use an EC P-256 or an RSA key.")
            return b""
        if isinstance(public, rsa.RSAPublicKey) and public.key_size < 2048:
            message = f"The RSA key in {source} has {public.key_size} bits; clients refuse fewer than 2048."
            self._fault(
                "key-weak", message, "privateKeyRef", reference, "Use an EC P-256 key, or RSA of 2048 bits or more."
            )
            return b""
        if chain and _spki(public) != _spki(chain[0].public_key()):
            message = f"The private key in {source} does not belong to the certificate in {file}."
            remedy = "The first certificate of the file must be the server's own; take the key it was requested with."
            self._fault("key-mismatch", message, "privateKeyRef", reference, remedy)
            return b""
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _key_source(self, reference: str) -> tuple[str, bytes] | None:
        kind, _, name = reference.partition(":")
        if kind == "env" and name:
            value = os.environ.get(name)
            if value is None:
                message = f"The private key is to come from the environment variable {name}, which is not set."
                self._fault(
                    "key-missing", message, "privateKeyRef", reference, f"Set {name} to the PEM text of the key."
                )
                return None
            return f"the environment variable {name}", value.encode("utf-8", "surrogateescape")
        if kind == "file" and name:
            content = self._read("privateKeyRef", name)
            return None if content is None else (name, content)
        # The value is not shown: whatever stands here may be the key itself.
        message = "agw:privateKeyRef is neither file:PATH nor env:NAME."
        self._fault("key-reference", message, "privateKeyRef", None, 'Write "file:PATH" or "env:NAME", never the key.')
        return None

    def _read(self, term: str, path: str) -> bytes | None:
        try:
            with Path(path).open("rb") as file:
                content = file.read(_LARGEST_FILE_BYTES + 1)
        except OSError as fault:
            message = f"{path} cannot be read: {fault.strerror}."
            remedy = "Name a readable PEM file."
            if isinstance(fault, FileNotFoundError):
                remedy = "Paths are relative to the file that states them; agw cert issue makes certificates."
            elif isinstance(fault, PermissionError):
                remedy = "Let the user that runs agw read it."
            self._fault("certificate-file", message, term, path, remedy)
            return None
        if len(content) > _LARGEST_FILE_BYTES:
            self._fault("certificate-file", f"{path} is larger than 4 MiB.", term, path, "Name a PEM file.")
            return None
        return content

    def _judge_period(self, leaf: x509.Certificate, path: str) -> None:
        begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        message = None
        if self._moment > ends:
            code, message = "certificate-expired", f"The certificate in {path} expired on {ends:%Y-%m-%d %H:%M} UTC."
        elif self._moment < begins:
            code = "certificate-not-yet-valid"
            message = f"The certificate in {path} is not valid before {begins:%Y-%m-%d %H:%M} UTC."
        elif ends - self._moment < min(timedelta(days=14), (ends - begins) / 3):
            # With a third of its life left certbot, cert-manager and SPIRE have renewed a certificate.
            code, message = (
                "certificate-expires-soon",
                f"The certificate in {path} expires on {ends:%Y-%m-%d %H:%M} UTC.",
            )
        if message is not None:
            remedy = "Replace it; agw takes the new file at the next reload without dropping connections."
            self._fault(code, message, "certificateFile", path, remedy, Severity.WARNING)

    def _fault(
        self,
        code: str,
        message: str,
        term: str,
        value: str | None,
        remedy: str | None,
        severity: Severity = Severity.VIOLATION,
    ) -> None:
        self.findings.append(
            Finding(
                code=code,
                message=message,
                severity=severity,
                subject=self._certificate.iri,
                predicate=AGW + term,
                value=value,
                remedy=remedy,
            )
        )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
