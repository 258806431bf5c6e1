"""Istio objects out of a rendering, and Envoy's reading of a VirtualService, said plainly."""

from __future__ import annotations

from typing import Any

import re2
import yaml

from api_gateway_service_mesh.manifests import Rendering
from tests.support.routes import Request


def objects(rendering: Rendering, kind: str) -> list[dict[str, Any]]:
    documents = [
        yaml.load(manifest.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for manifest in rendering
    ]
    return [document for document in documents if document["kind"] == kind]


def one(rendering: Rendering, kind: str) -> dict[str, Any]:
    (found,) = objects(rendering, kind)
    return found


def _value(test: dict[str, str], got: str | None) -> bool:
    if got is None:
        return False
    if "exact" in test:
        return got == test["exact"]
    if "prefix" in test:
        return got.startswith(test["prefix"])
    return not test or bool(re2.fullmatch(test["regex"], got))


def _holds(match: dict[str, Any], request: Request) -> bool:
    parameters = dict(reversed([pair.split("=") for pair in request.query.split("&") if pair]))
    return (
        _value(match["uri"], request.path)
        and _value(match.get("method", {"regex": ".*"}), request.method)
        and all(_value(test, request.fields.get(name)) for name, test in match.get("headers", {}).items())
        and all(_value(test, parameters.get(name)) for name, test in match.get("queryParams", {}).items())
    )


def envoy(services: list[dict[str, Any]], request: Request) -> str | None:
    """The name of the HTTP route that takes the request: most specific host, then the first in the list."""

    def rank(host: str) -> tuple[int, int] | None:
        if host == request.host:
            return (0, 0)
        if host == "*":
            return (2, 0)
        return (1, -len(host)) if host.startswith("*.") and request.host.endswith(host[1:]) else None

    hosts = [(rank(host), service) for service in services for host in service["spec"]["hosts"]]
    best = min((pair for pair in hosts if pair[0] is not None), key=lambda pair: pair[0] or (9, 0), default=None)
    if best is None:
        return None
    for http in best[1]["spec"]["http"]:
        if "match" not in http or any(_holds(match, request) for match in http["match"]):
            return str(http["name"])
    return None
