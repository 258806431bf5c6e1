"""Istio: VirtualService, DestinationRule, Gateway and ServiceEntry (``networking.istio.io``), with Services.

Istio takes the first route of a list that holds, agw the most specific one: where that makes a difference the report
says so. What Istio checks of callers (RequestAuthentication, AuthorizationPolicy, PeerAuthentication) is not taken
over, and loudly told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.kubernetes import Cluster, Thing, things
from api_gateway_service_mesh.importers.listener import listener
from api_gateway_service_mesh.importers.turtle import Subject

from .destination import Destinations
from .virtual_service import VirtualServices

__all__ = ["import_istio"]

_GROUP: Final = "networking.istio.io"
_OPEN: Final = "until it is stated in agw's words the routes are open to all: "
_ELSEWHERE: Final = {
    "RequestAuthentication": _OPEN + "agw:hasAuthentication with an agw:JWTAuthentication on routes or the gateway",
    "AuthorizationPolicy": _OPEN + "agw:hasAuthorization on routes or the gateway",
    "PeerAuthentication": "state agw:hasMutualTLS on services or listeners",
    "EnvoyFilter": "look for agw's own words for what it does",
    "Telemetry": "state agw:hasTracing, or the access log, on the gateway",
    "Sidecar": "agw needs none",
}
_MTLS: Final = {"MUTUAL": "STRICT", "OPTIONAL_MUTUAL": "PERMISSIVE"}


def import_istio(draft: Draft, documents: Iterable[Map], *, certificates: str | None = None) -> None:
    """Take over what `documents` say. `certificates`: the folder that the Secrets' certificates are in."""
    there = Destinations(draft, Cluster(draft))
    hosts: dict[str, list[str | None]] = {}
    routes: list[Thing] = []
    for thing in things(draft.findings, documents):
        if there.cluster.take(thing):
            continue
        kind = thing.kind if thing.group == _GROUP else ""
        if kind == "VirtualService":
            routes.append(thing)
        elif kind == "DestinationRule":
            there.rule(thing)
        elif kind == "ServiceEntry":
            there.entry(thing)
        elif kind == "Gateway":
            _gateway(draft, thing, hosts, certificates)
        else:
            thing.body.drop()
            remedy = _ELSEWHERE.get(thing.kind, "see whether you need it; agw import istio reads other kinds")
            draft.findings.lost(thing.place, f"{thing.called} is not taken over", remedy)
    made = VirtualServices(draft, there, hosts)
    for thing in routes:
        made.take(thing)
    there.close()


def _gateway(draft: Draft, thing: Thing, hosts: dict[str, list[str | None]], folder: str | None) -> None:
    spec = thing.spec()
    spec.ignore("selector")
    if draft.gateway is None:
        draft.gateway = Subject("ApiGateway", draft.iri(thing.name, "gateway"), thing.called, thing.place)
    else:
        message = f"{thing.called} and {draft.gateway.comment} become one: their ports and routes are joined"
        draft.findings.differs(thing.place, message, "import them one by one for gateways of their own")
    offered = hosts.setdefault(thing.name, [])
    for server in spec.parts("servers"):
        port = server.part("port")
        number, protocol = (port.integer("number"), port.text("protocol")) if port is not None else (None, None)
        if port is not None:
            port.ignore("name", "targetPort")
        server.ignore("name")
        if number is None or protocol not in ("HTTP", "HTTPS", "HTTP2"):
            server.drop()
            draft.findings.lost(
                server.place, f"{thing.called}: agw has no listener for {protocol}", "keep a proxy for it"
            )
            continue
        offered += [host.rpartition("/")[2] for host in server.texts("hosts")]
        tls = server.part("tls")
        if tls is None:
            listener(draft, number, server.place, secrets=None, folder=folder)
            continue
        mode = tls.text("mode") or "SIMPLE"
        if tls.flag("httpsRedirect"):
            message = f"{thing.called}: port {number} sends everybody to https; here it serves the routes"
            remedy = 'state agw:hasRedirect [ a agw:Redirect ; agw:redirectScheme "https" ; agw:redirectStatus 301 ]'
            draft.findings.lost(tls.at("httpsRedirect"), message, remedy)
        if protocol != "HTTPS":
            listener(draft, number, server.place, secrets=None, folder=folder)
        elif mode in ("SIMPLE", *_MTLS):
            secrets = [name for name in (tls.text("credentialName"), *tls.texts("credentialNames")) if name]
            listener(draft, number, server.place, secrets=secrets, folder=folder, mtls=_MTLS.get(mode))
        else:
            draft.findings.lost(tls.at("mode"), f"{thing.called}: agw ends TLS itself, not {mode}", "keep a TCP proxy")
