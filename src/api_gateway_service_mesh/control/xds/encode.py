"""From JSON values (`manifests.envoy.typed`) to protobuf messages, ready to be sent.

Raises ImportError when xds-protos is not there; `available` says so in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests.envoy import Resources
from api_gateway_service_mesh.manifests.envoy.typed import Json

from .goal import TYPES, Goal, Packed

__all__ = ["demand_protos", "goal_of", "packed"]

# What our resources hold in a google.protobuf.Any: a type is known once its module is imported.
_MODULES: Final = """
    config.cluster.v3.cluster config.core.v3.base config.endpoint.v3.endpoint config.listener.v3.listener
    config.route.v3.route config.rbac.v3.rbac config.trace.v3.opentelemetry config.trace.v3.zipkin
    extensions.access_loggers.stream.v3.stream
    extensions.filters.http.fault.v3.fault extensions.filters.http.jwt_authn.v3.config
    extensions.filters.http.local_ratelimit.v3.local_rate_limit extensions.filters.http.lua.v3.lua
    extensions.filters.http.rbac.v3.rbac extensions.filters.http.router.v3.router
    extensions.filters.http.stateful_session.v3.stateful_session
    extensions.filters.listener.tls_inspector.v3.tls_inspector
    extensions.filters.listener.original_dst.v3.original_dst
    extensions.filters.network.connection_limit.v3.connection_limit extensions.filters.network.rbac.v3.rbac
    extensions.filters.network.http_connection_manager.v3.http_connection_manager
    extensions.http.early_header_mutation.header_mutation.v3.header_mutation
    extensions.http.original_ip_detection.xff.v3.xff extensions.http.stateful_session.cookie.v3.cookie
    extensions.matching.input_matchers.ip.v3.ip extensions.retry.host.previous_hosts.v3.previous_hosts
    extensions.transport_sockets.tls.v3.tls extensions.transport_sockets.tls.v3.secret
    extensions.upstreams.http.v3.http_protocol_options
    type.matcher.v3.http_inputs
"""


def demand_protos() -> None:
    """Raise AgwError when the optional packages are missing."""
    for package in ("grpc", "xds", "google.protobuf"):
        if find_spec(package.partition(".")[0]) is None:
            raise AgwError(
                "Envoys are spoken to with gRPC, and grpcio and xds-protos are not installed",
                remedy="pip install 'api-gateway-service-mesh[xds]'",
            )


@cache
def _messages() -> Mapping[str, Any]:
    """The message classes by type URL."""
    for name in _MODULES.split():
        import_module(f"envoy.{name}_pb2")
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.Default()
    return {
        url: message_factory.GetMessageClass(pool.FindMessageTypeByName(url.rpartition("/")[2]))
        for url in TYPES.values()
    }


def packed(kind: str, resource: Json) -> Packed:
    """One resource of the type `kind`."""
    from google.protobuf import json_format
    from google.protobuf.any_pb2 import Any as AnyMessage

    message = json_format.ParseDict(resource, _messages()[kind]())
    value = message.SerializeToString(deterministic=True)
    return Packed(sha256(value).hexdigest()[:16], AnyMessage(type_url=kind, value=value))


def goal_of(resources: Resources, number: int, before: tuple[Resources, Goal] | None = None) -> Goal:
    """All of `resources` as a goal; takes seconds for ten thousand routes, so it is for a thread. `before`: what was
    made of which resources; what is the same is not packed again."""
    made: dict[str, dict[str, Packed]] = {}
    for kind, url in TYPES.items():
        old, held = ({}, {}) if before is None else (before[0].of(kind), before[1].of(url))
        made[url] = {
            name: held[name] if name in held and old.get(name) == resource else packed(url, resource)
            for name, resource in resources.of(kind).items()
        }
    return Goal(number, made)
