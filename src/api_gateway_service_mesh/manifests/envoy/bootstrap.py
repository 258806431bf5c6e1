"""What an Envoy is started with: everything, or where to ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .resources import Resources
from .typed import Json, extension, seconds

__all__ = ["CONTROL_PLANE", "ControlPlane", "dynamic_bootstrap", "static_bootstrap"]


CONTROL_PLANE: Final = "agw.control-plane"
"""The cluster through which an Envoy reaches agw."""

_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where agw's xDS port is (``host`` may be the path of a socket). With ``trust_bundle`` the connection is TLS, with
    ``certificate`` and ``key`` mutual."""

    host: str
    port: int
    trust_bundle: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None


def _admin(address: str | None) -> Json:
    """Envoy's own admin side: ``host:port``, or a path for a socket."""
    return {} if address is None else {"admin": {"address": _place(*_parted(address))}}


def _parted(address: str) -> tuple[str, int]:
    if address.startswith("/"):
        return address, 0
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _place(host: str, port: int) -> Json:
    if host.startswith("/"):
        return {"pipe": {"path": host}}
    return {"socket_address": {"address": host, "port_value": port}}


def static_bootstrap(resources: Resources, *, node: str, admin: str | None) -> Json:
    """A file that holds all of `resources`; they must not be dynamic. `admin`: ``host:port`` of Envoy's own admin
    side."""
    return {
        "node": {"id": node, "cluster": "agw"},
        **_admin(admin),
        "static_resources": {
            "listeners": list(resources.listeners.values()),
            "clusters": list(resources.clusters.values()),
            "secrets": list(resources.secrets.values()),
        },
    }


def dynamic_bootstrap(
    plane: ControlPlane, *, node: str, admin: str | None, delta: bool = True, labels: Sequence[str] = ()
) -> Json:
    """A file that says where agw is; everything else comes from there, over one stream. `delta`: only what changes."""
    cluster: Json = {
        "name": CONTROL_PLANE,
        "type": "STATIC" if plane.host[:1] == "/" or _is_address(plane.host) else "STRICT_DNS",
        "connect_timeout": seconds(5.0),
        "load_assignment": {
            "cluster_name": CONTROL_PLANE,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _place(plane.host, plane.port)}}]}],
        },
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "explicit_http_config": {
                    "http2_protocol_options": {
                        "connection_keepalive": {"interval": seconds(10.0), "timeout": seconds(5.0)}
                    }
                },
            }
        },
    }
    if plane.trust_bundle is not None:
        cluster["transport_socket"] = _tls(plane)
    again = {"retry_back_off": {"base_interval": seconds(0.25), "max_interval": seconds(5.0)}}
    service = {"envoy_grpc": {"cluster_name": CONTROL_PLANE, "retry_policy": again}}
    ads = {
        "api_type": "DELTA_GRPC" if delta else "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [service],
        "set_node_on_first_message_only": True,
    }
    source = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": node, "cluster": "agw", "metadata": {"labels": list(labels)}},
        **_admin(admin),
        "dynamic_resources": {"ads_config": ads, "lds_config": source, "cds_config": source},
        "static_resources": {"clusters": [cluster]},
    }


def _tls(plane: ControlPlane) -> Json:
    name = plane.server_name or plane.host
    checked: Json = {"trusted_ca": {"filename": str(plane.trust_bundle)}}
    kind = "IP_ADDRESS" if _is_address(name) else "DNS"
    checked["match_typed_subject_alt_names"] = [{"san_type": kind, "matcher": {"exact": name}}]
    common: Json = {"validation_context": checked, "alpn_protocols": ["h2"]}
    if plane.certificate is not None and plane.key is not None:
        pair = {"certificate_chain": {"filename": str(plane.certificate)}, "private_key": {"filename": str(plane.key)}}
        common["tls_certificates"] = [pair]
    fields: Json = {"common_tls_context": common}
    if kind == "DNS":
        fields["sni"] = name
    return extension(
        "envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", **fields
    )


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
