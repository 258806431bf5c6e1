"""Client certificates as a stage: who may call, and what the backend is told of them.

The listener's handshake has verified chain and revocation before the first byte of a request. Here a route says whether
it takes callers without a certificate, and of which identities; the answer is a 403 in words, where a handshake could
only break off. What is told (``X-Forwarded-Client-Cert``) is written here alone: the field that a client sends has been
dropped, and is read only where the client is a trusted proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import CertificateForwarding, ClientCertificate, MtlsMode
from api_gateway_service_mesh.policies import EventCounters

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["client_certificate_gates"]

_ADMITTED, _REFUSED = 0, 1
_FIELD = b"x-forwarded-client-cert"
_TELLS_OWN = frozenset((CertificateForwarding.SANITIZE_SET, CertificateForwarding.APPEND_FORWARD))
_TELLS_TOLD = frozenset((CertificateForwarding.FORWARD_ONLY, CertificateForwarding.APPEND_FORWARD))


def client_certificate_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gates of a route that looks at client certificates."""
    policy = handler.route.client_certificate
    first = [_directed(policy)] if handler.route.looks_at_certificates else []
    if policy is None:
        return first
    counters = EventCounters(core.cells.view, generation.slots["event", policy.iri], core.worker)
    missing = Refusal(403, "client-certificate-required", "this takes TLS with a client certificate", b"", policy.iri)
    stranger = Refusal(
        403,
        "client-certificate-refused",
        "the client's certificate is not one that may call this",
        b"",
        policy.iri,
        reason="the certificate's identity is none of the policy's",
    )
    looks = policy.mode is not MtlsMode.DISABLE
    demands = policy.mode is MtlsMode.STRICT
    peers, details = policy.peers, policy.details
    tells_own = policy.forwarding in _TELLS_OWN
    tells_told = policy.forwarding in _TELLS_TOLD

    def ask(exchange: Exchange) -> Refusal | None:
        certificate = exchange.certificate if looks else None
        if certificate is None:
            if demands:
                counters.count(_REFUSED)
                return missing
        elif peers and not certificate.is_among(peers):
            counters.count(_REFUSED)
            return stranger
        counters.count(_ADMITTED)
        told = b""
        if tells_told and exchange.from_trusted:
            told = exchange.block.asserted.get(_FIELD, b"")
        if tells_own and certificate is not None:
            own = certificate.element(details)
            told = b"%b,%b" % (told, own) if told else own
        if told:
            exchange.fields += b"X-Forwarded-Client-Cert: %b\r\n" % told
        return None

    return [*first, ask]


def _directed(policy: ClientCertificate | None) -> Gate:
    """Nobody comes by a connection that was opened for a host where no certificate is asked for: 421 has the client
    open one of its own (RFC 9110 §15.5.20), where it is asked."""
    misdirected = Refusal(
        421,
        "misdirected-request",
        "this host asks for a client certificate, and this connection was opened for another",
        b"",
        policy.iri if policy is not None else None,
    )

    def ask(exchange: Exchange) -> Refusal | None:
        return misdirected if exchange.unasked else None

    return ask
