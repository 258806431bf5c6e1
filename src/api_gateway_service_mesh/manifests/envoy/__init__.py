"""Envoy: one translation of the model, as a file to start it with and as resources for xDS (`control.xds`).

Rules of this package: resources are JSON values (`typed`); each part of the model is put into Envoy's words in one
module, which also says what gets lost; `listener.http_filters` alone knows the order of filters, `match` alone how a
route is found.
"""

from __future__ import annotations

import json
from typing import Final

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.document import Manifest, Rendering
from api_gateway_service_mesh.model import Mesh

from .bootstrap import ControlPlane, dynamic_bootstrap, static_bootstrap
from .resources import KINDS, Resources
from .route import stat_prefix
from .sidecar import NODE, sidecar_resources, sidecars
from .translate import resources

__all__ = [
    "KINDS",
    "NODE",
    "ControlPlane",
    "Resources",
    "dynamic_bootstrap",
    "render_envoy",
    "resources",
    "sidecar_resources",
    "sidecars",
    "stat_prefix",
    "static_bootstrap",
]

_ADMIN: Final = "127.0.0.1:9902"


def render_envoy(mesh: Mesh, *, admin: str | None = _ADMIN, namespace: str | None = None) -> Rendering:
    """Render `mesh` as a bootstrap that needs nobody else: ``envoy -c envoy/bootstrap.json``; and one for each sidecar,
    ``envoy/sidecars/NAME.json``, without an admin side.

    `admin`: ``host:port`` of Envoy's own admin side, None for none. `namespace` is for targets that have such.
    """
    made = resources(mesh, dynamic=False)
    written = [_written("envoy/bootstrap.json", made, "agw", admin)]
    findings = dict.fromkeys(made.report.findings)
    for name, service in sidecars(mesh).items():
        beside = sidecar_resources(mesh, service, dynamic=False)
        written.append(_written(f"envoy/sidecars/{name}.json", beside, NODE + name, None))
        findings |= dict.fromkeys(beside.report.findings)
    return Rendering(written, Report().merged(findings))


def _written(path: str, made: Resources, node: str, admin: str | None) -> Manifest:
    text = json.dumps(static_bootstrap(made, node=node, admin=admin), indent=1, ensure_ascii=False)
    return Manifest(path, text + "\n")
