"""HTTPRoutes of the gateway's Service: one for each route, as retries are annotations of a whole HTTPRoute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.gateway_api.route import rules_of
from api_gateway_service_mesh.manifests.name import duration, metadata, name_of
from api_gateway_service_mesh.manifests.order import Item, host_lists
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import Place
from api_gateway_service_mesh.manifests.retrying import Tries, variants
from api_gateway_service_mesh.model import RetryCondition, Route
from api_gateway_service_mesh.routing import ANY_HOST
from api_gateway_service_mesh.vocabulary import AGW

from .service import ports

__all__ = ["http_routes"]

_UNKNOWN: Final = ("URLRewrite", "RequestMirror")  # filters that Linkerd does not have
_STATUSES: Final = {
    RetryCondition.GATEWAY_ERROR: "gateway-error",
    RetryCondition.SERVER_ERROR: "5xx",
    RetryCondition.TIMEOUT: "504",
}


def http_routes(outline: Outline, places: Mapping[str, Place]) -> list[Document]:
    """One HTTPRoute a route, two where only some of its methods may be tried again."""
    there = ports(outline)
    parents = [
        {"group": "", "kind": "Service", "name": outline.name, **({"port": there[0]} if there[1:] == [] else {})}
    ]
    lists = host_lists(outline.table)
    # Linkerd knows no hosts. What any host sees is written; where there is no such, the best host's list.
    listed: tuple[Item, ...] = next((one for one, hosts in lists.items() if ANY_HOST in hosts), next(iter(lists), ()))
    for one in outline.table.entries:
        _report(outline, one.route)
    made: list[Document] = []
    for item in listed:
        for part, tries in variants(item):
            for route, rule in rules_of(outline, places, (part,), pages=False):
                filters = [each for each in rule.get("filters", ()) if each["type"] not in _UNKNOWN]
                rule.pop("filters", None)
                if filters:
                    rule["filters"] = filters
                name = f"{outline.name}-{outline.route_names[route.iri]}"
                own = name if tries is not Tries.UNSENT else f"{name}-unsent"
                if part[1] == ("HEAD",):
                    own = f"{own}-head"
                meta = metadata(name_of(own), outline.namespace, gateway=outline.mesh.iri, routes=[route.iri])
                retries = _retries(route, tries)
                if retries:
                    stated = meta.get("annotations")
                    meta["annotations"] = {**(stated if isinstance(stated, dict) else {}), **retries}
                made.append(
                    {
                        "apiVersion": "gateway.networking.k8s.io/v1",
                        "kind": "HTTPRoute",
                        "metadata": meta,
                        "spec": {"parentRefs": parents, "rules": [rule]},
                    }
                )
    return made


def _retries(route: Route, tries: Tries) -> dict[str, str]:
    retry = route.retry
    if retry is None or tries is not Tries.ALL:
        return {}
    named = [_STATUSES[condition] for condition in sorted(retry.conditions) if condition in _STATUSES]
    statuses = [*named, *map(str, retry.statuses)]
    if not statuses:
        return {}
    made = {"retry.linkerd.io/http": ",".join(dict.fromkeys(statuses)), "retry.linkerd.io/limit": str(retry.attempts)}
    if route.timeout is not None and route.timeout.per_attempt_seconds is not None:
        made["retry.linkerd.io/timeout"] = duration(route.timeout.per_attempt_seconds)
    return made


def _report(outline: Outline, route: Route) -> None:
    found, name, retry = outline.findings, route.name, route.retry
    if route.rewrite is not None:
        message = f"{name}: Linkerd changes no paths and hosts on the way to a service"
        found.append(lost(route.rewrite.iri, AGW.hasRewrite, message, "keep agw in front"))
    for mirror in route.mirrors:
        message = f"{name}: Linkerd sends no copies"
        found.append(lost(mirror.iri, AGW.hasTrafficMirroring, message, "keep agw in front"))
    if route.match.priority:
        message = f"{name}: where paths, methods and numbers of predicates tie, the older HTTPRoute wins in Linkerd"
        found.append(differs(route.iri, AGW.priority, message, "let no two routes tie"))
    if retry is not None and retry.attempts:
        message = f"{name}: Linkerd tries again by status alone, up to 64 KiB of body, without waiting in between"
        found.append(differs(retry.iri, AGW.hasRetryPolicy, message))
        found.append(differs(retry.iri, AGW.retryOn, message))
