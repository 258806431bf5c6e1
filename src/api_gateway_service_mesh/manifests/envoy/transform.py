"""Changes to header fields, as Envoy's routes have them (``config.route.v3.Route``)."""

from __future__ import annotations

from collections.abc import Mapping

from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import Route

from .cors import BACKENDS
from .typed import Json

__all__ = ["with_changes"]

_OVER, _BESIDE = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"


def with_changes(route: Route, made: Json) -> Json:
    """One of Envoy's routes, changing what `route` says. Envoy removes before it adds."""
    changed = dict(made)
    for what, changes in (("request", request_changes(route)), ("response", answer_changes(route))):
        if changes is None:
            continue
        escaped = changes.for_envoy
        added = [*_added(escaped.sets, _OVER), *_added(escaped.adds, _BESIDE)]
        if added:
            key = f"{what}_headers_to_add"
            changed[key] = [*changed.get(key, []), *added]
        if changes.removes:
            key = f"{what}_headers_to_remove"
            changed[key] = [*changed.get(key, []), *changes.removes]
    if route.cors is not None:
        changed["response_headers_to_remove"] = [*changed.get("response_headers_to_remove", []), *BACKENDS]
    return changed


def _added(fields: Mapping[str, str], action: str) -> list[Json]:
    return [{"header": {"key": name, "value": value}, "append_action": action} for name, value in fields.items()]
