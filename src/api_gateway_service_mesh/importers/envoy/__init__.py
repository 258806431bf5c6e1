"""Envoy's static bootstrap: listeners, route configurations in them, virtual hosts, clusters.

Filters that keep callers out and cannot be taken over close the routes behind them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.listener import listener
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Stated, Subject
from api_gateway_service_mesh.vocabulary import AGW

from .cluster import Clusters
from .filters import unknown
from .limit import local_limit
from .route import VirtualHosts
from .token import token_check

__all__ = ["import_envoy"]

_MANAGER: Final = ".HttpConnectionManager"
_SILENT: Final = ("Router", "Cors")  # what Cors does stands on routes


def import_envoy(draft: Draft, documents: Iterable[Map], *, certificates: str | None = None) -> None:
    """Take over what `documents` say. `certificates`: the folder that the listeners' certificates will be in.

    Raises:
        ConfigError: a document is no bootstrap with static resources; with its place.
    """
    listeners: list[Part] = []
    clusters: dict[str, Part] = {}
    for document in documents:
        top = Part(draft.findings, document, "bootstrap")
        there = top.part("static_resources")
        if there is None:
            message = "this is no bootstrap of Envoy with static_resources"
            remedy = "give the file that Envoy is started with; what xDS brings can be had from /config_dump"
            raise ConfigError(Finding("syntax", message, location=document.place, remedy=remedy))
        top.ignore("admin", "node", "layered_runtime")
        listeners += there.parts("listeners")
        for part in there.parts("clusters"):
            clusters[part.text("name") or ""] = part
    known = Clusters(draft, clusters)
    if len(listeners) > 1:
        message = "each listener has routes of its own there; agw serves all routes on all its ports"
        remedy = "import them one by one for gateways of their own"
        draft.findings.differs(listeners[1].place, message, remedy)
    for part in listeners:
        _listener(draft, part, known, certificates)
    known.close()


def _listener(draft: Draft, part: Part, clusters: Clusters, folder: str | None) -> None:
    part.ignore("name", "stat_prefix", "per_connection_buffer_limit_bytes", "access_log", "traffic_direction")
    where = part.part("address")
    address = where.part("socket_address") if where is not None else None
    host, port = (address.text("address"), address.integer("port_value")) if address is not None else (None, None)
    if address is not None:
        address.ignore("protocol")
    for filter_ in part.parts("listener_filters"):
        filter_.drop()
    for chain in part.parts("filter_chains"):
        chain.ignore("name")
        match = chain.part("filter_chain_match")
        if match is not None:
            match.drop()
            message = f"{match.name}: agw serves all routes to everybody who comes to a port"
            draft.findings.differs(
                match.place, message, "give routes agw:hostname, and listeners certificates for them"
            )
        if port is not None:
            _port(draft, chain, host, port, folder)
        for each in chain.parts("filters"):
            config = each.part("typed_config")
            each.ignore("name")
            kind = (config.text("@type") if config is not None else None) or ""
            if config is None or not kind.endswith(_MANAGER):
                if config is not None:
                    config.drop()
                draft.findings.lost(each.place, f"{each.name}: agw speaks HTTP, not {kind}", "keep Envoy for it")
                continue
            _manager(draft, config, clusters)


def _port(draft: Draft, chain: Part, host: str | None, port: int, folder: str | None) -> None:
    socket = chain.part("transport_socket")
    config = socket.part("typed_config") if socket is not None else None
    secrets: list[str] | None = None
    mtls = None
    if socket is not None and config is not None:
        socket.ignore("name")
        config.ignore("@type")
        mtls = "STRICT" if config.flag("require_client_certificate") else None
        common = config.part("common_tls_context")
        secrets = []
        for each in common.parts("tls_certificates") if common is not None else []:
            file = each.part("certificate_chain")
            secrets.append(PurePosixPath((file.text("filename") if file is not None else None) or "listener").stem)
            each.drop()
        if common is not None:
            common.drop()
    listener(draft, port, chain.place, secrets=secrets, folder=folder, mtls=mtls)
    made = draft.listeners.get(port)
    if made is not None and host not in (None, "0.0.0.0", "::") and not _says(made, AGW.bindAddress):
        made.say(AGW.bindAddress, host)


def _says(made: Subject, predicate: str) -> bool:
    return any(stated == predicate for stated, _ in made.stated)


def _manager(draft: Draft, config: Part, clusters: Clusters) -> None:
    config.ignore("@type", "stat_prefix", "codec_type", "access_log", "use_remote_address", "generate_request_id")
    config.ignore("http_protocol_options", "http2_protocol_options", "normalize_path", "merge_slashes", "server_name")
    stated: list[Stated] = []
    for each in config.parts("http_filters"):
        each.ignore("name")
        inner = each.part("typed_config")
        kind = ((inner.text("@type") if inner is not None else None) or "").rpartition(".")[2]
        if inner is None or kind in _SILENT:
            if inner is not None:
                inner.drop()
            continue
        if kind == "LocalRateLimit":
            stated += local_limit(draft, inner)
            continue
        checked = token_check(draft, inner) if kind == "JwtAuthentication" else None
        if checked is not None:
            stated += checked
            continue
        inner.drop()
        stated += unknown(draft, each.name, kind, each.place)
    routes = config.part("route_config")
    if routes is None:
        draft.findings.lost(config.place, f"{config.name}: its routes come over xDS", "take them from /config_dump")
        config.ignore("rds")
        return
    VirtualHosts(draft, clusters, stated).take(routes)
