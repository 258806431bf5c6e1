"""Which objects of a cluster state routes of this gateway. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["HOST", "PATH", "RESOURCES", "Key", "wanted"]

Key = tuple[str, str, str]
"""Kind, namespace and name."""

_GROUP = "gateway.networking.k8s.io"
RESOURCES = {
    "Gateway": (f"apis/{_GROUP}/v1", "gateways"),
    "HTTPRoute": (f"apis/{_GROUP}/v1", "httproutes"),
    "ReferenceGrant": (f"apis/{_GROUP}/v1beta1", "referencegrants"),
    "Service": ("api/v1", "services"),
}
"""Where each kind is: API, and plural."""
PATH = "agw.ggen.ai/path"
"""Annotation of a Service: what its route is the prefix of."""
HOST = "agw.ggen.ai/host"
"""Annotation of a Service: the host name of its route; without it, any."""


def wanted(
    told: Mapping[str, Mapping[tuple[str, str], dict[str, Any]]], gateway_class: str
) -> dict[Key, dict[str, Any]]:
    """The Gateways of a class, the HTTPRoutes that hang on them, a route for each Service that an annotation asks one
    for, and the Services and grants that they speak of; the oldest of a kind first, as Gateway API ranks them."""
    gateways = {key: one for key, one in told["Gateway"].items() if _spec(one).get("gatewayClassName") == gateway_class}
    routes = {
        key: one for key, one in told["HTTPRoute"].items() if any(place in gateways for place in _parents(key[0], one))
    }
    asked = {key: one for key, one in told["Service"].items() if PATH in (one["metadata"].get("annotations") or {})}
    used = {place for key, one in routes.items() for place in _backends(key[0], one)}
    services = {key: one for key, one in told["Service"].items() if key in used or key in asked}
    found: dict[Key, dict[str, Any]] = {}
    for kind, objects in (
        ("Gateway", gateways),
        ("ReferenceGrant", told["ReferenceGrant"]),
        ("Service", services),
        ("HTTPRoute", routes),
    ):
        api = RESOURCES[kind][0].partition("/")[2]
        for (namespace, name), one in sorted(objects.items(), key=lambda item: (_age(item[1]), item[0])):
            found[kind, namespace, name] = {"apiVersion": api, "kind": kind, **one}
    for (namespace, name), one in sorted(asked.items(), key=lambda item: (_age(item[1]), item[0])):
        found["Service route", namespace, name] = _route(namespace, name, one)
    return found


def _route(namespace: str, name: str, one: dict[str, Any]) -> dict[str, Any]:
    """What the annotations of a Service ask for, as an HTTPRoute: to the first of its ports."""
    annotations = one["metadata"]["annotations"]
    ports = _spec(one).get("ports") or [{}]
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": annotations[PATH]}}],
        "backendRefs": [{"name": name, "port": ports[0].get("port")}],
    }
    spec: dict[str, Any] = {"rules": [rule]}
    if annotations.get(HOST):
        spec["hostnames"] = [annotations[HOST]]
    made = {"name": f"{name}-service", "namespace": namespace}
    return {"apiVersion": f"{_GROUP}/v1", "kind": "HTTPRoute", "metadata": made, "spec": spec}


def _spec(one: dict[str, Any]) -> dict[str, Any]:
    spec = one.get("spec")
    return spec if isinstance(spec, dict) else {}


def _age(one: dict[str, Any]) -> str:
    return str(one["metadata"].get("creationTimestamp") or "")


def _parents(namespace: str, one: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(each.get("namespace") or namespace), str(each.get("name")))
        for each in _spec(one).get("parentRefs") or ()
        if each.get("kind", "Gateway") == "Gateway"
    ]


def _backends(namespace: str, one: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for rule in _spec(one).get("rules") or ():
        references = list(rule.get("backendRefs") or ())
        references += [
            each["requestMirror"]["backendRef"] for each in rule.get("filters") or () if "requestMirror" in each
        ]
        found += [(str(each.get("namespace") or namespace), str(each.get("name"))) for each in references]
    return found
