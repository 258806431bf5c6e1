"""VirtualServices: one for each set of hosts that sees the same routes.

Envoy takes the most specific host and never looks at a less specific one, while agw's order goes on to it: so a host's
list holds its own routes, then those of each wider host. The list is in agw's order; the first that holds wins in both.
"""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.cors import Allowed, allowed, origin_matchers, report_preflights
from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, metadata, name_of, names
from api_gateway_service_mesh.manifests.order import Item, host_lists
from api_gateway_service_mesh.manifests.retrying import ENVOY_RETRY_ON, Tries, only_unsent, variants
from api_gateway_service_mesh.model import Retry, RetryCondition, Route, Timeout
from api_gateway_service_mesh.routing import ANY_HOST, HostKey, host_text
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .match import matches
from .traffic import answered, headers, on_the_way, traffic_gaps

__all__ = ["virtual_services"]

_UNSENT = "connect-failure,refused-stream"


def virtual_services(context: Context) -> list[Document]:
    """All VirtualServices, best host first."""
    lists = host_lists(context.table)
    for entry in context.table.entries:
        _report(context, entry.route)
    made: list[Document] = []
    called = names((host_text(hosts[0]), f"{context.name} {_host_name(hosts[0])}") for hosts in lists.values())
    for listed, hosts in lists.items():
        name = context.name if len(lists) == 1 else called[host_text(hosts[0])]
        spec: dict[str, Any] = {"hosts": [host_text(host) for host in hosts]}
        if context.gateway_bound:
            spec["gateways"] = [context.name]
        spec["http"] = [http for item in listed for http in _http(context, item)]
        made.append(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": metadata(
                    name,
                    context.namespace,
                    gateway=context.mesh.iri,
                    routes=[entry.route.iri for entry, _ in listed],
                ),
                "spec": spec,
            }
        )
    return made


def _host_name(host: HostKey) -> str:
    if host == ANY_HOST:
        return "any"
    return ("", "below ")[host[0]] + host[2].replace(":", "-")


def _http(context: Context, item: Item) -> list[dict[str, Any]]:
    """The HTTP routes of one item: two when only its idempotent methods may be tried again after bytes were sent."""
    retry = item[0].route.retry
    said = {Tries.NONE: "", Tries.UNSENT: _UNSENT, Tries.ALL: _retry_on(retry)}
    return [_one(context, each, said[tries]) for each, tries in variants(item)]


def _retry_on(retry: Retry | None) -> str:
    if retry is None:
        return ""
    return ",".join([*sorted({ENVOY_RETRY_ON[condition] for condition in retry.conditions}), *map(str, retry.statuses)])


def _one(context: Context, item: Item, retry_on: str) -> dict[str, Any]:
    entry, _ = item
    route = entry.route
    http: dict[str, Any] = {"name": route.iri}
    found = matches(item, context.findings)
    if found:
        http["match"] = found
    changed = headers(route)
    if changed:
        http["headers"] = changed
    policy = allowed(route)
    if policy is not None:
        http["corsPolicy"] = _cors(policy)
    if route.direct is not None or (route.redirect is not None and route.upstream is None and not route.splits):
        return {**http, **answered(route)}
    destinations = _destinations(context, route)
    if not destinations:
        http["directResponse"] = {"status": 503}
        return http
    delegate = context.delegates.get(route.iri)
    if delegate is None:
        http["route"] = destinations
    else:  # what is stated here holds there, too
        http["delegate"] = delegate
    http.update(on_the_way(context, route))
    timeout, retry = route.timeout, route.retry
    retried = retry is not None and retry.attempts > 0 and retry_on != ""
    bound = _bound(timeout, retried=retried)
    if bound is not None:
        http["timeout"] = duration(bound)
    http["retries"] = {"attempts": 0}  # Istio's own default is two more tries
    if retry is not None and retried:
        http["retries"] = {"attempts": retry.attempts}
        if timeout is not None and timeout.per_attempt_seconds is not None:
            http["retries"]["perTryTimeout"] = duration(timeout.per_attempt_seconds)
        http["retries"]["retryOn"] = retry_on
        http["retries"]["backoff"] = duration(retry.initial_delay_seconds)
    return http


def _cors(policy: Allowed) -> dict[str, Any]:
    cors = policy.cors
    made: dict[str, Any] = {
        "allowOrigins": origin_matchers(cors),
        "allowMethods": list(policy.methods),
        "allowHeaders": list(cors.headers),
        "exposeHeaders": list(cors.exposed),
    }
    if cors.credentials:
        made["allowCredentials"] = True
    if cors.max_age_seconds is not None:
        made["maxAge"] = duration(cors.max_age_seconds)
    made["unmatchedPreflights"] = "IGNORE"
    return {key: value for key, value in made.items() if value != []}


def _bound(timeout: Timeout | None, *, retried: bool) -> float | None:
    """The whole time; without retries the one try's bound is the whole's too."""
    if timeout is None:
        return None
    bounds = [timeout.total_seconds, None if retried else timeout.per_attempt_seconds]
    return min((bound for bound in bounds if bound is not None), default=None)


def _destinations(context: Context, route: Route) -> list[dict[str, Any]]:
    if not route.splits:
        there = context.destinations.get(route.upstream or "")
        return [{"destination": {"host": there.host, "port": {"number": there.port}}}] if there else []
    made: list[dict[str, Any]] = []
    for split in route.splits:
        there = context.destinations.get(split.upstream)
        if there is not None:
            destination: dict[str, Any] = {"host": there.host, "port": {"number": there.port}}
        else:  # a host that Istio does not know answers 503, as agw does
            destination = {"host": name_of(split.upstream)}
        made.append({"destination": destination, "weight": split.weight})
    return made


def _report(context: Context, route: Route) -> None:
    """What of a route's policies Istio says otherwise or not at all."""
    found = context.findings
    found += traffic_gaps(route, delivered=route.iri in context.delegates)
    if route.cors is not None:
        found += report_preflights(route, route.cors, "Istio")
    if route.authorization is not None or route.external_authorization is not None:
        message = (
            f"{route.name}: what callers may do is not checked by these manifests: applied as they are, all may do all"
        )
        found.append(lost(route.iri, AGW.hasAuthorization, message, "keep agw in front"))
    if route.hedging is not None:
        message = f"{route.name}: Istio makes no second attempt beside a slow first one"
        found.append(lost(route.hedging.iri, AGW.hasHedging, message, "keep agw in front"))
    if route.timeout is not None and route.timeout.deadline_header is not None:
        message = f"{route.name}: Istio does not read the deadline in {route.timeout.deadline_header}"
        found.append(lost(route.timeout.iri, AGW.deadlineHeader, message, "keep agw in front"))
    retry = route.retry
    if retry is not None and retry.attempts:
        if retry.multiplier != 2.0:
            message = f"{route.name}: Envoy's backoff always doubles; the multiplier {retry.multiplier:g} is left out"
            found.append(differs(retry.iri, AGW.backoffMultiplier, message))
        message = (
            f"{route.name}: Istio has no retry budget and does not wait for Retry-After; only the number of tries holds"
        )
        found.append(differs(retry.iri, AGW.retryBudgetPercent, message))
        if retry.retry_idempotency_key:
            message = f"{route.name}: Istio does not look at Idempotency-Key; such requests are not tried again"
            found.append(differs(retry.iri, AGW.retryIdempotencyKey, message))
        timed = RetryCondition.TIMEOUT in retry.conditions
        if timed and RetryCondition.RESET not in retry.conditions and not only_unsent(retry):
            message = f"{route.name}: Envoy tries again after a try's timeout only together with resets"
            found.append(differs(retry.iri, AGW.retryOn, message))
    for split in route.splits:
        if split.upstream not in context.destinations:
            message = f"{route.name}: {split.weight} % go to a service without an address and will answer 503"
            found.append(differs(route.iri, AGW.hasTrafficSplit, message))
