"""ServiceEntries: services that Kubernetes does not know, foreign hosts and lists of addresses."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.model import Endpoint, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context, Destination, is_address

__all__ = ["service_entries"]


def service_entries(context: Context) -> list[Document]:
    """One ServiceEntry for each host that needs one; upstreams on one host share it."""
    by_host: dict[str, list[str]] = {}
    for iri, there in context.destinations.items():
        for endpoint in context.upstreams[iri].endpoints:
            if endpoint.host in ("localhost", "127.0.0.1", "::1"):
                message = (
                    f"{context.upstreams[iri].name}: {endpoint.authority} is the machine itself, in each pod another"
                )
                context.findings.append(differs(iri, AGW.address, message, "give the service's name in the cluster"))
        if there.entry:
            by_host.setdefault(there.host, []).append(iri)
    return [_entry(context, host, iris) for host, iris in by_host.items()]


def _entry(context: Context, host: str, iris: list[str]) -> Document:
    upstreams = [context.upstreams[iri] for iri in iris]
    ports: dict[int, dict[str, Any]] = {}
    for upstream in upstreams:
        there = context.destinations[upstream.iri]
        protocol = "HTTPS" if upstream.tls is not None or upstream.endpoints[0].tls else "HTTP"
        port = {"number": there.port, "name": f"{protocol.lower()}-{there.port}", "protocol": protocol}
        ports.setdefault(there.port, port)
    spec: dict[str, Any] = {
        "hosts": [host],
        "location": "MESH_INTERNAL" if any(upstream.in_mesh for upstream in upstreams) else "MESH_EXTERNAL",
        "ports": [port for _, port in sorted(ports.items())],
    }
    listed = [endpoint for endpoint in upstreams[0].endpoints if endpoint.weight]  # no traffic; Envoy has no weight 0
    if len(listed) == 1 and listed[0].host == host:
        spec["resolution"] = "DNS"
    else:
        spec["resolution"] = "STATIC" if all(is_address(endpoint.host) for endpoint in listed) else "DNS"
        spec["endpoints"] = _endpoints(upstreams[0], listed, context.destinations[upstreams[0].iri])
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": metadata(
            context.upstream_names[iris[0]], context.namespace, gateway=context.mesh.iri, service=iris
        ),
        "spec": spec,
    }


def _endpoints(upstream: Upstream, listed: list[Endpoint], there: Destination) -> list[dict[str, Any]]:
    scheme = "https" if upstream.tls is not None or upstream.endpoints[0].tls else "http"
    made: list[dict[str, Any]] = []
    for endpoint in listed:
        stated: dict[str, Any] = {"address": endpoint.host}
        if endpoint.port != there.port:
            stated["ports"] = {f"{scheme}-{there.port}": endpoint.port}
        if endpoint.weight != 1:
            stated["weight"] = endpoint.weight
        made.append(stated)
    return made
