"""Grafana: a dashboard of the gateway, with a row for each route and a row for each service.

It says nothing of what the gateway does to requests, so nothing of a configuration can be lost.
"""

from __future__ import annotations

import json
from hashlib import sha256

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.document import Manifest, Rendering
from api_gateway_service_mesh.manifests.name import name_of
from api_gateway_service_mesh.model import Mesh

from .dashboard import Json, dashboard

__all__ = ["render_grafana"]


def render_grafana(mesh: Mesh, *, namespace: str | None = None, job: str = "agw") -> Rendering:
    """One dashboard; its ``uid`` is made of the gateway's IRI, so that a newer one takes its place. `job` is what
    Prometheus scrapes the gateway as."""
    made: Json = dashboard(mesh, job, f"agw-{sha256(mesh.iri.encode()).hexdigest()[:12]}")
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return Rendering((Manifest(f"grafana/{name_of(mesh.name)}.json", text),), Report())
