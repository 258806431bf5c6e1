"""What becomes of the requests that a route takes: Envoy's routes, in the order in which they are asked.

One route of agw is several of Envoy's where a part of its requests goes another way: during maintenance, when steered
to one side of a split, and where only some of them may be sent twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import Maintenance, Mirror, Route, SplitTarget
from api_gateway_service_mesh.routing import RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

from .answer import direct_response, redirect
from .authentication import route_authentication
from .authorization import route_authorization
from .balancer import hash_policy
from .compression import route_compression
from .condition import all_of, from_addresses, predicate
from .context import Context
from .cors import route_cors
from .fault import route_faults
from .grpc_web import route_grpc_web
from .match import Variant
from .rate_limit import limit_actions, lone_limits
from .refusal import problem_route
from .retry import retry_flavours
from .rewrite import rewrite
from .sticky import route_stickiness
from .tracing import route_tracing
from .transform import with_changes
from .typed import ANY_REQUEST, Json, seconds

__all__ = ["Routes", "stat_prefix"]

_NOBODY: Final = "agw.nobody"
"""A cluster that is not there: what is sent to it is answered 503."""


def stat_prefix(iri: str) -> str:
    """What Envoy's counters call a route: dots of an IRI would part them."""
    return f"r{sha256(iri.encode()).hexdigest()[:16]}"


class Routes:
    """Envoy's routes for each route of the table; made once each, since a route may stand in several trees."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._made: dict[str, Sequence[Variant]] = {}

    def __call__(self, entry: RouteEntry) -> Sequence[Variant]:
        iri = entry.route.iri
        if iri not in self._made:
            made = self._variants(entry)
            self._made[iri] = [(asked, with_changes(entry.route, route)) for asked, route in made]
        return self._made[iri]

    def _variants(self, entry: RouteEntry) -> list[Variant]:
        route = entry.route
        served = self._served(entry)
        mode = route.maintenance
        if mode is None or not mode.enabled:
            return served
        found: list[Variant] = []
        for asked in _passes(mode):
            found += [([asked, *further], made) for further, made in served]
        retry_after = str(max(1, math.ceil(mode.retry_after_seconds)))
        closed = problem_route(
            503, "maintenance", mode.message, route=route.iri, policy=mode.iri, retry_after=retry_after
        )
        return [*found, ([], closed)]

    def _served(self, entry: RouteEntry) -> list[Variant]:
        context, route = self._context, entry.route
        _report(context, route)
        own: dict[str, Any] = {
            **route_authentication(route),
            **route_authorization(context, route),
            **route_faults(context, route),
            **route_grpc_web(route),
            **route_cors(context, route),
            **route_compression(context, route),
            **route_stickiness(route),
        }
        answer = redirect(context, entry) if route.redirect is not None else direct_response(route)
        if answer is not None:
            return [([], self._route(route, {**own, **lone_limits(context, route)}, answer))]
        sides = self._sides(route)
        made: list[Variant] = []
        for asked, destination in sides:
            if "direct_response" in destination:
                made.append((asked, destination))
                continue
            for further, policy in retry_flavours(context, route):
                action = {**destination, **self._action(entry, retried=policy is not None)}
                if policy is not None:
                    action["retry_policy"] = policy
                made.append(([*asked, *further], self._route(route, own, {"route": action})))
        return made

    def _route(self, route: Route, own: dict[str, Any], answer: Json) -> Json:
        made: Json = {"name": route.iri, "match": ANY_REQUEST, "stat_prefix": stat_prefix(route.iri), **answer}
        made |= route_tracing(self._context, route)
        if own:
            made["typed_per_filter_config"] = own
        retry = route.retry
        if retry is not None and retry.attempts and "route" in answer:
            made["request_body_buffer_limit"] = retry.max_replay_bytes
        return made

    def _sides(self, route: Route) -> list[tuple[list[Json], Json]]:
        """Where the requests go: those that are steered, then the rest."""
        context = self._context
        if not route.splits or not any(split.weight > 0 for split in route.splits):
            name = context.cluster(route, route.upstream, route.subset) if route.upstream is not None else None
            return [([], {"cluster": name} if name is not None else self._nowhere(route))]
        sides: list[tuple[list[Json], Json]] = []
        for split in route.splits:
            if split.steered_by:
                asked = all_of([predicate(condition) for condition in split.steered_by])
                name = self._target(route, split)
                sides.append(([asked], {"cluster": name}))
        weighted = [
            {"name": self._target(route, split), "weight": split.weight} for split in route.splits if split.weight > 0
        ]
        if len(weighted) == 1:
            sides.append(([], {"cluster": weighted[0]["name"]}))
        else:
            chosen: Json = {"clusters": weighted}
            if route.split_key is not None or route.split_cookie is not None:
                chosen["use_hash_policy"] = True
            sides.append(([], {"weighted_clusters": chosen}))
        return sides

    def _target(self, route: Route, split: SplitTarget) -> str:
        found = self._context.cluster(route, split.upstream, (*route.subset, *split.subset))
        if found is None:
            message = f"{route.name}: {split.iri} leads to a service that cannot be sent to; its share is answered 503"
            self._context.say(differs(split.iri, AGW.targetService, message))
        return found or _NOBODY

    def _nowhere(self, route: Route) -> Json:
        upstream = self._context.upstreams.get(route.upstream or "")
        if upstream is None:
            kind, detail = "no-upstream", f"{route.name} has no backend to send to"
        elif upstream.plaintext_forbidden:
            kind = "plaintext-forbidden"
            detail = f"{upstream.name} demands mutual TLS, and there is no certificate to speak to it with"
        else:
            kind, detail = "no-endpoint", f"{upstream.name} has no endpoint to send to"
        return problem_route(503, kind, detail, route=route.iri)

    def _action(self, entry: RouteEntry, *, retried: bool) -> Json:
        context, route = self._context, entry.route
        made: Json = {"timeout": seconds(_bound(route, retried=retried))}
        if route.timeout is not None and route.timeout.idle_seconds is not None:
            made["idle_timeout"] = seconds(route.timeout.idle_seconds)
        made |= rewrite(context, entry)
        hashed = hash_policy(context, route)
        if hashed:
            made["hash_policy"] = hashed
        limits = limit_actions(context, route)
        if limits:
            made["rate_limits"] = limits
        mirrors = [mirror for mirror in (self._mirror(route, mirror) for mirror in route.mirrors) if mirror is not None]
        if mirrors:
            made["request_mirror_policies"] = mirrors
        return made

    def _mirror(self, route: Route, mirror: Mirror) -> Json | None:
        context = self._context
        name = context.cluster(route, mirror.upstream, (), copies=True)
        message = f"{route.name}: Envoy does not bound how many copies are under way, nor how large they are"
        context.say(differs(mirror.iri, AGW.mirrorConcurrency, message))
        if name is None:
            return None
        share = {"default_value": {"numerator": round(mirror.percent * 10_000), "denominator": "MILLION"}}
        marked: Json = {"header": {"key": "X-Agw-Shadow", "value": mirror.iri}}
        marked["append_action"] = "OVERWRITE_IF_EXISTS_OR_ADD"
        return {
            "cluster": name,
            "runtime_fraction": share,
            "disable_shadow_host_suffix_append": True,
            "request_headers_mutations": [{"append": marked}],
        }


def _bound(route: Route, *, retried: bool) -> float:
    """The whole time, 0 for no bound; without retries that of the one attempt too."""
    timeout = route.timeout
    if timeout is None:
        return 0.0
    bounds = (timeout.total_seconds, None if retried else timeout.per_attempt_seconds)
    return min((bound for bound in bounds if bound is not None), default=0.0)


def _passes(mode: Maintenance) -> list[Json]:
    """Who is served all the same: predicates, each of which is enough."""
    found: list[Json] = []
    if mode.bypassed_by:
        found.append(all_of([predicate(condition) for condition in mode.bypassed_by]))
    if mode.bypass_addresses:
        found.append(from_addresses(mode.bypass_addresses))
    return found


def _report(context: Context, route: Route) -> None:
    """What of a route no part of this package says."""
    for split in route.splits:
        if split.canary is not None:
            message = f"{route.name}: Envoy does not raise a canary by itself; {split.iri} has no requests"
            context.say(lost(split.iri, AGW.hasCanaryStep, message, "keep agw in front, or state agw:weight by hand"))
    if route.hedging is not None:
        message = f"{route.name}: Envoy makes its second attempt when a try's time is up, not beside a slow first one"
        context.say(lost(route.hedging.iri, AGW.hasHedging, message, "bound attempts by agw:perAttemptTimeout"))
    if route.concurrency is not None:
        message = f"{route.name}: Envoy's adaptive concurrency is one for all routes; this route's is left out"
        context.say(
            lost(route.concurrency.iri, AGW.hasAdaptiveConcurrency, message, "bound the service: agw:maxRequests")
        )
    if route.request_priority is not None:
        message = f"{route.name}: Envoy sheds load without asking who is more important"
        context.say(differs(route.iri, AGW.requestPriority, message))
    timeout = route.timeout
    if timeout is not None:
        if timeout.deadline_header is not None:
            message = f"{route.name}: Envoy does not read the deadline in {timeout.deadline_header}"
            context.say(lost(timeout.iri, AGW.deadlineHeader, message, "keep agw in front"))
        message = f"{route.name}: Envoy's time is up when the whole answer is not there, agw's when its head is not"
        context.say(differs(timeout.iri, AGW.timeoutDuration, message))
