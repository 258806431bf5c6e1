"""Canaries for Flagger to deliver: ``Canary`` (``flagger.app/v1beta1``), and the delegation of their routes to it.

Flagger raises a new revision of one Deployment beside its last one, whose copy it keeps as ``NAME-primary``. It writes
the VirtualService with the two weights itself, as a delegate (``service.delegation``); the route of the gateway's
VirtualService hands its requests on to that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.model import Canary, ConnectionPool, Route, SplitTarget, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["flagger_canaries"]

_SHORTEST = 10  # seconds: Flagger looks no more often than that
_PERCENTILE = 99  # at which request-duration is taken


#: What Flagger has of Istio's TrafficPolicy (``spec.service.trafficPolicy`` of its CRD); ``tls`` knows no Secret.
_POLICY: dict[str, frozenset[str]] = {
    "loadBalancer": frozenset({"simple", "consistentHash", "localityLbSetting", "warmupDurationSecs"}),
    "outlierDetection": frozenset(
        {
            "baseEjectionTime",
            "consecutive5xxErrors",
            "consecutiveGatewayErrors",
            "consecutiveLocalOriginFailures",
            "interval",
            "maxEjectionPercent",
            "minHealthPercent",
            "splitExternalLocalOriginErrors",
        }
    ),
    "tls": frozenset({"mode", "caCertificates", "clientCertificate", "privateKey", "sni", "subjectAltNames"}),
}
_POOL = frozenset(
    {
        "h2UpgradePolicy",
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "idleTimeout",
        "maxRequestsPerConnection",
        "maxRetries",
    }
)


@dataclass(frozen=True, slots=True)
class _Target:
    """The Deployment that is delivered, called as its Service."""

    name: str
    namespace: str | None
    port: int


def flagger_canaries(context: Context, rules: list[Document]) -> list[Document]:
    """The Canary of each service that routes raise; ``context.delegates`` then holds the routes that it has.

    `rules`: the DestinationRules, whose policies Flagger sets for both sides.
    """
    policies = {rule["spec"]["host"]: rule["spec"]["trafficPolicy"] for rule in rules}
    services: dict[_Target, str] = {}
    plans: dict[_Target, Canary] = {}
    routes: dict[_Target, list[Route]] = {}
    for route in _routes(context):
        split, target = _delivered(context, route)
        if split is None or split.canary is None or target is None:
            continue
        plan = plans.setdefault(target, split.canary)
        if _criteria(plan) != _criteria(split.canary):
            message = f"{route.name}: Flagger delivers a Deployment once; {target.name} is raised as {plan.iri} says"
            context.findings.append(lost(split.iri, AGW.hasCanaryStep, message, "state the same steps and bounds"))
            continue
        if plan is split.canary:
            context.findings += _plan_gaps(route.name, plan)
            services[target] = split.upstream
        context.findings += _route_gaps(route, split, target)
        routes.setdefault(target, []).append(route)
        context.delegates[route.iri] = {"name": target.name} | (
            {"namespace": target.namespace} if target.namespace else {}
        )
    made: list[Document] = []
    for target, held in routes.items():
        upstream = context.upstreams[services[target]]
        policy = _policy(context, upstream, policies[context.destinations[upstream.iri].host])
        made.append(_document(context, target, plans[target], held, policy))
    return made


def _routes(context: Context) -> list[Route]:
    """The routes of the table, each once, in its order."""
    return list({entry.route.iri: entry.route for entry in context.table.entries}.values())


def _criteria(plan: Canary) -> Canary:
    """`plan` without what names it."""
    steps = tuple(replace(step, iri="") for step in plan.steps)
    return replace(plan, iri="", rollout="", steps=steps)


def _delivered(context: Context, route: Route) -> tuple[SplitTarget | None, _Target | None]:
    """The canary of `route` and its Deployment, where Flagger can deliver it; if not, that is reported."""
    raised = [split for split in route.splits if split.canary is not None]
    if not raised or route.direct is not None:
        return None, None
    split = raised[0]
    there = context.destinations.get(split.upstream)
    if len(raised) > 1:
        message, remedy = "Flagger raises one canary of a route; none of these is", "write a route for each"
    elif there is None or there.entry:
        message = f"{split.upstream} is no service of the cluster, so Flagger has no Deployment to deliver"
        remedy = "give the service's name in the cluster as its agw:address"
    else:
        labels = there.host.rstrip(".").split(".")
        return split, _Target(labels[0], labels[1] if len(labels) > 1 else context.namespace, there.port)
    for each in raised:
        context.findings.append(lost(each.iri, AGW.hasCanaryStep, f"{route.name}: {message}", remedy))
    return None, None


def _document(context: Context, target: _Target, plan: Canary, routes: list[Route], policy: dict[str, Any]) -> Document:
    interval = f"{_interval(plan)}s"
    analysis: dict[str, Any] = {
        "interval": interval,
        "threshold": 1,  # as agw: taken back as soon as one criterion does not hold
        "stepWeights": [step.weight for step in plan.steps],
    }
    metrics = [{**metric, "interval": interval} for metric in _metrics(plan)]
    if metrics:
        analysis["metrics"] = metrics
    named = metadata(target.name, target.namespace, gateway=context.mesh.iri, routes=[route.iri for route in routes])
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": named,
        "spec": {
            "provider": "istio",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target.name},
            "service": {"port": target.port, "delegation": True, "trafficPolicy": policy},
            "analysis": analysis,
        },
    }


def _policy(context: Context, upstream: Upstream, whole: dict[str, Any]) -> dict[str, Any]:
    """What Flagger can say of the service's `whole` policy; what it cannot is reported."""
    http = whole.get("connectionPool", {}).get("http", {})
    kept = {name: value for name, value in http.items() if name in _POOL}
    made: dict[str, Any] = {"connectionPool": {"http": kept}} if kept else {}
    gone = [f"connectionPool.http.{name}" for name in http if name not in _POOL]
    for name, section in whole.items():
        if name in _POLICY and set(section) <= _POLICY[name]:
            made[name] = section
        elif name != "connectionPool":
            gone.append(name)
    if gone:
        message = f"{upstream.name}: Flagger's trafficPolicy has no such {', '.join(gone)}; both sides go without"
        context.findings.append(lost(upstream.iri, AGW.targetService, message, "keep agw in front"))
    pool, standard = upstream.pool, ConnectionPool()
    stated = (pool.max_connections, pool.connect_timeout_seconds)
    usual = stated == (standard.max_connections, standard.connect_timeout_seconds)
    message = f"{upstream.name}: Flagger's trafficPolicy does not bound connections nor the time to connect"
    context.findings.append((differs if usual else lost)(upstream.iri, AGW.hasConnectionPool, message))
    return made


def _interval(plan: Canary) -> int:
    """Seconds between two looks, each of which ends a step: the longest step's, so that none is shorter than stated."""
    return max(_SHORTEST, math.ceil(max(step.seconds for step in plan.steps)))


def _metrics(plan: Canary) -> list[dict[str, Any]]:
    """Flagger's own checks: the share of answers below 500 in per cent, and the latency in milliseconds."""
    made: list[dict[str, Any]] = []
    if plan.max_error_rate is not None:
        least = round(100 - 100 * plan.max_error_rate, 6)
        made.append({"name": "request-success-rate", "thresholdRange": {"min": _number(least)}})
    if plan.max_latency_seconds is not None:
        most = round(1000 * plan.max_latency_seconds, 6)
        made.append({"name": "request-duration", "thresholdRange": {"max": _number(most)}})
    return made


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _route_gaps(route: Route, split: SplitTarget, target: _Target) -> list[Finding]:
    """What becomes of the route's other side."""
    name, deployment = route.name, target.name
    found = [
        differs(
            split.iri,
            AGW.hasCanaryStep,
            f"{name}: Flagger raises each new revision of the Deployment {deployment} beside the last; the first "
            "is not judged",
            "apply it while the Deployment is as it was, then change its pods",
        )
    ]
    for other in route.splits:
        if other.upstream != split.upstream:
            message = (
                f"{name}: Flagger keeps {deployment}'s last revision as the other side; {other.upstream} gets none of "
                "the route's requests"
            )
            found.append(lost(other.iri, AGW.targetService, message, "make it a revision of the same Deployment"))
    return found


def _plan_gaps(name: str, plan: Canary) -> list[Finding]:
    """What of the plan Flagger says otherwise or not at all."""
    found: list[Finding] = []
    interval = _interval(plan)
    if len({step.seconds for step in plan.steps}) > 1:
        message = f"{name}: Flagger's steps all last as long; each takes {interval} s"
        found.append(lost(plan.iri, AGW.stepDuration, message, "state the same agw:stepDuration for all steps"))
    elif plan.steps[0].seconds != interval:
        message = f"{name}: Flagger looks in whole seconds, every {_SHORTEST} s at most; each step takes {interval} s"
        found.append(differs(plan.iri, AGW.stepDuration, message))
    message = f"{name}: Flagger judges however few requests there were, and takes none for a failure"
    counted = lost if plan.minimum_requests != Canary("", ()).minimum_requests else differs
    found.append(
        counted(plan.iri, AGW.minimumStepRequests, message, "see to it that requests come, by a load test too")
    )
    relative = {
        AGW.maximumErrorIncrease: plan.max_error_increase,
        AGW.maximumLatencyRatio: plan.max_latency_ratio,
    }
    for term, value in relative.items():
        if value is not None:
            message = (
                f"{name}: Flagger's own checks do not compare with the other side; the bound {value:g} is left out"
            )
            found.append(lost(plan.iri, term, message, "state the absolute bound, or write a MetricTemplate"))
    if plan.max_latency_seconds is not None and plan.percentile != _PERCENTILE:
        message = f"{name}: Flagger takes the latency at percentile {_PERCENTILE}, not {plan.percentile}"
        found.append(differs(plan.iri, AGW.latencyPercentile, message, f"state agw:latencyPercentile {_PERCENTILE}"))
    if plan.paused:
        message = f"{name}: the canary's pause is left out: Flagger raises it"
        found.append(lost(plan.iri, AGW.paused, message, "set spec.suspend by hand, once Flagger has begun"))
    if plan.rollout:
        message = f"{name}: Flagger begins anew when the Deployment's pods change, not with the rollout's name"
        found.append(differs(plan.iri, AGW.rolloutName, message))
    return found
