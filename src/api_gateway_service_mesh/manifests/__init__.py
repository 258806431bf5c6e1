"""The model as manifests for others to run.

`render` turns a `Mesh` into files for one target. Proxy and manifests read the same model, so they cannot disagree
about what a configuration means; what a target cannot say stands in the rendering's report, never dropped in silence.

Every object leads back to the graph: annotations ``agw.ggen.ai/gateway``, ``…/service`` and ``…/routes`` hold IRIs, and
an Istio HTTP route is named by its route's IRI.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api_gateway_service_mesh.errors import AgwError, Origin
from api_gateway_service_mesh.model import Mesh

from .document import Manifest, Rendering
from .envoy import render_envoy
from .istio import render_istio
from .kubernetes import render_kubernetes

__all__ = ["TARGETS", "Manifest", "Rendering", "UnknownTargetError", "render"]

TARGETS: dict[str, Callable[..., Rendering]] = {
    "envoy": render_envoy,
    "istio": render_istio,
    "kubernetes": render_kubernetes,
}


class UnknownTargetError(AgwError):
    """Nothing renders for this target."""

    origin = Origin.CONFIG
    status = 400
    problem = "unknown-target"


def render(mesh: Mesh, target: str, **options: Any) -> Rendering:
    """Render `mesh` for one of `TARGETS`; options are those of `render_envoy`, `render_istio`, `render_kubernetes`.

    The rendering is a tuple of `Manifest`, with a ``report``. Raises UnknownTargetError for another target, TypeError
    for an unknown option, ConfigError for routes that do not compile.
    """
    if target not in TARGETS:
        known = ", ".join(TARGETS)
        raise UnknownTargetError(f"there is no target {target!r}", remedy=f"choose one of: {known}")
    return TARGETS[target](mesh, **options)
