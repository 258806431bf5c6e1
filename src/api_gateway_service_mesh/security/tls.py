"""TLS contexts from the model: what the gateway shows and demands on a listener, and towards an upstream.

Rules of this module:

- TLS 1.2 and later; under 1.2 only suites with forward secrecy and authenticated encryption (RFC 9325 §4.2); no
  compression, no renegotiation; ALPN offers `SERVER_ALPN` and `CLIENT_ALPN`, here and nowhere else.
- Of several certificates the client's SNI chooses: by exact name, then by wildcard, else the first, or none at all
  (``agw:unknownServerName``).
- With a revocation list, every certificate of the other side must be on none; a list that has ended accepts nobody.
- A name is verified against the certificate's subject alternative names only. OpenSSL's fall-back to the common name
  is switched off (RFC 9110 §4.3.4; CA/B baseline 7.1.4.3).
- Keys go from memory to OpenSSL through a memory file: nothing is written to a disk, and what was checked is what is
  loaded, even when the file changes in between.
- A context is made once for its content: a reload that changes nothing gets the context it had.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import ConfigError, Finding, Report
from api_gateway_service_mesh.model import (
    Certificate,
    Endpoint,
    Listener,
    Mesh,
    MtlsMode,
    TlsVersion,
    UnknownServerName,
    UpstreamTls,
)
from api_gateway_service_mesh.vocabulary import AGW

if TYPE_CHECKING:
    from .material import Material

__all__ = [
    "CLIENT_ALPN",
    "SERVER_ALPN",
    "UnaskingContext",
    "client_context",
    "mesh_findings",
    "server_context",
    "server_name",
    "unasking_context",
]

SERVER_ALPN: tuple[str, ...] = ("h2", "http/1.1")
"""What a listener speaks, the preferred first (RFC 7301); one without HTTP/2 speaks `CLIENT_ALPN`."""
CLIENT_ALPN: tuple[str, ...] = ("http/1.1",)
"""What is spoken to upstreams."""

_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VERSIONS = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}
_REMEMBERED = 512


class UnaskingContext(ssl.SSLContext):
    """Of a listener that asks clients for a certificate, what does not: for clients of hosts where nobody looks."""


def server_context(listener: Listener) -> ssl.SSLContext | None:
    """The context of a listener; None when it speaks plain HTTP only.

    STRICT demands a client certificate that the trust bundle vouches for, PERMISSIVE verifies one that is shown
    (one-way TLS where there is no trust bundle to verify with), DISABLE and no mode ask for none (``agw:mtlsMode``);
    no mode does where a route wants to know (``asks_clients``) and there is a trust bundle.

    Raises:
        ConfigError: mTLS without certificate, STRICT without trust bundle, or files that do not serve (see `material`).
    """
    faults = _listener_faults(listener)
    if faults:
        raise ConfigError(Report(faults))
    if listener.certificate is None:
        return None
    trust = _trust(listener)
    demand = ssl.CERT_NONE
    if listener.mtls_mode is MtlsMode.STRICT:
        demand = ssl.CERT_REQUIRED
    elif trust.bundle and (
        listener.mtls_mode is MtlsMode.PERMISSIVE or (listener.mtls_mode is None and listener.asks_clients)
    ):
        demand = ssl.CERT_OPTIONAL
    return _listening(listener, trust, demand, ssl.SSLContext)


def unasking_context(listener: Listener) -> ssl.SSLContext | None:
    """The same without asking for a certificate; None when `server_context` asks nobody, or everybody by its mode.

    Raises:
        ConfigError: as `server_context`.
    """
    if listener.certificate is None or listener.mtls_mode is not None or not listener.asks_clients:
        return None
    trust = _trust(listener)
    return _listening(listener, trust, ssl.CERT_NONE, UnaskingContext) if trust.bundle else None


def _trust(listener: Listener) -> Material:
    from .material import (  # takes a library that takes 40 ms to import: only when there is a certificate
        Material,
        load_material,
    )

    return load_material(listener.trust.trust) if listener.trust is not None else Material()


def _listening(
    listener: Listener, trust: Material, demand: ssl.VerifyMode, kind: type[ssl.SSLContext]
) -> ssl.SSLContext:
    from .material import load_material

    shown = [(load_material(certificate), certificate.iri) for certificate in listener.certificates]
    refuses = listener.unknown_name is UnknownServerName.REFUSE
    lowest = _VERSIONS[listener.minimum_tls]
    alpn = SERVER_ALPN if listener.limits.max_concurrent_streams else CLIENT_ALPN
    digests = (material.digest for material, _ in shown)
    content = (kind.__name__, demand.name, lowest.name, str(refuses), *alpn, trust.digest, *digests)

    def make() -> ssl.SSLContext:
        contexts = [_server(kind, material, trust, demand, lowest, subject, alpn) for material, subject in shown]
        if len(contexts) > 1 or refuses:
            _by_name(contexts, [_dns_names(material) for material, _ in shown], refuses)
        return contexts[0]

    return _contexts.get(content, make)


def client_context(tls: UpstreamTls, alpn: tuple[str, ...] = CLIENT_ALPN) -> ssl.SSLContext:
    """The context towards an upstream: verifies chain and name with the trust bundle, or with the system's roots where
    none is stated; shows the certificate where there is one (mTLS).

    Raises:
        ConfigError: files that do not serve (see `material`).
    """
    from .material import Material, load_material

    material = load_material(tls.certificate) if tls.certificate is not None else Material()
    subject = tls.certificate.iri if tls.certificate is not None else ""
    named = tls.verifies_name
    made = ("client", str(named), *alpn, material.digest)
    return _contexts.get(made, lambda: _client(material, subject, named, alpn))


def server_name(endpoint: Endpoint, tls: UpstreamTls | None) -> str:
    """The name sent as SNI and looked for in the endpoint's certificate: ``agw:serverName``, else the address's host.

    IP addresses are looked for among the certificate's IP names; the ssl module sends no SNI for them (RFC 6066 §3).
    """
    return tls.server_name if tls is not None and tls.server_name else endpoint.host


def mesh_findings(mesh: Mesh, *, moment: datetime | None = None) -> tuple[Finding, ...]:
    """Everything wrong, or soon wrong, with the certificates of a mesh, without raising.

    `moment` is the wall-clock time that expiry is judged at (default: now). Each certificate is judged once.
    """
    findings: dict[Finding, None] = {}
    for listener in mesh.listeners:
        findings.update(dict.fromkeys(_listener_faults(listener)))
    for certificate in _certificates(mesh):
        from .material import inspect_material

        findings.update(dict.fromkeys(inspect_material(certificate, moment=moment)[1]))
    return tuple(findings)


def _certificates(mesh: Mesh) -> Iterator[Certificate]:
    for listener in mesh.listeners:
        yield from listener.certificates
        if listener.client_trust is not None:
            yield listener.client_trust.trust
    for upstream in mesh.upstreams:
        if upstream.tls is not None and upstream.tls.certificate is not None:
            yield upstream.tls.certificate


def _listener_faults(listener: Listener) -> tuple[Finding, ...]:
    mode, certificate = listener.mtls_mode, listener.certificate
    if certificate is None or certificate.certificate_file is None:
        if mode not in (MtlsMode.STRICT, MtlsMode.PERMISSIVE) and certificate is None:
            return ()
        what = f"asks for mTLS ({mode})" if mode else "is given a certificate"
        return (
            Finding(
                code="certificate-missing",
                message=f"The listener on port {listener.port} {what} but names no certificate file.",
                subject=certificate.iri if certificate is not None else listener.iri,
                predicate=AGW.certificateFile if certificate is not None else AGW.hasCertificate,
                remedy="Add agw:hasCertificate with agw:certificateFile and agw:privateKeyRef (see agw cert issue).",
            ),
        )
    if mode is MtlsMode.STRICT and (listener.trust or certificate).trust_bundle_file is None:
        return (
            Finding(
                code="trust-bundle-missing",
                message=f"The listener on port {listener.port} is STRICT but cannot verify clients: no trust bundle.",
                subject=certificate.iri,
                predicate=AGW.trustBundleFile,
                remedy="Add agw:trustBundleFile: the PEM certificates of the authorities whose clients may connect.",
            ),
        )
    return ()


def _server(
    kind: type[ssl.SSLContext],
    material: Material,
    trust: Material,
    demand: ssl.VerifyMode,
    lowest: ssl.TLSVersion,
    subject: str,
    alpn: tuple[str, ...],
) -> ssl.SSLContext:
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    _harden(context, alpn)
    context.minimum_version = lowest
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    context.verify_mode = demand
    if demand is not ssl.CERT_NONE:
        context.load_verify_locations(cadata=trust.bundle)
        _revoke(context, trust)
    _show(context, material, subject)
    return context


def _by_name(contexts: list[ssl.SSLContext], names: list[tuple[str, ...]], refuses: bool) -> None:
    """Let the first of `contexts` give way to that of the name a client asks for; `refuses`: or to nothing."""
    first = contexts[0]
    by_name: dict[str, ssl.SSLContext] = {}
    for context, known in zip(contexts, names, strict=True):
        for name in known:
            by_name.setdefault(name.lower(), context)

    def choose(secured: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
        found = None
        if name is not None:
            asked = name.lower()
            found = by_name.get(asked) or by_name.get(f"*.{asked.partition('.')[2]}")
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if refuses else None
        if found is not first:
            secured.context = found
        return None

    first.sni_callback = choose


def _dns_names(material: Material) -> tuple[str, ...]:
    from cryptography import x509

    from .facts import certificate_facts

    return certificate_facts(x509.load_pem_x509_certificate(material.chain)).dns_names


def _client(material: Material, subject: str, named: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name by default
    _harden(context, alpn)
    context.check_hostname = named
    context.hostname_checks_common_name = False
    if material.bundle:
        context.load_verify_locations(cadata=material.bundle)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _revoke(context, material)
    if material.chain:
        _show(context, material, subject)
    return context


def _revoke(context: ssl.SSLContext, trust: Material) -> None:
    if trust.crl:
        with _in_memory(trust.crl) as place:  # lists are read from files alone
            context.load_verify_locations(cafile=place)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _harden(context: ssl.SSLContext, protocols: tuple[str, ...]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(protocols))
    # A bundle may hold just the intermediate that signs a team's services; it is then the anchor (RFC 5280 §6.1 leaves
    # the choice of anchors to the relying party).
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _show(context: ssl.SSLContext, material: Material, subject: str) -> None:
    try:
        with _in_memory(material.key + material.chain) as place:
            context.load_cert_chain(place)
    except ssl.SSLError as fault:  # weak signature, unusable curve: what only OpenSSL judges
        reason = (fault.reason or "unknown reason").lower().replace("_", " ")
        raise ConfigError(
            Finding(
                code="certificate-unusable",
                message=f"OpenSSL refuses the certificate or its key: {reason}.",
                subject=subject or None,
                predicate=AGW.certificateFile,
                remedy="Use an EC P-256 or RSA key of 2048 bits or more, signed with SHA-256 or better.",
            )
        ) from fault


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """The path of a file with `content` that is on no disk, and gone afterwards."""
    descriptor = os.memfd_create("agw-certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as memory:
            memory.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


class _Contexts:
    """The contexts made so far by what they are made of, the longest unused forgotten first."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, ...], ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, content: tuple[str, ...], make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        with self._lock:
            context = self._made.get(content)
            if context is None:
                context = self._made[content] = make()
                if len(self._made) > _REMEMBERED:
                    self._made.popitem(last=False)
            self._made.move_to_end(content)
            return context


_contexts = _Contexts()
