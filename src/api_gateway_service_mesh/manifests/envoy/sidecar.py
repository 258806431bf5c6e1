"""The Envoys beside services: one that lets callers in, and carries what its service sends to others.

To Envoy a sidecar is two gateways in one: inbound all paths lead to the service beside it, outbound each host to a
service of the configuration. Both are meshes of the model, made here from the gateway's and translated as that is, so
mutual TLS, authorization, pools and outlier detection mean the same at a sidecar as at the gateway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.manifests.name import names
from api_gateway_service_mesh.model import (
    Endpoint,
    Listener,
    Mesh,
    MtlsMode,
    PathKind,
    PathMatch,
    PeerNames,
    Route,
    RouteMatch,
    Sidecar,
    Upstream,
    UpstreamTls,
)
from api_gateway_service_mesh.vocabulary import AGW

from .resources import Resources
from .translate import resources

__all__ = ["NODE", "inbound", "outbound", "sidecar_resources", "sidecars"]

NODE: Final = "sidecar/"
"""What node ids of sidecars begin with; the name of the service follows."""

_LOOPBACK: Final = "127.0.0.1"


def sidecars(mesh: Mesh) -> dict[str, Upstream]:
    """The services whose sidecars agw configures, by the name that their Envoys have behind `NODE`."""
    short = names((each.iri, each.name) for each in mesh.upstreams)
    return {short[each.iri]: each for each in mesh.upstreams if each.sidecar is not None}


def inbound(mesh: Mesh, service: Upstream) -> Mesh:
    """What the sidecar of `service` does with those who call it."""
    sidecar = _of(service)
    here = Endpoint(service.iri, _LOOPBACK, sidecar.application_port)
    application = Upstream(service.iri, service.name, (here,), protocol=service.protocol)
    protected = sidecar.mode is not MtlsMode.DISABLE
    listeners = [
        Listener(
            sidecar.iri,
            port,
            sidecar.bind_address,
            certificate=sidecar.certificate if protected else None,
            mtls_mode=sidecar.mode if protected else None,
        )
        for port in sorted({endpoint.port for endpoint in service.endpoints} or _looked_up(service))
    ]
    everything = RouteMatch(PathMatch(PathKind.PREFIX, ""))
    route = Route(service.iri, service.name, everything, service.iri, authorization=sidecar.authorization)
    return _around(mesh, service, route, upstreams=(application,), listeners=tuple(listeners))


def outbound(mesh: Mesh, service: Upstream) -> Mesh:
    """What the sidecar of `service` does with what the service sends."""
    sidecar = _of(service)
    called = [each for each in mesh.upstreams if not sidecar.calls or each.iri in sidecar.calls]
    hosts = _hosts(mesh)
    routes = [
        Route(each.iri, each.name, RouteMatch(PathMatch(PathKind.PREFIX, ""), hosts[each.iri]), each.iri)
        for each in called
    ]
    here = Listener(sidecar.iri, sidecar.port, _LOOPBACK)
    return _around(
        mesh, service, *routes, upstreams=tuple(_as_called(sidecar, each) for each in called), listeners=(here,)
    )


def _of(service: Upstream) -> Sidecar:
    assert service.sidecar is not None
    return service.sidecar


def _around(
    mesh: Mesh, service: Upstream, *routes: Route, upstreams: tuple[Upstream, ...], listeners: tuple[Listener, ...]
) -> Mesh:
    return Mesh(
        service.iri,
        service.name,
        routes,
        upstreams,
        listeners,
        trusted_proxies=mesh.trusted_proxies,
        access_log=mesh.access_log,
    )


def _looked_up(service: Upstream) -> set[int]:
    port = service.discovery.port if service.discovery is not None else None
    return set() if port is None else {port}


def _hosts(mesh: Mesh) -> Mapping[str, tuple[str, ...]]:
    """What services are called by those who send to them: by name, and by the host of their address where that is one
    service's alone."""
    short = names((each.iri, each.name) for each in mesh.upstreams)
    stated = {
        each.iri: {endpoint.host.lower() for endpoint in each.endpoints if not _is_address(endpoint.host)}
        for each in mesh.upstreams
    }
    taken = Counter(host for hosts in stated.values() for host in hosts)
    taken.update(short.values())
    return {
        iri: (name, *sorted(host for host in stated[iri] - {name} if taken[host] == 1)) for iri, name in short.items()
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _as_called(sidecar: Sidecar, service: Upstream) -> Upstream:
    """`service` as `sidecar` speaks to it. Probes are the gateway's: of each service and each caller they would be too
    many."""
    other = service.sidecar
    called = replace(service, health=None, liveness=None, startup=None, sidecar=None)
    if other is None:
        tls = service.tls
        if tls is None or tls.certificate is None or tls.certificate.certificate_file is None:
            return called
        # What agw shows there is agw's own: nobody else is given its key.
        return replace(called, mtls_mode=MtlsMode.STRICT, tls=None, in_mesh=False)
    if other.mode is MtlsMode.DISABLE:
        plain = tuple(replace(endpoint, tls=False) for endpoint in service.endpoints)
        return replace(called, endpoints=plain, tls=None, mtls_mode=MtlsMode.DISABLE)
    if sidecar.certificate is None:
        return replace(called, mtls_mode=MtlsMode.STRICT, tls=None, in_mesh=False)
    peers = PeerNames((other.spiffe_id,)) if other.spiffe_id is not None else PeerNames()
    tls = UpstreamTls(sidecar.certificate, peers=peers)
    endpoints = tuple(replace(endpoint, tls=True) for endpoint in service.endpoints)
    return replace(called, endpoints=endpoints, tls=tls, mtls_mode=MtlsMode.STRICT)


def sidecar_resources(mesh: Mesh, service: Upstream, *, dynamic: bool = True) -> Resources:
    """All that the Envoy beside `service` is told."""
    let_in = inbound(mesh, service)
    one = resources(let_in, dynamic=dynamic, scope="inbound.", names_callers=True)
    other = resources(outbound(mesh, service), dynamic=dynamic, scope="outbound.")
    report = Report().merged(dict.fromkeys((*one.report.findings, *other.report.findings)))
    if not let_in.listeners:
        message = f"{service.name}: its sidecar has no port to listen on, since the service has no address"
        report = report.merged([lost(service.iri, AGW.hasSidecar, message, "state agw:address, or agw:instancePort")])
    return Resources(
        secrets={**one.secrets, **other.secrets},
        clusters={**one.clusters, **other.clusters},
        endpoints={**one.endpoints, **other.endpoints},
        listeners={**one.listeners, **other.listeners},
        routes={**one.routes, **other.routes},
        report=report,
        awaited=one.awaited | other.awaited,
    )
