"""How Kubernetes knows a service: the Service that is there, or one that is written for addresses and foreign names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from api_gateway_service_mesh.model import Endpoint, HttpProtocol, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .document import Document
from .gap import differs, lost
from .name import metadata, name_of
from .outline import Outline

__all__ = ["H2C", "Place", "is_address", "places"]

#: What a Service's port says of a backend that is spoken to in HTTP/2 without TLS.
H2C: Final = "kubernetes.io/h2c"

_MOST_ENDPOINTS = 1000  # of an EndpointSlice


@dataclass(frozen=True, slots=True)
class Place:
    """A Service by name and port; ``namespace`` None: the gateway's own. ``documents`` make it known, if need be."""

    name: str
    namespace: str | None
    port: int
    documents: tuple[Document, ...] = ()


def is_address(host: str) -> bool:
    """Whether `host` is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def places(outline: Outline) -> dict[str, Place]:
    """The place of each upstream that has an endpoint, by IRI."""
    return {iri: _place(outline, upstream) for iri, upstream in outline.upstreams.items() if upstream.endpoints}


def _place(outline: Outline, upstream: Upstream) -> Place:
    name, first, found = outline.upstream_names[upstream.iri], upstream.endpoints[0], outline.findings
    local = [end for end in upstream.endpoints if _loopback(end.host)]
    if local:
        message = (
            f"{upstream.name}: {local[0].authority} is the machine itself, in each pod another; the Service {name!r} "
            "is taken to be there"
        )
        found.append(differs(upstream.iri, AGW.address, message, "give the service's name in the cluster"))
        return Place(name, None, first.port)
    if len(upstream.endpoints) == 1 and not is_address(first.host):
        labels = first.host.rstrip(".").split(".")
        if len(labels) == 1:
            return Place(labels[0], None, first.port)
        if (len(labels) == 2 and (upstream.in_mesh or labels[1] == outline.namespace)) or labels[2:3] == ["svc"]:
            return Place(labels[0], None if labels[1] == outline.namespace else labels[1], first.port)
    addresses = [end for end in upstream.endpoints if is_address(end.host) and end.weight]
    if addresses:
        if len(addresses) < sum(end.weight > 0 for end in upstream.endpoints):
            message = f"{upstream.name}: a Service lists addresses or names one host; its names are left out"
            found.append(lost(upstream.iri, AGW.hasInstance, message, "give addresses, or make a service of each name"))
        port = addresses[0].port
        documents = (
            _service(outline, upstream, {"ports": [_port(upstream, port)]}),
            *_slices(outline, upstream, addresses),
        )
        return Place(name, None, port, documents)
    if len({end.host for end in upstream.endpoints}) > 1:
        message = f"{upstream.name}: a Service can name one foreign host; only {first.host} is written"
        found.append(lost(upstream.iri, AGW.hasInstance, message, "make a service of each, and a split between them"))
    message = f"{upstream.name}: an ExternalName Service; not every data plane sends to such"
    found.append(differs(upstream.iri, AGW.address, message, "see what your Gateway's implementation says of them"))
    spec = {"type": "ExternalName", "externalName": first.host, "ports": [_port(upstream, first.port)]}
    return Place(name, None, first.port, (_service(outline, upstream, spec),))


def _loopback(host: str) -> bool:
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def _port(upstream: Upstream, port: int) -> dict[str, Any]:
    return {"name": f"http-{port}", "port": port, "protocol": "TCP", **_spoken(upstream)}


def _spoken(upstream: Upstream) -> dict[str, str]:
    """HTTP/2 in the clear, as Kubernetes has a word for it (KEP-3726); over TLS the handshake decides."""
    clear = upstream.tls is None and not any(endpoint.tls for endpoint in upstream.endpoints)
    return {"appProtocol": H2C} if clear and upstream.protocol is HttpProtocol.HTTP2 else {}


def _service(outline: Outline, upstream: Upstream, spec: dict[str, Any]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(
            outline.upstream_names[upstream.iri], outline.namespace, gateway=outline.mesh.iri, service=upstream.iri
        ),
        "spec": spec,
    }


def _slices(outline: Outline, upstream: Upstream, addresses: Iterable[Endpoint]) -> list[Document]:
    """EndpointSlices: one for each family and port, as a slice has one of both."""
    first = next(iter(addresses)).port
    groups: dict[tuple[str, int], list[Endpoint]] = {}
    for end in addresses:
        family = "IPv6" if ":" in end.host else "IPv4"
        groups.setdefault((family, end.port), []).append(end)
    made: list[Document] = []
    for (family, port), ends in groups.items():
        for start in range(0, len(ends), _MOST_ENDPOINTS):
            name = name_of(f"{outline.upstream_names[upstream.iri]}-{family.lower()}-{port}-{start}")
            meta = metadata(
                name, outline.namespace, gateway=outline.mesh.iri,
                service=upstream.iri,
            )  # fmt: skip
            meta["labels"] = {
                "kubernetes.io/service-name": outline.upstream_names[upstream.iri],
                "endpointslice.kubernetes.io/managed-by": "agw",
                "app.kubernetes.io/managed-by": "agw",
            }
            made.append(
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": meta,
                    "addressType": family,
                    "ports": [{**_port(upstream, port), "name": f"http-{first}"}],
                    "endpoints": [_endpoint(end) for end in ends[start : start + _MOST_ENDPOINTS]],
                }
            )
    return made


def _endpoint(end: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {"addresses": [end.host], "conditions": {"ready": True}}
    if end.zone is not None:
        made["zone"] = end.zone
    return made
