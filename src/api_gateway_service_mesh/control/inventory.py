"""What a revision has that keeps state: each thing once, with the index of its first cell.

Found when first asked for and kept as long as the revision is served, so that looking at live state costs what is
looked at, not a search of all routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Breaker,
    Cache,
    ClientCertificate,
    Compression,
    Cors,
    Deprecation,
    DirectResponse,
    Endpoint,
    ExternalAuthorization,
    Fault,
    Maintenance,
    Mesh,
    Mirror,
    OpenIdLogin,
    RateLimit,
    Redirect,
    RequestTransformation,
    RequestValidation,
    ResponseTransformation,
    Retry,
    Rewrite,
    Route,
    TokenIntrospection,
    Upstream,
)
from api_gateway_service_mesh.policies import BreakerUnit, breaker_units, budget_key, budgeted

__all__ = ["Counted", "Inventory"]

Counted = (
    Maintenance
    | ClientCertificate
    | AuthorizationPolicy
    | AuthorizationRule
    | ExternalAuthorization
    | TokenIntrospection
    | OpenIdLogin
    | Fault
    | Cors
    | Compression
    | Cache
    | Deprecation
    | Redirect
    | DirectResponse
    | Rewrite
    | RequestTransformation
    | RequestValidation
    | ResponseTransformation
    | Mirror
)


class Inventory:
    """Of one mesh, with its cells at `slots`."""

    def __init__(self, mesh: Mesh, slots: Mapping[tuple[str, str], int]) -> None:
        self._mesh = mesh
        self._slots = slots

    @cached_property
    def routes(self) -> tuple[tuple[Route, int], ...]:
        """Every route."""
        return tuple((route, self._slots["route", route.iri]) for route in self._mesh.routes)

    @cached_property
    def rate_limits(self) -> tuple[tuple[RateLimit, int], ...]:
        """Every rate limit, with the counters of its decisions."""
        limits = {limit.iri: limit for route in self._mesh.routes for limit in route.rate_limits}
        return tuple((limit, self._slots["rate_limit_count", iri]) for iri, limit in limits.items())

    @cached_property
    def breakers(self) -> tuple[Breaker, ...]:
        """Every breaker; those that are alike in all are one."""
        return tuple({route.breaker: None for route in self._mesh.routes if route.breaker is not None})

    @cached_property
    def breaker_units(self) -> tuple[tuple[BreakerUnit, int], ...]:
        """Every state of every breaker."""
        return tuple((unit, self._slots[unit.key]) for unit in breaker_units(self._mesh))

    @cached_property
    def retries(self) -> tuple[tuple[Retry, tuple[int, ...]], ...]:
        """Every retry policy, with its budgets."""
        policies = {route.retry.iri: route.retry for route in self._mesh.routes if route.retry is not None}
        budgets: dict[str, list[int]] = {iri: [] for iri in policies}
        for policy, upstream in budgeted(self._mesh):
            if policy in budgets:  # else of a hedging without a retry policy
                budgets[policy].append(self._slots[budget_key(policy, upstream)])
        return tuple((policies[iri], tuple(bases)) for iri, bases in budgets.items())

    @cached_property
    def upstreams(self) -> tuple[tuple[Upstream, int], ...]:
        """Every service, with its bulkhead."""
        return tuple((upstream, self._slots["bulkhead", upstream.iri]) for upstream in self._mesh.upstreams)

    @cached_property
    def endpoints(self) -> tuple[tuple[Endpoint, int, int], ...]:
        """Every endpoint, with its counters and its health."""
        slots = self._slots
        return tuple(
            (endpoint, slots["endpoint", iri], slots["health", iri])
            for iri, endpoint in _endpoints(self._mesh.upstreams).items()
        )

    @cached_property
    def ejectable(self) -> tuple[tuple[Endpoint, int], ...]:
        """Every endpoint that outlier detection watches, with its health."""
        watched = _endpoints(upstream for upstream in self._mesh.upstreams if upstream.outlier is not None)
        return tuple((endpoint, self._slots["health", iri]) for iri, endpoint in watched.items())

    @cached_property
    def counted(self) -> tuple[tuple[Counted, int], ...]:
        """Every policy that counts its deeds by kind (`policies.event`)."""
        found: dict[str, Counted] = {}
        for route in self._mesh.routes:
            for policy in (
                route.maintenance,
                *(route.authorization.policies if route.authorization is not None else ()),
                *(_rules(route.authorization) if route.authorization is not None else ()),
                route.external_authorization,
                *(route.authentication.introspections if route.authentication is not None else ()),
                *(route.authentication.logins if route.authentication is not None else ()),
                route.client_certificate,
                *route.faults,
                route.cors,
                route.compression,
                route.cache,
                route.validation,
                route.deprecation,
                route.redirect,
                route.direct,
                route.rewrite,
                route.request_transformation,
                route.response_transformation,
                *route.mirrors,
            ):
                if policy is not None:
                    found[policy.iri] = policy
        return tuple((policy, self._slots["event", iri]) for iri, policy in found.items())


def _rules(authorization: Authorization) -> Iterable[AuthorizationRule]:
    return (rule for policy in authorization.policies for rule in policy.rules)


def _endpoints(upstreams: Iterable[Upstream]) -> dict[str, Endpoint]:
    return {endpoint.iri: endpoint for upstream in upstreams for endpoint in upstream.endpoints}
