"""Who the other side of a TLS connection is, by the certificate that the handshake verified.

OpenSSL verifies the chain, not the identity: which SPIFFE ID or name a certificate must have is judged here, on names
read from the DER bytes (`facts`), in which nothing can pose as something else.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import CertificateDetail, PeerNames

if TYPE_CHECKING:
    from .facts import CertificateFacts

__all__ = ["PeerCertificate", "is_among", "peer_certificate"]


class PeerCertificate:
    """A verified certificate of the other side. What it says is read when it is first asked for."""

    __slots__ = ("_elements", "_facts", "_verdicts", "der")

    def __init__(self, der: bytes) -> None:
        self.der = der
        self._facts: CertificateFacts | None = None
        self._verdicts: dict[PeerNames, bool] = {}
        self._elements: dict[tuple[CertificateDetail, ...], bytes] = {}

    @property
    def facts(self) -> CertificateFacts | None:
        """All that it says; None when its names cannot be read, and it is nobody then."""
        if self._facts is None:
            from .facts import certificate_facts  # takes a library that takes 40 ms to import

            try:
                self._facts = certificate_facts(self.der)
            except AgwError:
                return None
        return self._facts

    @property
    def spiffe_id(self) -> str | None:
        """The SPIFFE ID, where there is exactly one URI name and it is one."""
        facts = self.facts
        return facts.identity if facts is not None else None

    @property
    def names(self) -> tuple[str, ...]:
        """All alternative names: DNS names, URIs, IP and mail addresses. Printable (see `facts`)."""
        facts = self.facts
        return () if facts is None else (*facts.dns_names, *facts.uris, *facts.ip_addresses, *facts.emails)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    def is_among(self, peers: PeerNames) -> bool:
        """Whether it is one of `peers` (remembered: a connection is asked the same again and again)."""
        verdict = self._verdicts.get(peers)
        if verdict is None:
            facts = self.facts
            verdict = self._verdicts[peers] = facts is not None and is_among(facts, peers)
        return verdict

    def element(self, details: tuple[CertificateDetail, ...]) -> bytes:
        """What ``X-Forwarded-Client-Cert`` says of it, in Envoy's form: ``Hash=…;Subject="…";URI=…;DNS=…``."""
        found = self._elements.get(details)
        if found is None:
            found = self._elements[details] = self._element(details).encode("ascii")
        return found

    def _element(self, details: tuple[CertificateDetail, ...]) -> str:
        parts = [f"Hash={self.fingerprint}"]
        facts = self.facts
        if facts is None:
            return parts[0]
        if CertificateDetail.CERT in details:
            parts.append(f'Cert="{quote(ssl.DER_cert_to_PEM_cert(self.der), safe="")}"')
        if CertificateDetail.SUBJECT in details:
            parts.append(f"Subject={_quoted(facts.subject, always=True)}")
        if CertificateDetail.URI in details:
            parts += [f"URI={_quoted(uri)}" for uri in facts.uris]
        if CertificateDetail.DNS in details:
            parts += [f"DNS={_quoted(name)}" for name in facts.dns_names]
        return ";".join(parts)


def peer_certificate(secured: ssl.SSLObject | None) -> PeerCertificate | None:
    """The certificate that the other side showed and that was verified; None when there is none."""
    if secured is None or secured.context.verify_mode is ssl.CERT_NONE:
        return None
    der = secured.getpeercert(binary_form=True)
    return PeerCertificate(der) if der else None


def is_among(facts: CertificateFacts, peers: PeerNames) -> bool:
    """Whether a certificate belongs to one of `peers`; to be asked only of one whose chain is verified."""
    identity = facts.identity
    if identity is not None:
        for wanted in peers.spiffe_ids:
            if identity == wanted or (wanted.endswith("/*") and identity.startswith(wanted[:-1])):
                return True
        if identity.removeprefix("spiffe://").partition("/")[0] in peers.trust_domains:
            return True
    exact = {*facts.uris, *facts.ip_addresses, *facts.emails}
    hosts = [name.lower() for name in facts.dns_names]
    for name in peers.names:
        if name in exact:
            return True
        wanted = name.lower()
        # A wildcard in the configuration stands for one label; one in a certificate, for one label of the name asked.
        for host in hosts:
            if host == wanted or _covers(wanted, host) or _covers(host, wanted):
                return True
    return False


def _covers(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return False
    label, dot, rest = name.partition(".")
    return bool(dot) and bool(label) and label != "*" and rest == pattern[2:]


def _quoted(text: str, *, always: bool = False) -> str:
    """Envoy quotes a value that holds one of ``,;="`` and escapes quotes in it."""
    if not always and not any(char in text for char in ',;="\\ '):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
