"""Who may use the admin port by a name of their own: a file of names, roles, and what proves them.

``AGW_ADMIN_PRINCIPALS_FILE`` names it; a line is ``NAME ROLE PROOF``, empty lines and those that begin with # are
passed over. ROLE is ``read`` or ``write``; what a writer may write is said by ``agw:ChangeRight``. PROOF is ``sha256:``
and the SHA-256 of a token in hexadecimal (``agw key new`` makes both), or ``certificate:`` and the SPIFFE ID, DNS name
or mail address of a client certificate.

Client certificates are asked for where the port speaks TLS: ``AGW_ADMIN_CERTIFICATE_FILE`` and ``AGW_ADMIN_KEY_FILE``
(PEM) are what it shows, ``AGW_ADMIN_CLIENT_CA_FILE`` are the authorities whose clients are believed.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError, Origin

__all__ = ["Principal", "Principals", "admin_tls", "load_principals"]

_LINE = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._@-]{0,63})\s+(read|write)\s+(?:sha256:([0-9A-Fa-f]{64})|certificate:(\S{1,2048}))"
)
_TAKEN = frozenset({"admin", "reader", "loopback", "agw"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: ``name`` for the records and for change rights, and whether changes are allowed at all."""

    name: str
    may_write: bool


@dataclass(frozen=True)
class Principals:
    """Those who have names, by the digest of their token and by a name in their certificate."""

    tokens: dict[bytes, Principal] = field(default_factory=dict, repr=False)
    certificates: dict[str, Principal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tokens or self.certificates)

    def by_token(self, given: bytes) -> Principal | None:
        """Whose token it is. Looked up by digest: nobody can tell by the time it takes how near a guess was."""
        return self.tokens.get(sha256(given).digest()) if given and self.tokens else None

    def by_certificate(self, secured: ssl.SSLObject | None) -> Principal | None:
        """Whose certificate the handshake has verified."""
        if secured is None or not self.certificates or secured.context.verify_mode is ssl.CERT_NONE:
            return None
        der = secured.getpeercert(binary_form=True)
        if not der:
            return None
        from api_gateway_service_mesh.security.facts import certificate_facts

        try:
            facts = certificate_facts(der)
        except AgwError:
            return None
        names = (*((facts.identity,) if facts.identity else ()), *facts.dns_names, *facts.emails)
        return next((found for name in names if (found := self.certificates.get(name)) is not None), None)


def load_principals(file: str | None = None) -> Principals:
    """The principals of `file`, or of the one that the environment names; none where there is no file.

    Raises:
        AgwError: it cannot be read, or a line is none.
    """
    place = file or os.environ.get("AGW_ADMIN_PRINCIPALS_FILE")
    found = Principals()
    if not place:
        return found
    try:
        lines = Path(place).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _config(f"the admin principals' file {place} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _LINE.fullmatch(line.strip())
        if parts is None or parts[1] in _TAKEN:
            raise _config(
                f"{place}:{number} is no principal",
                "write NAME ROLE PROOF: deploy write sha256:… or deploy write certificate:spiffe://example.org/deploy",
            )
        who = Principal(parts[1], parts[2] == "write")
        if parts[3]:
            found.tokens[bytes.fromhex(parts[3])] = who
        else:
            found.certificates[parts[4]] = who
    return found


def admin_tls() -> ssl.SSLContext | None:
    """The TLS of the admin port; None where it speaks plain HTTP.

    Raises:
        AgwError: the files are not what they should be.
    """
    certificate, key = os.environ.get("AGW_ADMIN_CERTIFICATE_FILE"), os.environ.get("AGW_ADMIN_KEY_FILE")
    trusted = os.environ.get("AGW_ADMIN_CLIENT_CA_FILE")
    if not certificate:
        if trusted:
            raise _config("AGW_ADMIN_CLIENT_CA_FILE needs TLS", "set AGW_ADMIN_CERTIFICATE_FILE and AGW_ADMIN_KEY_FILE")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key)
        if trusted:
            context.load_verify_locations(trusted)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise _config(f"the TLS files of the admin port cannot be used: {error.strerror or error}") from None
    return context


def _config(message: str, remedy: str | None = None) -> AgwError:
    error = AgwError(message, remedy=remedy)
    error.origin = Origin.CONFIG
    return error
