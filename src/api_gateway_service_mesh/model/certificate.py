"""Certificates, keys and trust bundles by reference (``agw:Certificate``); no key material ever stands in the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Absolute paths of PEM files; ``private_key_ref`` is ``file:PATH`` or ``env:NAME``. ``rotation_seconds`` is how
    long a certificate is used before it is replaced. ``crl_file`` (PEM or DER) says which certificates of the bundle's
    authorities are revoked; without a valid list of theirs nobody is accepted then."""

    iri: str
    certificate_file: str | None = None
    private_key_ref: str | None = None
    trust_bundle_file: str | None = None
    rotation_seconds: float | None = None
    crl_file: str | None = None

    @property
    def trust(self) -> Certificate:
        """What the other side is verified with, alone."""
        return replace(self, certificate_file=None, private_key_ref=None)
