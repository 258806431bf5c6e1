"""Certificates, keys and trust bundles by reference (``agw:Certificate``); no key material ever stands in the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .authority import CertificateAuthority

__all__ = ["Certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Absolute paths of PEM files; ``private_key_ref`` is ``file:PATH`` or ``env:NAME``. ``rotation_seconds`` is how
    long a certificate is used before it is replaced. ``crl_file`` (PEM or DER) says which certificates of the bundle's
    authorities are revoked; without a valid list of theirs nobody is accepted then. ``authority`` issues it for
    ``names`` (DNS names, IP addresses, SPIFFE IDs): then ``certificate_file`` holds the key, too. Agw's own authority
    makes it valid for ``lifetime_seconds``."""

    iri: str
    certificate_file: str | None = None
    private_key_ref: str | None = None
    trust_bundle_file: str | None = None
    rotation_seconds: float | None = None
    crl_file: str | None = None
    authority: CertificateAuthority | None = None
    names: tuple[str, ...] = ()
    lifetime_seconds: float = 90 * 86400.0

    @property
    def trust(self) -> Certificate:
        """What the other side is verified with, alone."""
        return replace(self, certificate_file=None, private_key_ref=None)
