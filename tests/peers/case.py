"""A case: what backends do, how both gateways are told to deal with it, and what is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .backend import Backend, Script
from .client import Client

__all__ = ["Ask", "Case", "Facts", "Json"]

Facts = dict[str, object]
Json = dict[str, Any]
Ask = Callable[[Client, list[Backend]], Awaitable[Facts]]


@dataclass(frozen=True)
class Case:
    """See the module. The route takes ``/NAME/*`` and goes to a service of all ``backends``.

    ``route`` and ``service`` are further Turtle about the route and its service (each predicate and object ends with
    ``;``), ``more`` further statements; ``action`` goes into Envoy's route action and ``cluster`` into its cluster;
    ``routes`` takes the place of Envoy's route. The names of ``apart`` are services of one backend each, which come
    after those of the route's service.
    """

    name: str
    ask: Ask
    backends: tuple[Script, ...]
    route: str = ""
    service: str = ""
    more: str = ""
    action: Json = field(default_factory=dict)
    cluster: Json = field(default_factory=dict)
    routes: tuple[Json, ...] = ()
    per_filter: Json = field(default_factory=dict)
    apart: Mapping[str, Script] = field(default_factory=dict)
    serviceless: bool = False

    def turtle(self, backends: list[Backend]) -> str:
        """agw's configuration."""
        name = self.name
        places = "".join(
            f'ex:{name}{number} a agw:ServiceInstance ; agw:address "127.0.0.1:{each.port}" .\n'
            for number, each in enumerate(backends[: len(self.backends)])
        )
        instances = " , ".join(f"ex:{name}{number}" for number in range(len(self.backends)))
        goes = "" if self.serviceless else f"agw:hasBackendService ex:{name}Service ;"
        text = f'ex:{name} a agw:Route ; {goes} {self.route} agw:routePath "/{name}/*" .\n{self.more}\n'
        if self.backends:
            text += f"ex:{name}Service a agw:BackendService ; {self.service} agw:hasInstance {instances} .\n{places}"
        for other, each in zip(self.apart, backends[len(self.backends) :], strict=True):
            text += f'ex:{other} a agw:BackendService ; agw:address "127.0.0.1:{each.port}" .\n'
        return text

    def envoy_routes(self) -> list[Json]:
        """Envoy's routes."""
        if self.routes:
            return [*self.routes]
        action = {"cluster": self.name, **self.action}
        made: Json = {"match": {"prefix": f"/{self.name}/"}, "route": action}
        if self.per_filter:
            made["typed_per_filter_config"] = self.per_filter
        return [made]

    def envoy_clusters(self, backends: list[Backend]) -> list[Json]:
        """Envoy's clusters."""
        found: list[Json] = []
        if self.backends:
            found.append({**_cluster(self.name, backends[: len(self.backends)]), **self.cluster})
        for other, each in zip(self.apart, backends[len(self.backends) :], strict=True):
            found.append(_cluster(other, [each]))
        return found


def _cluster(name: str, backends: list[Backend]) -> Json:
    places = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": each.port}}}}
        for each in backends
    ]
    members = {"cluster_name": name, "endpoints": [{"lb_endpoints": places}]}
    return {"name": name, "type": "STATIC", "load_assignment": members}
