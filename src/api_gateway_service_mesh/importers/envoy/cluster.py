"""Clusters: where Envoy sends, and how it judges what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.kubernetes import seconds
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["Clusters"]

_ALGORITHMS: Final = {
    "ROUND_ROBIN": None,
    "LEAST_REQUEST": "POWER_OF_TWO",
    "RANDOM": "RANDOM",
    "RING_HASH": "CONSISTENT_HASH",
    "MAGLEV": "CONSISTENT_HASH",
}
_POOL: Final = (
    ("max_connections", AGW.maxConnections),
    ("max_pending_requests", AGW.maxPendingRequests),
    ("max_requests", AGW.maxRequests),
    ("max_retries", AGW.maxConcurrentRetries),
)
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Clusters:
    """The backend services of an import, by the names of the clusters; made when a route names them."""

    def __init__(self, draft: Draft, parts: Mapping[str, Part]) -> None:
        self._draft = draft
        self._parts = parts
        self._balancers: dict[str, Subject | None] = {}

    def named(self, name: str, place: Location) -> tuple[Subject, Subject | None] | None:
        """A service with the balancer of routes to it; None: there is no such cluster."""
        part = self._parts.get(name)
        if part is None:
            message = f"there is no cluster {name} in these files; what goes to it is answered 503"
            self._draft.findings.lost(place, message, "give the file with it, too")
            return None
        made, new = self._draft.service(name, name, place=part.place, comment=f"cluster {name}")
        if new:
            self._balancers[name] = self._fill(made, part)
        return made, self._balancers[name]

    def close(self) -> None:
        """Make those that no route names, too."""
        for name, part in self._parts.items():
            self.named(name, part.place)

    def _fill(self, made: Subject, part: Part) -> Subject | None:
        part.ignore("name", "type", "alt_stat_name", "dns_lookup_family", "per_connection_buffer_limit_bytes")
        part.ignore("respect_dns_ttl", "dns_refresh_rate")
        scheme = "https://" if self._tls(made, part) else ""
        uneven = self._ends(made, part, scheme)
        pool = anonymous("ConnectionPool")
        wait = seconds(part, "connect_timeout")
        pool.say(AGW.connectTimeout, Seconds(wait) if wait else None)
        breakers = part.part("circuit_breakers")
        for limits in breakers.parts("thresholds") if breakers is not None else []:
            if (limits.text("priority") or "DEFAULT") == "DEFAULT":
                for key, term in _POOL:
                    pool.say(term, limits.integer(key))
                limits.ignore("track_remaining")
        if pool.stated:
            made.say(AGW.hasConnectionPool, pool)
        balancer = self._balancer(part, uneven=uneven)
        outlier = part.part("outlier_detection")
        if outlier is not None:
            made.say(AGW.hasOutlierDetection, _outlier(outlier))
        for check in part.parts("health_checks"):
            made.say(AGW.hasHealthCheck, self._check(check))
        self._version(made, part)
        return balancer

    def _ends(self, made: Subject, part: Part, scheme: str) -> bool:
        """State addresses; whether their weights differ."""
        listed: list[tuple[str, int, str | None, int, Location]] = []
        assigned = part.part("load_assignment")
        if assigned is not None:
            assigned.ignore("cluster_name")
        for group in assigned.parts("endpoints") if assigned is not None else []:
            place, level = group.part("locality"), group.integer("priority") or 0
            group.ignore("load_balancing_weight")
            zone = place.text("zone") if place is not None else None
            for end in group.parts("lb_endpoints"):
                endpoint, weight = end.part("endpoint"), end.integer("load_balancing_weight")
                end.ignore("metadata")
                where = endpoint.part("address") if endpoint is not None else None
                address = where.part("socket_address") if where is not None else None
                if address is None:
                    end.drop()
                    self._draft.findings.lost(end.place, f"{end.name}: agw connects to host and port", "name them")
                    continue
                address.ignore("protocol")
                host, port = address.text("address") or "", address.integer("port_value") or 0
                text = f"{scheme}{f'[{host}]' if ':' in host else host}:{port}"
                listed.append((text, 1 if weight is None else weight, zone, level, end.place))
        if len(listed) == 1 and listed[0][2:4] == (None, 0):
            made.say(AGW.address, listed[0][0])
            return False
        uneven = len({weight for _, weight, *_ in listed}) > 1
        for text, weight, zone, level, where_ in listed:
            iri = self._draft.iri(f"{str(made.iri).removeprefix(self._draft.base)}-{text.removeprefix(scheme)}")
            instance = Subject("ServiceInstance", iri, "an endpoint", where_)
            instance.say(AGW.address, text).say(AGW.instanceWeight, weight if uneven else None)
            instance.say(AGW.zone, zone).say(AGW.failoverPriority, level or None)
            self._draft.others.append(instance)
            made.say(AGW.hasInstance, Ref(iri))
        return uneven

    def _tls(self, made: Subject, part: Part) -> bool:
        socket = part.part("transport_socket")
        config = socket.part("typed_config") if socket is not None else None
        if socket is None or config is None:
            return False
        socket.ignore("name")
        kind = config.text("@type") or ""
        if not kind.endswith("UpstreamTlsContext"):
            config.drop()
            self._draft.findings.lost(socket.place, f"{socket.name}: agw speaks TLS or none, not {kind}", "keep Envoy")
            return False
        made.say(AGW.serverName, config.text("sni"))
        common = config.part("common_tls_context")
        if common is None or "validation_context" not in common:
            message = f"{config.name}: Envoy verifies no certificate here; agw does, against the system's authorities"
            self._draft.findings.differs(socket.place, message, "state agw:hasMutualTLS with agw:trustBundleFile")
        if common is not None:
            for key in common.keys():  # noqa: SIM118
                if key not in ("alpn_protocols", "tls_params"):
                    message = f"{common.name}: {key} is not taken over; agw verifies against the system's authorities"
                    remedy = "state agw:hasMutualTLS with agw:hasCertificate and agw:trustBundleFile"
                    self._draft.findings.lost(common.at(key), message, remedy)
            common.drop()
        return True

    def _balancer(self, part: Part, *, uneven: bool) -> Subject | None:
        word = part.text("lb_policy") or "ROUND_ROBIN"
        if word not in _ALGORITHMS:
            message = f"{part.name}: agw does not balance by {word}"
            self._draft.findings.lost(part.at("lb_policy"), message, "choose another: agw:balancingAlgorithm")
            return None
        name = _ALGORITHMS[word] or ("WEIGHTED" if uneven else None)
        if name is None:
            return None
        made = anonymous("LoadBalancer", (AGW.balancingAlgorithm, name))
        return made.say(AGW.hashAlgorithm, "MAGLEV" if word == "MAGLEV" else None)

    def _check(self, part: Part) -> Subject:
        made = anonymous("HealthCheck")
        for key, term in (
            ("interval", AGW.healthCheckInterval),
            ("timeout", AGW.healthCheckTimeout),
            ("unhealthy_interval", AGW.unhealthyCheckInterval),
        ):
            wait = seconds(part, key)
            made.say(term, Seconds(wait) if wait else None)
        made.say(AGW.failureThresholdHealth, part.integer("unhealthy_threshold"))
        made.say(AGW.successThreshold, part.integer("healthy_threshold"))
        http, grpc = part.part("http_health_check"), part.part("grpc_health_check")
        if http is not None:
            made.say(AGW.healthCheckPath, http.text("path")).say(AGW.healthCheckHost, http.text("host"))
            for each in http.parts("expected_statuses"):
                start, end = each.integer("start") or 200, each.integer("end") or 201
                made.say(AGW.expectedStatus, str(start) if end == start + 1 else f"{start}-{end - 1}")
        elif grpc is not None:
            made.say(AGW.healthCheckProtocol, "GRPC").say(AGW.grpcServiceName, grpc.text("service_name"))
        else:
            made.say(AGW.healthCheckProtocol, "TCP")
            part.ignore("tcp_health_check")
        return made

    def _version(self, made: Subject, part: Part) -> None:
        options = part.part("typed_extension_protocol_options")
        http = options.part(_OPTIONS) if options is not None else None
        explicit = http.part("explicit_http_config") if http is not None else None
        if http is not None:
            http.ignore("@type")
        if explicit is not None:
            made.say(AGW.upstreamProtocol, "h2" if "http2_protocol_options" in explicit else None)
            explicit.ignore("http_protocol_options", "http2_protocol_options")


def _outlier(part: Part) -> Subject:
    errors, most = part.integer("consecutive_5xx"), part.integer("max_ejection_percent")
    made = anonymous("OutlierDetection", (AGW.consecutiveErrors, 5 if errors is None else errors))
    made.say(AGW.consecutiveGatewayErrors, part.integer("consecutive_gateway_failure"))
    for key, term in (
        ("interval", AGW.outlierInterval),
        ("base_ejection_time", AGW.baseEjectionTime),
        ("max_ejection_time", AGW.maximumEjectionTime),
    ):
        wait = seconds(part, key)
        made.say(term, Seconds(wait) if wait else None)
    return made.say(AGW.maximumEjectionPercent, 10 if most is None else most)
