"""Config entries as Consul's API has them, and the same as resources of consul-k8s: other spellings of one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.name import (
    ANNOTATION_GATEWAY,
    ANNOTATION_ROUTES,
    ANNOTATION_SERVICE,
    metadata,
)

__all__ = ["Entry", "as_resource", "entry", "http_path", "service_name"]

#: One config entry.
Entry = dict[str, Any]

_KINDS: Final = {
    "proxy-defaults": "ProxyDefaults",
    "mesh": "Mesh",
    "service-defaults": "ServiceDefaults",
    "service-resolver": "ServiceResolver",
    "service-router": "ServiceRouter",
    "service-splitter": "ServiceSplitter",
    "service-intentions": "ServiceIntentions",
    "jwt-provider": "JWTProvider",
}
_OWN_KEYS = ("Subsets", "Config", "Set", "Add")  # their members' names are people's
_LONGEST_META = 512
_META = {"gateway": ANNOTATION_GATEWAY, "service": ANNOTATION_SERVICE, "routes": ANNOTATION_ROUTES}


def entry(kind: str, name: str, fields: dict[str, Any], **sources: str | Iterable[str]) -> Entry:
    """A config entry; `sources` are the IRIs that it comes from, as `metadata` takes them."""
    meta: dict[str, str] = {}
    for source, value in sources.items():
        text = value if isinstance(value, str) else " ".join(dict.fromkeys(value))
        if text and len(text) <= _LONGEST_META:
            meta[_META[source]] = text
    made: Entry = {"Kind": kind, "Name": name, **fields}
    if meta:
        made["Meta"] = meta
    return made


def as_resource(one: Entry, namespace: str | None) -> Document:
    """A config entry as a resource of ``consul.hashicorp.com``."""
    fields = {key: value for key, value in one.items() if key not in ("Kind", "Name", "Meta")}
    meta = one.get("Meta", {})
    sources = {name: meta[key] for name, key in _META.items() if key in meta}
    spec = _lower(fields)
    if one["Kind"] == "service-intentions":
        spec = {"destination": {"name": one["Name"]}, **spec}
    return {
        "apiVersion": "consul.hashicorp.com/v1alpha1",
        "kind": _KINDS[one["Kind"]],
        "metadata": metadata(one["Name"], namespace, **sources),
        "spec": spec,
    }


def _lower(value: Any, own: bool = False) -> Any:
    if isinstance(value, dict):
        return {key if own else _key(key): _lower(item, key in _OWN_KEYS) for key, item in value.items()}
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return value


def _key(key: str) -> str:
    """``PathExact`` → ``pathExact``, ``HTTP`` → ``http``, ``JSONWebKeySet`` → ``jsonWebKeySet``."""
    start = re.match(r"[A-Z]+(?![a-z])|[A-Z]", key)
    return key if start is None else start.group().lower() + key[start.end() :]


def service_name(name: str) -> str:
    """What the virtual service of a gateway's routes is called."""
    return f"{name[:56].rstrip('-')}-routes"


def http_path(kind: str, text: str) -> dict[str, str]:
    """A path predicate of routers and intentions; `kind` is ``Exact``, ``Prefix`` or ``Regex``."""
    return {f"Path{kind}": text}
