"""ServiceProfiles: retry budgets and timeouts for those who call a service itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import re2

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.name import duration, metadata
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import Place
from api_gateway_service_mesh.manifests.retrying import IDEMPOTENT
from api_gateway_service_mesh.model import PathKind, Route
from api_gateway_service_mesh.routing import ANY_SEGMENT, PathPattern

__all__ = ["service_profiles"]


def service_profiles(outline: Outline, places: Mapping[str, Place]) -> list[Document]:
    """One for each service of the cluster whose routes are tried again, by the most generous of their budgets."""
    made: list[Document] = []
    for iri, place in places.items():
        routes = [route for route in outline.used[iri] if route.retry is not None and route.retry.attempts]
        if place.documents or not routes:
            continue
        budgets = [route.retry for route in routes if route.retry is not None]
        spec: dict[str, Any] = {
            "routes": [each for route in routes for each in _routes(outline, route)],
            "retryBudget": {
                "retryRatio": max(budget.budget_percent for budget in budgets) / 100,
                "minRetriesPerSecond": max(budget.budget_minimum for budget in budgets),
                "ttl": "10s",
            },
        }
        namespace = place.namespace or outline.namespace or "default"
        made.append(
            {
                "apiVersion": "linkerd.io/v1alpha2",
                "kind": "ServiceProfile",
                "metadata": metadata(
                    f"{place.name}.{namespace}.svc.cluster.local", namespace, gateway=outline.mesh.iri, service=iri
                ),
                "spec": spec,
            }
        )
    return made


def _routes(outline: Outline, route: Route) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    entry = next(one for one in outline.table.entries if one.route.iri == route.iri)
    methods = sorted(entry.methods) or list(IDEMPOTENT)
    for method in methods:
        again = method in IDEMPOTENT or bool(route.retry and route.retry.retry_non_idempotent)
        each: dict[str, Any] = {
            "name": f"{method} {route.name}",
            "condition": {"method": method, "pathRegex": _pattern(entry.path)},
            "isRetryable": again,
        }
        if route.timeout is not None and route.timeout.total_seconds is not None:
            each["timeout"] = duration(route.timeout.total_seconds)
        made.append(each)
    return made


def _pattern(path: PathPattern) -> str:
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return path.text
    if path.kind is PathKind.EXACT:
        return str(re2.escape(path.text))
    stem = "".join("/[^/]+" if segment == ANY_SEGMENT else "/" + re2.escape(segment) for segment in path.segments)
    return f"{stem}(/.*)?" if path.open_ended else stem
