"""TLS contexts from the model: what the gateway shows and demands on a listener, and towards an upstream.

Rules of this module:

- TLS 1.2 and later; under 1.2 only suites with forward secrecy and authenticated encryption (RFC 9325 §4.2); no
  compression, no renegotiation; ALPN offers ``http/1.1`` alone.
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
from datetime import datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import ConfigError, Finding, Report
from api_gateway_service_mesh.model import Certificate, Endpoint, Listener, Mesh, MtlsMode, UpstreamTls
from api_gateway_service_mesh.vocabulary import AGW

if TYPE_CHECKING:
    from .material import Material

__all__ = ["client_context", "mesh_findings", "server_context", "server_name"]

_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
_REMEMBERED = 512


def server_context(listener: Listener) -> ssl.SSLContext | None:
    """The context of a listener; None when it speaks plain HTTP only.

    STRICT demands a client certificate that the trust bundle vouches for, PERMISSIVE verifies one that is shown
    (one-way TLS where there is no trust bundle to verify with), DISABLE and no mode ask for none (``agw:mtlsMode``).

    Raises:
        ConfigError: mTLS without certificate, STRICT without trust bundle, or files that do not serve (see `material`).
    """
    faults = _listener_faults(listener)
    if faults:
        raise ConfigError(Report(faults))
    if listener.certificate is None:
        return None
    from .material import load_material  # takes a library that takes 40 ms to import: only when there is a certificate

    material = load_material(listener.certificate)
    demand = ssl.CERT_NONE
    if listener.mtls_mode is MtlsMode.STRICT:
        demand = ssl.CERT_REQUIRED
    elif listener.mtls_mode is MtlsMode.PERMISSIVE and material.bundle:
        demand = ssl.CERT_OPTIONAL
    subject = listener.certificate.iri
    return _contexts.get(("server", demand.name, material.digest), lambda: _server(material, demand, subject))


def client_context(tls: UpstreamTls) -> ssl.SSLContext:
    """The context towards an upstream: verifies chain and name with the trust bundle, or with the system's roots where
    none is stated; shows the certificate where there is one (mTLS).

    Raises:
        ConfigError: files that do not serve (see `material`).
    """
    from .material import Material, load_material

    material = load_material(tls.certificate) if tls.certificate is not None else Material()
    subject = tls.certificate.iri if tls.certificate is not None else ""
    return _contexts.get(("client", "", material.digest), lambda: _client(material, subject))


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
        if listener.certificate is not None:
            yield listener.certificate
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
    if mode is MtlsMode.STRICT and certificate.trust_bundle_file is None:
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


def _server(material: Material, demand: ssl.VerifyMode, subject: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    context.verify_mode = demand
    if demand is not ssl.CERT_NONE:
        context.load_verify_locations(cadata=material.bundle)
    _show(context, material, subject)
    return context


def _client(material: Material, subject: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name by default
    _harden(context)
    context.hostname_checks_common_name = False
    if material.bundle:
        context.load_verify_locations(cadata=material.bundle)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if material.chain:
        _show(context, material, subject)
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # A bundle may hold just the intermediate that signs a team's services; it is then the anchor (RFC 5280 §6.1 leaves
    # the choice of anchors to the relying party).
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _show(context: ssl.SSLContext, material: Material, subject: str) -> None:
    descriptor = os.memfd_create("agw-certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as memory:
            memory.write(material.key + material.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
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
    finally:
        os.close(descriptor)


class _Contexts:
    """The contexts made so far by what they are made of, the longest unused forgotten first."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, str, str], ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, content: tuple[str, str, str], make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        with self._lock:
            context = self._made.get(content)
            if context is None:
                context = self._made[content] = make()
                if len(self._made) > _REMEMBERED:
                    self._made.popitem(last=False)
            self._made.move_to_end(content)
            return context


_contexts = _Contexts()
