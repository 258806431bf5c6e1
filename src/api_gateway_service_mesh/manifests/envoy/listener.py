"""Listeners: where Envoy listens, and everything it does with a request before and behind its route."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import Limits, Listener, MtlsMode
from api_gateway_service_mesh.vocabulary import AGW

from .authentication import authentication_filters
from .authorization import authorization_filters
from .compression import compression_filters
from .condition import cidr_ranges, early_fields
from .context import Context
from .cors import cors_filters
from .fault import fault_filters
from .grpc_web import grpc_web_filters
from .rate_limit import ADDRESS_STAGE, STAGE, limit_filter
from .refusal import local_replies
from .secret import ADS, downstream_tls
from .sticky import sticky_filters
from .tracing import manager_tracing
from .typed import EXTENSION, FILTER, NETWORK, Json, extension, seconds

__all__ = ["http_filters", "listener", "listener_name", "manager", "rds"]

_ROUTER: Final = "envoy.filters.http.router"
_JSON_LOG: Final = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "endpoint": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


def http_filters(context: Context) -> list[Json]:
    """All HTTP filters, in the one order there is (`proxy.pipeline` has the same, with the reasons)."""
    filters: list[Json | None] = [
        *cors_filters(context),
        *compression_filters(context),
        *grpc_web_filters(context),
        limit_filter(context, ADDRESS_STAGE),
        *authentication_filters(context),
        *authorization_filters(context),
        limit_filter(context, STAGE),
        *fault_filters(context),
        *sticky_filters(context),
        extension(_ROUTER, f"{FILTER}.router.v3.Router"),
    ]
    return [each for each in filters if each is not None]


def listener_name(each: Listener) -> str:
    """What Envoy calls a listener: its address, since that is what cannot change while it runs."""
    return f"listener-{each.bind_address}-{each.port}"


def manager(context: Context, limits: Listener, routes: Json, prefix: str) -> Json:
    """The HTTP connection manager: `routes` is where its routes are (``rds`` or ``route_config``)."""
    bounds = limits.limits
    trusted = context.mesh.trusted_proxies
    fields: Json = {
        "stat_prefix": prefix,
        **routes,
        "http_filters": http_filters(context),
        "use_remote_address": not trusted,
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "server_header_transformation": "PASS_THROUGH",
        "early_header_mutation_extensions": [_early(context)],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "local_reply_config": local_replies(),
        "request_headers_timeout": seconds(bounds.header_timeout_seconds),
        "max_request_headers_kb": max(1, min(8192, -(-bounds.max_header_bytes // 1024))),
        "common_http_protocol_options": {
            "idle_timeout": seconds(bounds.idle_timeout_seconds),
            "max_headers_count": bounds.max_header_count,
            "headers_with_underscores_action": "ALLOW",
        },
        "http_protocol_options": {"accept_http_10": True, **_trailers(context)},
        **_second(bounds),
        "stream_idle_timeout": "0s",
        "always_set_request_id_in_response": True,
        "access_log": [_access_log()] if context.mesh.access_log else [],
    }
    fields |= manager_tracing(context)
    if context.names_callers:
        fields["forward_client_cert_details"] = "SANITIZE_SET"
        fields["set_current_client_cert_details"] = {"uri": True, "dns": True}
    if trusted:
        kind = f"{EXTENSION}.http.original_ip_detection.xff.v3.XffConfig"
        found = extension(
            "envoy.http.original_ip_detection.xff", kind, xff_trusted_cidrs={"cidrs": cidr_ranges(trusted)}
        )
        fields["original_ip_detection_extensions"] = [found]
        message = "Envoy keeps what strangers say in X-Forwarded fields once it is told of a trusted proxy"
        context.say(differs(context.mesh.iri, AGW.trustedProxy, message))
    return extension("http", f"{NETWORK}.http_connection_manager.v3.HttpConnectionManager", **fields)


def _trailers(context: Context) -> Json:
    """HTTP/1.1's, which Envoy drops otherwise."""
    accepted = any(upstream.accepts_trailers for upstream in context.upstreams.values())
    return {"enable_trailers": True} if accepted else {}


def _second(bounds: Limits) -> Json:
    """HTTP/2: by ALPN, and by prior knowledge."""
    if not bounds.max_concurrent_streams:
        return {"codec_type": "HTTP1"}
    return {"http2_protocol_options": {"max_concurrent_streams": bounds.max_concurrent_streams}}


def _early(context: Context) -> Json:
    """What is done to a request before it is routed: what routes ask for is put into fields; what strangers claim is
    dropped."""
    mutations: list[Json] = [
        {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for name, value in early_fields(context.routes).items()
    ]
    trusted = bool(context.mesh.trusted_proxies)
    if not trusted:
        mutations += [{"remove": name} for name in ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")]
        mutations += [{"remove": "forwarded"}, {"remove": "x-request-id"}]
    mutations += [{"remove": "x-agw-shadow"}]
    kind = f"{EXTENSION}.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    return extension("agw.path", kind, mutations=mutations)


def _access_log() -> Json:
    kind = f"{EXTENSION}.access_loggers.stream.v3.StdoutAccessLog"
    return extension("envoy.access_loggers.stdout", kind, log_format={"json_format": _JSON_LOG})


def listener(context: Context, each: Listener, routes: Json) -> Json:
    """One port."""
    name = listener_name(each)
    http: list[Json] = [manager(context, each, routes, f"ingress_{each.port}")]
    bounds = each.limits
    http.insert(
        0,
        extension(
            "agw.connections",
            f"{NETWORK}.connection_limit.v3.ConnectionLimit",
            stat_prefix=f"connections_{each.port}",
            max_connections=bounds.max_connections,
        ),
    )
    made: Json = {
        "name": name,
        "address": {"socket_address": {"address": each.bind_address, "port_value": each.port}},
        "per_connection_buffer_limit_bytes": 1 << 20,
    }
    socket = downstream_tls(context, each)
    if socket is None:
        made["filter_chains"] = [{"name": "plain", "filters": http}]
    elif each.mtls_mode is MtlsMode.PERMISSIVE:
        made["listener_filters"] = [
            extension(
                "envoy.filters.listener.tls_inspector",
                f"{EXTENSION}.filters.listener.tls_inspector.v3.TlsInspector",
            )
        ]
        made["filter_chains"] = [
            {
                "name": "tls",
                "filter_chain_match": {"transport_protocol": "tls"},
                "filters": http,
                "transport_socket": socket,
            },
            {"name": "plain", "filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": http},
        ]
    else:
        made["filter_chains"] = [{"name": "tls", "filters": http, "transport_socket": socket}]
    if bounds.max_request_line_bytes != type(bounds)().max_request_line_bytes:
        message = f"{each.iri}: Envoy has no bound of its own on the request line; that of the header holds for both"
        context.say(lost(each.iri, AGW.maxRequestLineBytes, message, "leave agw:maxRequestLineBytes at its default"))
    return made


def rds(name: str) -> Json:
    """Routes that are asked for over ADS."""
    return {"rds": {"route_config_name": name, "config_source": ADS}}
