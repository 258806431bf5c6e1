"""The rows of the table feature × target: every property that a configuration can state has one.

Most are the terms of the model's fields (`FEATURES`). Others are said by what holds them, or are nothing that a data
plane would have to say: what is expected of a configuration, who may change it, what agw tells of itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from api_gateway_service_mesh.graph.capability import Capabilities
from api_gateway_service_mesh.vocabulary import AGW

from .feature import FEATURES

__all__ = ["BESIDE", "WITHIN", "says", "terms"]

#: Property → the one that is said with it: a target says both or neither.
WITHIN: Final[dict[str, str]] = {
    AGW.active: AGW.weight,
    AGW.cookieName: AGW.CookieMatch,
    AGW.cookieValue: AGW.CookieMatch,
    AGW.defaultCertificate: AGW.hasCertificate,
    AGW.hasHealthEndpoint: AGW.healthCheckPath,
    AGW.headerName: AGW.matchesHeader,
    AGW.healthCheckJitter: AGW.healthCheckInterval,
    AGW.keyOwner: AGW.keyHash,
    AGW.keyScope: AGW.callerScope,
    AGW.parameterName: AGW.matchesQueryParameter,
    AGW.quota: AGW.quotaPeriod,
    AGW.timeoutSeconds: AGW.timeoutDuration,
}

#: What no data plane is told: it is judged when the graph is read, watched beside the requests, or about agw itself.
BESIDE: Final = frozenset(
    {
        # expectations, and the request that one is about
        AGW.expectsLocation, AGW.expectsNoPolicy, AGW.expectsNotRoute, AGW.expectsPath, AGW.expectsPolicy,
        AGW.expectsRefusal, AGW.expectsRoute, AGW.expectsService, AGW.expectsStatus, AGW.requestClient,
        AGW.requestHeader, AGW.requestMethod, AGW.requestUrl,
        # guarantees and exemptions from them
        AGW.exemptionOwner, AGW.exemptionReason, AGW.exempts, AGW.exemptsFrom, AGW.guarantee, AGW.validUntil,
        AGW.withoutPolicy,
        # objectives
        AGW.availabilityTarget, AGW.hasServiceLevelObjective, AGW.latencyTarget, AGW.latencyThreshold,
        AGW.objectiveWindow,
        # where a running agw registers itself and sends its metrics
        AGW.advertisedAddress, AGW.advertisedPort, AGW.hasMetricsExport, AGW.hasRegistration, AGW.heartbeatInterval,
        AGW.metricsCollector, AGW.metricsFormat, AGW.metricsInterval, AGW.registeredIn, AGW.registeredName,
        AGW.registeredTag,
    }
)  # fmt: skip


def terms(columns: Iterable[Capabilities]) -> list[str]:
    """The IRIs of the table's rows, sorted: also of what no target says."""
    listed = (term for column in columns for term in column.levels)
    return sorted({*FEATURES.values(), *WITHIN, *BESIDE, *listed})


def says(column: Capabilities, term: str) -> str:
    """A cell: ``yes``, ``part``, ``no``, or ``-`` where there is nothing to say."""
    if term in BESIDE:
        return "-"
    return column.level(WITHIN.get(term, term)).value
