"""The model as manifests for others to run.

`render` turns a `Mesh` into files for one target. Proxy and manifests read the same model, so they cannot disagree
about what a configuration means. What a target cannot say is a loss: the rendering is refused, or, with ``allow_loss``,
comes with a report of it; nothing is dropped in silence (`manifests.account`). What each target can say stands in
``ontology/target.ttl``.

Every object leads back to the graph: annotations ``agw.ggen.ai/gateway``, ``…/service`` and ``…/routes`` hold IRIs, and
an Istio HTTP route is named by its route's IRI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from api_gateway_service_mesh.errors import AgwError, ConfigError, Finding, Origin, Report, Severity
from api_gateway_service_mesh.graph.capability import capabilities
from api_gateway_service_mesh.model import Mesh

from .account import account
from .consul import render_consul
from .document import Manifest, Rendering
from .envoy import render_envoy
from .gap import LOSS
from .gateway_api import render_gateway_api
from .grafana import render_grafana
from .istio import render_istio
from .kubernetes import render_kubernetes
from .linkerd import render_linkerd
from .prometheus import render_prometheus

__all__ = [
    "TARGETS",
    "WATCHERS",
    "Manifest",
    "NotExpressibleError",
    "Rendering",
    "UnknownTargetError",
    "losses",
    "render",
]

TARGETS: dict[str, Callable[..., Rendering]] = {
    "consul": render_consul,
    "envoy": render_envoy,
    "gateway-api": render_gateway_api,
    "istio": render_istio,
    "kubernetes": render_kubernetes,
    "linkerd": render_linkerd,
}


WATCHERS: dict[str, Callable[..., Rendering]] = {"grafana": render_grafana, "prometheus": render_prometheus}
"""Targets that watch a gateway: they say nothing of what it does to requests, so they lose nothing of it."""


class UnknownTargetError(AgwError):
    """Nothing renders for this target."""

    origin = Origin.CONFIG
    status = 400
    problem = "unknown-target"


class NotExpressibleError(ConfigError):
    """The target cannot say all of the configuration; ``report`` has what would be missing as violations."""

    problem = "not-expressible"


def losses(mesh: Mesh, target: str, said: Report) -> list[Finding]:
    """What `target` cannot say of `mesh`: what its renderer `said`, and what nobody spoke of."""
    table = capabilities().get(target)
    whole = said if table is None else said.merged(account(mesh, table, said.findings))
    return [finding for finding in whole.findings if finding.code == LOSS]


def render(mesh: Mesh, target: str, *, allow_loss: bool = False, **options: Any) -> Rendering:
    """Render `mesh` for one of `TARGETS` or `WATCHERS`; options are those of its renderer (`render_istio` …).

    The rendering is a tuple of `Manifest`, with a ``report``. With `allow_loss` what the target cannot say is left out,
    and stands in the report as warnings.

    Raises:
        NotExpressibleError: the target cannot say something, and `allow_loss` is not given.
        UnknownTargetError: there is no such target.
        TypeError: an unknown option.
        ConfigError: routes that do not compile.
    """
    if target in WATCHERS:
        return WATCHERS[target](mesh, **options)
    if target not in TARGETS:
        known = ", ".join((*TARGETS, *WATCHERS))
        raise UnknownTargetError(f"there is no target {target!r}", remedy=f"choose one of: {known}")
    rendering = TARGETS[target](mesh, **options)
    table = capabilities().get(target)
    if table is not None:
        rendering = Rendering(
            rendering.manifests, rendering.report.merged(account(mesh, table, rendering.report.findings))
        )
    if not allow_loss and rendering.losses:
        refused = (
            replace(finding, severity=Severity.VIOLATION) if finding.code == LOSS else finding
            for finding in rendering.report.findings
        )
        raise NotExpressibleError(Report(tuple(refused)))
    return rendering
