"""TLS on both sides, and the secrets it takes: by name, over SDS or from the same file."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.model import (
    Certificate,
    Endpoint,
    Listener,
    MtlsMode,
    PeerNames,
    TlsVersion,
    Upstream,
)
from api_gateway_service_mesh.model.mtls import ANYBODY

from .context import Context
from .typed import TRANSPORT, Json, extension

__all__ = ["ADS", "SYSTEM_ROOTS", "awaited", "downstream_tls", "secrets", "trust_name", "upstream_tls"]

ADS: Final[Json] = {"ads": {}, "resource_api_version": "V3"}
"""Where to ask for a resource, when it is not in the same file."""

SYSTEM_ROOTS: Final = "/etc/ssl/certs/ca-certificates.crt"
"""The roots of the machine that Envoy runs on, as Debian, Alpine and their kin have them."""

_VERSION: Final = {TlsVersion.TLS_1_2: "TLSv1_2", TlsVersion.TLS_1_3: "TLSv1_3"}
_SOCKET: Final = "envoy.transport_sockets.tls"


def trust_name(iri: str) -> str:
    """The name of the secret with the trust bundle of a certificate."""
    return f"{iri}#trust"


def downstream_tls(context: Context, listener: Listener) -> Json | None:
    """The transport socket of a listener; None for plain text."""
    certificate = listener.certificate
    if certificate is None:
        return None
    common = _common(context, *listener.certificates)
    common["tls_params"]["tls_minimum_protocol_version"] = _VERSION[listener.minimum_tls]
    trust = listener.trust
    asked = listener.mtls_mode not in (None, MtlsMode.DISABLE) or listener.asks_clients
    if asked and trust is not None and trust.trust_bundle_file:
        context.certificates.setdefault(trust.iri, trust)
        common["validation_context_sds_secret_config"] = _sds(context, trust_name(trust.iri))
    common["alpn_protocols"] = ["h2", "http/1.1"] if listener.limits.max_concurrent_streams else ["http/1.1"]
    fields: Json = {"common_tls_context": common}
    if listener.mtls_mode is MtlsMode.STRICT:
        fields["require_client_certificate"] = True
    return extension(_SOCKET, f"{TRANSPORT}.tls.v3.DownstreamTlsContext", **fields)


def upstream_tls(context: Context, upstream: Upstream, endpoints: tuple[Endpoint, ...]) -> Json | None:
    """The transport socket towards an upstream; None for plain text."""
    if not any(endpoint.tls for endpoint in endpoints):
        return None
    tls = upstream.tls
    certificate = tls.certificate if tls is not None else None
    name = tls.server_name if tls is not None and tls.server_name else endpoints[0].host
    common = _common(context, certificate) if certificate is not None else {}
    names = [_alternative(name)] if tls is None or tls.verifies_name else []
    checked: dict[str, Any] = {"match_typed_subject_alt_names": [*names, *_peers(tls.peers if tls else ANYBODY)]}
    if certificate is not None and certificate.trust_bundle_file:
        common["combined_validation_context"] = {
            "default_validation_context": checked,
            "validation_context_sds_secret_config": _sds(context, trust_name(certificate.iri)),
        }
    else:
        common["validation_context"] = {"trusted_ca": {"filename": SYSTEM_ROOTS}, **checked}
    fields: Json = {"common_tls_context": common}
    if not _is_address(name):
        fields["sni"] = name
    return extension(_SOCKET, f"{TRANSPORT}.tls.v3.UpstreamTlsContext", **fields)


def _alternative(name: str) -> Json:
    if "://" in name:
        return {"san_type": "URI", "matcher": {"exact": name}}
    return {"san_type": "IP_ADDRESS" if _is_address(name) else "DNS", "matcher": {"exact": name}}


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _common(context: Context, *certificates: Certificate) -> Json:
    context.certificates.update({certificate.iri: certificate for certificate in certificates})
    shown = [each.iri for each in certificates if each.certificate_file]
    common: Json = {"tls_params": {"tls_minimum_protocol_version": "TLSv1_2"}}
    if shown:
        common["tls_certificate_sds_secret_configs"] = [_sds(context, iri) for iri in shown]
    return common


def _peers(peers: PeerNames) -> list[Json]:
    """Who the other side may be: one of these is enough."""
    made: list[Json] = []
    for text in peers.spiffe_ids:
        matcher = {"prefix": text[:-1]} if text.endswith("/*") else {"exact": text}
        made.append({"san_type": "URI", "matcher": matcher})
    made += [{"san_type": "URI", "matcher": {"prefix": f"spiffe://{domain}/"}} for domain in peers.trust_domains]
    return [*made, *map(_alternative, peers.names)]


def _sds(context: Context, name: str) -> Json:
    return {"name": name, "sds_config": ADS} if context.dynamic else {"name": name}


def secrets(context: Context) -> dict[str, Json]:
    """The secrets that listeners and clusters refer to. They say where a key is, never what it is; what an authority
    issues is one file with both."""
    made: dict[str, Json] = {}
    for iri, certificate in sorted(context.certificates.items()):
        if certificate.certificate_file:
            pair = {
                "certificate_chain": {"filename": certificate.certificate_file},
                "private_key": _source(certificate.private_key_ref or f"file:{certificate.certificate_file}"),
            }
            made[iri] = {"name": iri, "tls_certificate": pair}
        if certificate.trust_bundle_file:
            trusted: Json = {"trusted_ca": {"filename": certificate.trust_bundle_file}}
            if certificate.crl_file:
                trusted["crl"] = {"filename": certificate.crl_file}
            made[trust_name(iri)] = {"name": trust_name(iri), "validation_context": trusted}
    return made


def awaited(context: Context) -> frozenset[str]:
    """The names of the secrets that an authority issues."""
    issued = (iri for iri, certificate in context.certificates.items() if certificate.authority is not None)
    return frozenset(name for iri in issued for name in (iri, trust_name(iri)))


def _source(reference: str) -> Json:
    kind, _, rest = reference.partition(":")
    return {"environment_variable": rest} if kind == "env" else {"filename": rest}
