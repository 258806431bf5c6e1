"""Envoy: one worker, as an edge proxy, without statistics sinks; routes as one virtual host's list (the naive table)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..arrangement import SAMPLED, Arrangement, Layer, RouteKind, RoutePattern, Tls
from .peer import Peer

__all__ = ["Envoy", "configuration"]

_TYPE = "type.googleapis.com/envoy."
_FILTERS = f"{_TYPE}extensions.filters"
_ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
_PLENTY = {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"}

Tree = dict[str, Any]


class Envoy(Peer):
    """See the module."""

    name = "envoy"

    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        file = arrangement.folder / f"{stem}.json"
        log = self.access_log(arrangement, stem)
        file.write_text(json.dumps(configuration(arrangement, port, log)))
        assert self.executable is not None
        return [
            self.executable, "-c", str(file), "--concurrency", str(arrangement.workers), "-l", "error",
            "--disable-hot-restart",
        ]  # fmt: skip


def configuration(arrangement: Arrangement, port: int, log: Path) -> Tree:
    """The arrangement as a static bootstrap."""
    layers = arrangement.layers
    manager: Tree = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "use_remote_address": True,
        "generate_request_id": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "http_filters": [
            *_filters(arrangement),
            {"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}},
        ],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [_route(one, layers) for one in arrangement.routes]}
            ]
        },
    }
    if arrangement.hostile:
        # Its edge guide: docs/root/configuration/best_practices/edge.rst
        manager |= {
            "normalize_path": True,
            "merge_slashes": True,
            "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
            "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        }
    if Layer.ACCESS_LOG in layers:
        # Its default format, which is text: cheaper than a JSON line.
        typed = {"@type": f"{_TYPE}extensions.access_loggers.file.v3.FileAccessLog", "path": str(log)}
        manager["access_log"] = [{"name": "file", "typed_config": typed}]
    chain: Tree = {"filters": [{"name": "http", "typed_config": manager}]}
    if arrangement.front is not Tls.NONE:
        chain["transport_socket"] = _tls("DownstreamTlsContext", arrangement, arrangement.front)
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "front", "address": address, "filter_chains": [chain]}
    clusters = [_cluster(arrangement)]
    bootstrap: Tree = {"static_resources": {"listeners": [listener], "clusters": clusters}}
    if Layer.TRACING in layers:
        manager["tracing"] = _tracing(arrangement)
        clusters.append(_collector(arrangement))
        # In batches, once a second, as agw sends them: by default every fifth span makes a request.
        batches = {"tracing.opentelemetry.min_flush_spans": 512, "tracing.opentelemetry.flush_interval_ms": 1000}
        bootstrap["layered_runtime"] = {"layers": [{"name": "static", "static_layer": batches}]}
    return bootstrap


def _filters(arrangement: Arrangement) -> list[Tree]:
    found: list[Tree] = []
    if Layer.JWT in arrangement.layers:
        provider = {
            "issuer": "https://issuer.example/",
            "audiences": ["benchmark"],
            "forward": True,
            "local_jwks": {"filename": str(arrangement.key_set)},
            "jwt_cache_config": {"jwt_cache_size": 1000},
        }
        found.append(
            {
                "name": "jwt",
                "typed_config": {
                    "@type": f"{_FILTERS}.http.jwt_authn.v3.JwtAuthentication",
                    "providers": {"issuer": provider},
                    "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
                },
            }
        )
    if Layer.RATE_LIMIT in arrangement.layers:
        found.append(
            {
                "name": "limit",
                "typed_config": {
                    "@type": f"{_FILTERS}.http.local_ratelimit.v3.LocalRateLimit",
                    "stat_prefix": "limit",
                    "token_bucket": _PLENTY,
                    "filter_enabled": _ALWAYS,
                    "filter_enforced": _ALWAYS,
                    "rate_limits": [{"actions": [{"remote_address": {}}]}],
                    "descriptors": [{"entries": [{"key": "remote_address"}], "token_bucket": _PLENTY}],
                },
            }
        )
    return found


def _tracing(arrangement: Arrangement) -> Tree:
    """Spans as OpenTelemetry over HTTP: one for the request, one for each attempt."""
    share = {"value": SAMPLED * 100}
    service = {"http_uri": {"uri": arrangement.collector, "cluster": "collector", "timeout": "5s"}}
    typed = {
        "@type": f"{_TYPE}config.trace.v3.OpenTelemetryConfig",
        "http_service": service,
        "service_name": "gateway",
    }
    return {
        "random_sampling": share,
        "client_sampling": share,
        "spawn_upstream_span": True,
        "provider": {"name": "opentelemetry", "typed_config": typed},
    }


def _collector(arrangement: Arrangement) -> Tree:
    assert arrangement.collector is not None
    where = urlsplit(arrangement.collector)
    address = {"socket_address": {"address": where.hostname, "port_value": where.port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": "collector",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "collector", "endpoints": endpoints},
    }


def _route(pattern: RoutePattern, layers: frozenset[Layer]) -> Tree:
    match pattern.kind:
        case RouteKind.EXACT:
            where: Tree = {"path": pattern.path}
        case RouteKind.PREFIX:
            where = {"path_separated_prefix": pattern.path} if pattern.path else {"prefix": "/"}
        case RouteKind.TEMPLATE:
            typed = {
                "@type": f"{_TYPE}extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
                "path_template": pattern.path,
            }
            where = {"path_match_policy": {"name": "template", "typed_config": typed}}
    action: Tree = {"cluster": "backend", "timeout": "5s" if Layer.TIMEOUT in layers else "0s"}
    if Layer.RETRY in layers:
        action["retry_policy"] = {
            "retry_on": "connect-failure,reset,gateway-error",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.025s"},
        }
    return {"match": where, "route": action}


def _cluster(arrangement: Arrangement) -> Tree:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": arrangement.backend}}
    cluster: Tree = {
        "name": "backend",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "backend",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "circuit_breakers": {
            "thresholds": [{"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192}]
        },
    }
    if Layer.BREAKER in arrangement.layers:
        cluster["outlier_detection"] = {"consecutive_5xx": 5, "base_ejection_time": "30s", "max_ejection_percent": 100}
    if arrangement.upstream is not Tls.NONE:
        cluster["transport_socket"] = _tls("UpstreamTlsContext", arrangement, arrangement.upstream)
    return cluster


def _tls(context: str, arrangement: Arrangement, kind: Tls) -> Tree:
    files = arrangement.tls
    side: Tree = {}
    shown = {"certificate_chain": {"filename": str(files.certificate)}, "private_key": {"filename": str(files.key)}}
    upstream = context == "UpstreamTlsContext"
    if kind is Tls.MUTUAL or not upstream:
        side["tls_certificates"] = [shown]
    if kind is Tls.MUTUAL or upstream:
        side["validation_context"] = {"trusted_ca": {"filename": str(files.authority)}}
    if upstream:
        side["validation_context"]["match_typed_subject_alt_names"] = [
            {"san_type": "DNS", "matcher": {"exact": "localhost"}}
        ]
    typed: Tree = {"@type": f"{_TYPE}extensions.transport_sockets.tls.v3.{context}", "common_tls_context": side}
    if upstream:
        typed["sni"] = "localhost"
    elif kind is Tls.MUTUAL:
        typed["require_client_certificate"] = True
    return {"name": "tls", "typed_config": typed}
