"""The whole typed model of one gateway: what the proxy serves and the manifests render."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from .access_log import LogFormat
from .audit import AuditLog
from .change_right import ChangeRight
from .connection_cap import ConnectionCap
from .exemption import Exemption
from .listener import DEFAULT_LISTENER, Listener
from .metrics import MetricsExport
from .mtls import MutualTls
from .objective import Objective
from .overload import OverloadGuard
from .registration import Registration
from .route import Route
from .upstream import Upstream

__all__ = ["Mesh", "MeshType", "ServiceMesh"]


class MeshType(StrEnum):
    """``agw:meshType``."""

    ISTIO = "istio"
    LINKERD = "linkerd"
    CONSUL = "consul"


@dataclass(frozen=True, slots=True)
class ServiceMesh:
    """The mesh that the gateway and its services live in (``agw:ServiceMesh``)."""

    iri: str
    mesh_type: MeshType
    mtls: MutualTls | None = None
    sidecar_port: int | None = None
    control_plane_endpoint: str | None = None
    namespace: str = "default"


@dataclass(frozen=True, slots=True)
class Mesh:
    """One gateway (``agw:ApiGateway``) with all it needs. ``routes`` and ``upstreams`` are sorted by IRI.

    ``trusted_proxies`` are CIDR blocks whose ``X-Forwarded-*`` and ``Forwarded`` fields are believed; from anyone else
    they are replaced. ``zone`` is where the gateway runs: endpoints in it are preferred.

    ``access_log``: requests are logged for whose route nothing else is stated; ``log_format``: how those are that no
    route takes, and that they are.
    """

    iri: str
    name: str
    routes: tuple[Route, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    listeners: tuple[Listener, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    service_mesh: ServiceMesh | None = None
    access_log: bool = False
    zone: str | None = None
    overload: OverloadGuard | None = None
    exemptions: tuple[Exemption, ...] = ()
    audit: AuditLog | None = None
    change_rights: tuple[ChangeRight, ...] = ()
    objectives: tuple[Objective, ...] = ()
    connection_cap: ConnectionCap | None = None
    log_format: LogFormat | None = None
    registrations: tuple[Registration, ...] = ()
    metrics_export: MetricsExport | None = None

    @property
    def listening(self) -> tuple[Listener, ...]:
        """The listeners as they are to be opened: at least one, each with the gateway's cap where it has no own."""
        stated = self.listeners or (Listener(DEFAULT_LISTENER, 8080),)
        cap = self.connection_cap
        if cap is None:
            return stated
        return tuple(one if one.connection_cap else replace(one, connection_cap=cap) for one in stated)

    @property
    def logs(self) -> bool:
        """Whether any request is logged."""
        return (
            self.access_log or self.log_format is not None or any(route.access_log is not None for route in self.routes)
        )
