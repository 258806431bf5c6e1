"""From rows to the typed model of one gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import ConfigError, Finding, Report, Severity
from api_gateway_service_mesh.model import Mesh, Route, ServiceMesh, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .access_log import with_access_logs
from .api_key import api_keys
from .audit import audit_logs
from .authentication import authentications, demanded, refuse_unvouched_keys
from .authority import authorities, challenge_route, with_authority
from .authorization import AuthorizationRow, authorized, policies_of
from .balancer import balancers
from .breaker import breakers
from .canary import canaries
from .certificate import certificates
from .change_right import change_rights
from .client_certificate import asking
from .concurrency import concurrency_limits
from .condition import request_conditions
from .connection_cap import capped, connection_caps
from .discovery import discoveries, registries
from .endpoint import endpoints
from .exemption import exemptions
from .health import health_checks
from .hedge import hedgings
from .jwt import jwt_authentications
from .listener import listeners
from .login import logins, refuse_lost_callbacks
from .match import header_matches, query_matches
from .mesh import GatewayRow, choose_gateway, service_meshes, trusted_proxies
from .metrics import metrics_exports
from .mtls import mtls_settings, peer_names
from .oauth2 import introspections
from .objective import objectives
from .outlier import outlier_detections
from .overload import overload_guards
from .rate_limit import rate_limits, refuse_costs_above_limits
from .reading import Reading, name_of
from .redis import redis_stores, refuse_without_client
from .registration import registrations
from .retry import retries
from .route import Parts, routes, warn_without_target
from .rows import ProjectedRows
from .sidecar import sidecars
from .split import split_choices, splits
from .subset import instance_labels, subsets, with_subset
from .timeout import timeouts
from .tracing import tracings, with_lone_tracing
from .traffic import with_traffic
from .upstream import connection_pools, upstreams
from .version import with_versions

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import InferredGraph

    from .reassemble import Links

__all__ = ["Assembly", "assemble"]


@dataclass(frozen=True, slots=True)
class Assembly:
    """The model, and what was found while making it. With a violation among them it must not be served. ``links`` are
    who names whom in the rows, where that was needed (`projection.reassemble`)."""

    mesh: Mesh
    findings: tuple[Finding, ...]
    links: Links | None = field(default=None, compare=False, repr=False)

    def accepted(self) -> Mesh:
        """The model, when nothing refuses it.

        Raises:
            ConfigError: with all findings.
        """
        if any(finding.severity is Severity.VIOLATION for finding in self.findings):
            raise ConfigError(Report().merged(self.findings))
        return self.mesh


def assemble(
    rows: ProjectedRows, graph: InferredGraph, gateway: str | None = None, allowed_folders: Sequence[Path] = ()
) -> Assembly:
    """Type the rows, join them, and choose the gateway.

    Args:
        graph: what the rows were projected from; asked for places and for the folders of files, never for values.
        gateway: IRI of the gateway meant, where the graph holds several.
        allowed_folders: further folders that certificate files may lie under.
    """
    reading = Reading(graph, allowed_folders)
    directories = registries(rows.discovery_registry, reading)
    issuers = authorities(rows.authority, directories, reading)
    keys = with_authority(certificates(rows.certificate, reading), rows.issued, issuers, reading)
    peers = peer_names(rows.peer)
    settings = mtls_settings(rows.mtls, keys, peers, reading)
    chosen, shared = choose_gateway(rows.gateway, gateway, reading)
    around = _service_mesh(chosen, service_meshes(rows.service_mesh, settings, reading), reading)
    asked = (AuthorizationRow(row.sidecar, row.policy, row.enforcement) for row in rows.sidecar_authorization)
    admitting = policies_of(asked, rows, reading) if rows.sidecar_authorization else {}
    services = upstreams(
        rows.upstream,
        endpoints(rows.endpoint, instance_labels(rows.instance_label), reading),
        settings,
        health_checks(rows.health, rows.health_value, reading),
        connection_pools(rows.connection_pool, reading),
        outlier_detections(rows.outlier, reading),
        discoveries(rows.discovery, rows.discovery_tag, directories, reading),
        sidecars(rows.sidecar, rows.sidecar_call, keys, admitting, around, reading),
        around,
        reading,
    )
    stores = redis_stores(rows.redis, reading)
    conditions = request_conditions(rows.request_condition, reading)
    traced = tracings(rows.tracing, reading)
    parts = Parts(
        headers=header_matches(rows.header_match, reading),
        query=query_matches(rows.query_match, reading),
        upstreams=services,
        splits=splits(rows.split, services, conditions, canaries(rows.canary, rows.canary_step, reading), reading),
        split_choices=split_choices(rows.split_choice, reading),
        breakers=breakers(rows.breaker, rows.breaker_status, reading),
        retries=retries(rows.retry, rows.retry_condition, rows.retry_status, reading),
        rate_limits=rate_limits(rows.rate_limit, rows.rate_limit_key, rows.route_rate_limit, stores, reading),
        hedgings=hedgings(rows.hedge, reading),
        timeouts=timeouts(rows.timeout, reading),
        balancers=balancers(rows.balancer, reading),
        concurrency=concurrency_limits(rows.concurrency, reading),
        tracings=traced,
    )
    every_route = routes(rows.route, rows.route_hostname, rows.route_method, parts, reading)
    selected = subsets(rows.subset)
    served = tuple(
        with_subset(route, selected, services, reading) for route in _served(every_route, rows, chosen, shared, reading)
    )
    served = _authenticated(served, rows, chosen, reading)
    served = authorized(served, rows, chosen, reading)
    served = with_traffic(served, rows, services, conditions, peers, directories, stores, reading)
    served = with_versions(served, rows.version, rows.version_deprecation, rows.version_promise, reading)
    refuse_lost_callbacks(served, reading)
    served = with_lone_tracing(served, rows.tracing, traced)
    for route in served:
        warn_without_target(route, services, reading)
        refuse_unvouched_keys(route, reading)
        refuse_costs_above_limits(route, reading)
    shared_stores = {store.iri: None for route in served for store in route.shared_stores}
    refuse_without_client(shared_stores, reading)
    used = _used(served, services) if shared else services
    ports = listeners(rows.listener, settings, keys, reading).get(chosen.gateway, ())
    served = tuple(sorted((*served, *challenge_route(ports, used.values())), key=attrgetter("iri")))
    trusted = trusted_proxies(rows.trusted_proxy, reading).get(chosen.gateway, ())
    caps = connection_caps(rows.connection_cap, trusted, reading)
    mesh = Mesh(
        chosen.gateway,
        name_of(chosen.gateway),
        routes=served,
        upstreams=tuple(used[iri] for iri in sorted(used)),
        listeners=capped(asking(ports, served, reading), caps),
        trusted_proxies=trusted,
        service_mesh=around,
        zone=chosen.zone,
        access_log=reading.boolean(chosen.gateway, AGW.accessLogEnabled, chosen.access_log),
        overload=overload_guards(rows.overload, reading).get(chosen.gateway),
        metrics_export=metrics_exports(rows.metrics, reading).get(chosen.gateway),
        exemptions=exemptions(rows.exemption, reading),
        objectives=objectives(rows.objective, (*(route.iri for route in served), *used), reading),
        audit=audit_logs(rows.audit, reading).get(chosen.gateway),
        change_rights=change_rights(rows.change_right, reading),
        connection_cap=caps.get(chosen.gateway),
        registrations=registrations(rows.registration, rows.registration_tag, directories, chosen.gateway, reading),
    )
    logs = rows.access_log, rows.access_log_gateway, rows.access_log_value
    mesh = with_access_logs(mesh, chosen.access_log, *logs, reading)
    return Assembly(mesh, tuple(dict.fromkeys(reading.findings)))


def _served(
    every_route: dict[str, Route], rows: ProjectedRows, chosen: GatewayRow, shared: bool, reading: Reading
) -> tuple[Route, ...]:
    """The chosen gateway's routes by IRI: all of them where it is the only gateway, else those it says it has."""
    if not shared:
        return tuple(every_route[iri] for iri in sorted(every_route))
    owned = {row.route for row in rows.gateway_route}
    for iri in sorted(every_route.keys() - owned):
        reading.warn(
            "route-without-gateway",
            f"{name_of(iri)} belongs to none of the gateways, so none serves it",
            iri,
            remedy="name it with agw:hasRoute on the gateway that is to serve it",
        )
    mine = {row.route for row in rows.gateway_route if row.gateway == chosen.gateway}
    return tuple(every_route[iri] for iri in sorted(mine & every_route.keys()))


def _authenticated(
    served: tuple[Route, ...], rows: ProjectedRows, chosen: GatewayRow, reading: Reading
) -> tuple[Route, ...]:
    """The routes with what each demands of its callers."""
    named = frozenset(row.authentication for row in rows.authentication)
    jwt = jwt_authentications(rows.jwt, rows.jwt_value, named, reading)
    asked = introspections(rows.oauth2, rows.oauth2_value, named, reading)
    people = logins(rows.login, rows.login_value, named, reading)
    stated = authentications(rows.authentication, jwt, api_keys(rows.api_key, reading), asked, people, reading)
    if not stated:
        return served
    return tuple(replace(route, authentication=demanded(route.iri, chosen.gateway, stated)) for route in served)


def _used(served: tuple[Route, ...], services: dict[str, Upstream]) -> dict[str, Upstream]:
    """What the routes send to; and what has a sidecar of agw's own, since others' sidecars send to it."""
    named = {upstream for route in served for upstream in route.reached}
    return {iri: one for iri, one in services.items() if iri in named or one.sidecar is not None}


def _service_mesh(chosen: GatewayRow, meshes: dict[str, ServiceMesh], reading: Reading) -> ServiceMesh | None:
    """The gateway's mesh; where the gateway says nothing and the graph holds one mesh, that one."""
    if chosen.service_mesh is not None:
        return reading.known(chosen.gateway, AGW.hasServiceMesh, chosen.service_mesh, meshes, "agw:ServiceMesh")
    return next(iter(meshes.values())) if len(meshes) == 1 else None
