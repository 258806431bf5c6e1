"""Listeners of a gateway (``agw:Listener``)."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import Certificate, Limits, Listener, MutualTls, TlsVersion, UnknownServerName
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["ListenerRow", "listeners"]


@dataclass(frozen=True, slots=True)
class ListenerRow:
    """``listener.rq``."""

    gateway: str
    listener: str
    port: str | None
    bind_address: str | None
    mtls: str | None
    certificate: str | None
    default_certificate: str | None
    minimum_tls: str | None
    unknown_name: str | None
    max_request_line_bytes: str | None
    max_header_bytes: str | None
    max_header_count: str | None
    header_timeout: str | None
    idle_timeout: str | None
    max_connections: str | None
    max_streams: str | None


def listeners(
    rows: Iterable[ListenerRow],
    settings: Mapping[str, MutualTls],
    certificates: Mapping[str, Certificate],
    reading: Reading,
) -> Mapping[str, tuple[Listener, ...]]:
    """The listeners of each gateway, by gateway IRI; no two of one gateway on the same address and port."""
    found: dict[str, dict[str, Listener]] = defaultdict(dict)
    for row in rows:
        known = found[row.gateway].get(row.listener)
        if known is not None:
            found[row.gateway][row.listener] = _with_certificate(known, row, certificates, reading)
            continue
        listener = _listener(row, settings, certificates, reading)
        for other in found[row.gateway].values():
            if (other.port, other.bind_address) == (listener.port, listener.bind_address):
                place = reading.graph.locate(other.iri, AGW.port)
                reading.note(
                    "port-stated-twice",
                    f"{name_of(listener.iri)} and {name_of(other.iri)} listen on one {other.bind_address}:{other.port}",
                    listener.iri,
                    AGW.port,
                    str(listener.port),
                    remedy="give one of them another port or address",
                    related=(place,) if place else (),
                )
        found[row.gateway][listener.iri] = listener
    return {gateway: tuple(by_iri.values()) for gateway, by_iri in found.items()}


def _listener(
    row: ListenerRow, settings: Mapping[str, MutualTls], certificates: Mapping[str, Certificate], reading: Reading
) -> Listener:
    iri = row.listener
    mtls = reading.known(iri, AGW.hasMutualTLS, row.mtls, settings, "agw:MutualTLS")
    first = row.default_certificate or row.certificate
    term = AGW.hasCertificate if row.default_certificate is None else AGW.defaultCertificate
    own = reading.known(iri, term, first, certificates, "agw:Certificate")
    trust = mtls.certificate if mtls else None
    address = row.bind_address or Listener(iri, 0).bind_address
    try:
        address = str(ipaddress.ip_address(address))
    except ValueError:
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:bindAddress is {address!r}, which is no IP address",
            iri,
            AGW.bindAddress,
            address,
            allowed='an address of this machine; "0.0.0.0" or "::" for all of them',
        )
    listener = Listener(
        iri,
        reading.integer(iri, AGW.port, row.port, 8080),
        address,
        own or trust,
        mtls.mode if mtls else None,
        _limits(row, reading),
        client_trust=trust.trust if own and trust and trust != own and trust.trust_bundle_file else None,
        minimum_tls=reading.choice(
            iri, AGW.minimumTlsVersion, row.minimum_tls, TlsVersion, Listener("", 0).minimum_tls
        ),
        unknown_name=reading.choice(
            iri, AGW.unknownServerName, row.unknown_name, UnknownServerName, Listener("", 0).unknown_name
        ),
    )
    return _with_certificate(listener, row, certificates, reading)


def _with_certificate(
    listener: Listener, row: ListenerRow, certificates: Mapping[str, Certificate], reading: Reading
) -> Listener:
    """`listener` with one certificate more, when the row names one that it does not have yet."""
    more = reading.known(row.listener, AGW.hasCertificate, row.certificate, certificates, "agw:Certificate")
    if more is None or more in listener.certificates:
        return listener
    return replace(listener, more_certificates=(*listener.more_certificates, more))


def _limits(row: ListenerRow, reading: Reading) -> Limits:
    iri, defaults = row.listener, Limits()
    return Limits(
        reading.integer(iri, AGW.maxRequestLineBytes, row.max_request_line_bytes, defaults.max_request_line_bytes),
        reading.integer(iri, AGW.maxHeaderBytes, row.max_header_bytes, defaults.max_header_bytes),
        reading.integer(iri, AGW.maxHeaderCount, row.max_header_count, defaults.max_header_count),
        reading.seconds(iri, AGW.headerTimeout, row.header_timeout, defaults.header_timeout_seconds),
        reading.seconds(iri, AGW.idleTimeout, row.idle_timeout, defaults.idle_timeout_seconds),
        reading.integer(iri, AGW.maxConnections, row.max_connections, defaults.max_connections),
        reading.integer(iri, AGW.maxConcurrentStreams, row.max_streams, defaults.max_concurrent_streams),
    )
