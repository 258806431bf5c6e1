"""The live state of traffic policies, as triples and as metric families: shares, canaries, and what policies did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import (
    AuthorizationPolicy,
    AuthorizationRule,
    Cache,
    ClientCertificate,
    Compression,
    Cors,
    Deprecation,
    DirectResponse,
    ExternalAuthorization,
    Fault,
    Maintenance,
    Mirror,
    OpenIdLogin,
    Redirect,
    RequestTransformation,
    RequestValidation,
    ResponseTransformation,
    Rewrite,
    TokenIntrospection,
)
from api_gateway_service_mesh.policies import SHARE_BOUNDS, CanaryPhase
from api_gateway_service_mesh.telemetry import Family, Histogram, Kind, Sample
from api_gateway_service_mesh.vocabulary import AGW, PREFIXES, RDF_TYPE, XSD

if TYPE_CHECKING:
    from .live import Live
    from .rollout import Decided

__all__ = ["traffic_families", "traffic_triples"]

_PROV = PREFIXES["prov"]

# What the kinds of `policies.event` are, policy by policy: the runtime term, and the word in metrics.
_DEEDS: dict[type, tuple[tuple[str, str], ...]] = {
    Maintenance: ((AGW.turnedAwayTotal, "turned-away"), (AGW.bypassedTotal, "bypassed")),
    AuthorizationPolicy: (
        (AGW.allowedTotal, "allowed"),
        (AGW.deniedTotal, "denied"),
        (AGW.auditedTotal, "audited"),
    ),
    ExternalAuthorization: (
        (AGW.externalAllowedTotal, "allowed"),
        (AGW.externalDeniedTotal, "denied"),
        (AGW.externalUnavailableTotal, "unavailable"),
        (AGW.externalRememberedTotal, "remembered"),
    ),
    AuthorizationRule: ((AGW.matchedTotal, "matched"),),
    OpenIdLogin: (
        (AGW.loggedInTotal, "logged-in"),
        (AGW.loginFailedTotal, "login-failed"),
        (AGW.sessionRefreshedTotal, "session-refreshed"),
    ),
    TokenIntrospection: (
        (AGW.introspectedTotal, "introspected"),
        (AGW.introspectionFailedTotal, "introspection-failed"),
        (AGW.inactiveTotal, "inactive"),
    ),
    ClientCertificate: (
        (AGW.certificateAdmittedTotal, "admitted"),
        (AGW.certificateRefusedTotal, "refused"),
        (AGW.intentionDeniedTotal, "intention-denied"),
        (AGW.intentionUnavailableTotal, "intention-unavailable"),
    ),
    Cors: (
        (AGW.preflightAdmittedTotal, "preflight-admitted"),
        (AGW.preflightRefusedTotal, "preflight-refused"),
        (AGW.foreignOriginTotal, "foreign-origin"),
    ),
    Compression: (
        (AGW.compressedTotal, "compressed"),
        (AGW.compressionInputBytes, "bytes-before-compression"),
        (AGW.compressionOutputBytes, "bytes-after-compression"),
    ),
    Cache: (
        (AGW.cacheHitTotal, "cache-hit"),
        (AGW.cacheMissTotal, "cache-miss"),
        (AGW.cacheStaleTotal, "cache-stale"),
        (AGW.cacheRevalidatedTotal, "cache-revalidated"),
        (AGW.cacheStoredTotal, "cache-stored"),
        (AGW.cacheEvictedTotal, "cache-evicted"),
        (AGW.cacheCollapsedTotal, "cache-collapsed"),
        (AGW.cachePassedTotal, "cache-passed"),
    ),
    RequestValidation: ((AGW.validTotal, "valid"), (AGW.invalidTotal, "invalid"), (AGW.auditedTotal, "audited")),
    Deprecation: ((AGW.deprecatedUseTotal, "deprecated-use"), (AGW.sunsetRefusedTotal, "sunset-refused")),
    Fault: (
        (AGW.delayedTotal, "delayed"),
        (AGW.abortedTotal, "aborted"),
        (AGW.resetTotal, "reset"),
        (AGW.truncatedTotal, "truncated"),
    ),
    Redirect: ((AGW.redirectedTotal, "redirected"),),
    DirectResponse: ((AGW.answeredTotal, "answered"),),
    Rewrite: ((AGW.rewrittenTotal, "rewritten"),),
    RequestTransformation: ((AGW.transformedTotal, "transformed"),),
    ResponseTransformation: ((AGW.transformedTotal, "transformed"),),
    Mirror: (
        (AGW.mirroredTotal, "mirrored"),
        (AGW.mirrorFailedTotal, "mirror-failed"),
        (AGW.mirrorSkippedTotal, "mirror-skipped"),
    ),
}


def traffic_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it."""
    for split, weight, totals in live.shares():
        yield split.iri, AGW.currentWeight, _decimal(weight)
        yield split.iri, AGW.servedTotal, _integer(totals.requests)
        yield split.iri, AGW.failedTotal, _integer(totals.errors)
        yield split.iri, AGW.latencyP95, _decimal(totals.latency(95))
    for policy, counts in live.events():
        for (term, _), count in zip(_DEEDS[type(policy)], counts, strict=False):
            yield policy.iri, term, _integer(count)
    for bounds, places in live.websockets():
        yield bounds.iri, AGW.openWebSockets, _integer(places.open)
        yield bounds.iri, AGW.openedWebSocketsTotal, _integer(places.opened_total)
        yield bounds.iri, AGW.refusedWebSocketsTotal, _integer(places.refused_total)
        yield bounds.iri, AGW.timedOutWebSocketsTotal, _integer(sum(places.timed_out_total))
    for iri, state in live.canaries():
        moving = state.phase in (CanaryPhase.PROGRESSING, CanaryPhase.PAUSED)
        yield iri, AGW.canaryPhase, f'"{state.phase.name}"'
        yield iri, AGW.currentStep, _integer(state.step + 1 if moving else 0)
        decisions = live.decisions.get(iri, ())
        for decided in decisions:
            yield from _decision(iri, decided)
        if decisions:
            yield iri, AGW.lastDecision, f"<{decisions[-1].iri}>"


def _decision(canary: str, decided: Decided) -> Iterator[tuple[str, str, str]]:
    iri, decision = decided.iri, decided.decision
    yield iri, RDF_TYPE, f"<{AGW.CanaryDecision}>"
    yield iri, RDF_TYPE, f"<{_PROV}Activity>"
    stamp = decided.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield iri, f"{_PROV}endedAtTime", f'"{stamp}"^^<{XSD.dateTime}>'
    yield iri, f"{_PROV}used", f"<{canary}>"
    yield iri, AGW.decidesOn, f"<{canary}>"
    yield iri, AGW.decisionOutcome, f'"{decision.outcome.name}"'
    yield iri, AGW.decisionReason, f'"{decision.reason}"'
    yield iri, AGW.weightBefore, _decimal(decision.weight_before)
    yield iri, AGW.weightAfter, _decimal(decision.weight_after)
    if decision.canary.requests:
        yield iri, AGW.canaryRequests, _integer(decision.canary.requests)
        yield iri, AGW.canaryErrorRate, _decimal(decision.canary.error_rate)
        yield iri, AGW.canaryLatency, _decimal(decision.canary_latency)
    if decision.stable.requests:
        yield iri, AGW.stableRequests, _integer(decision.stable.requests)
        yield iri, AGW.stableErrorRate, _decimal(decision.stable.error_rate)
        yield iri, AGW.stableLatency, _decimal(decision.stable_latency)


def traffic_families(live: Live) -> Iterator[Family]:
    """Families of the traffic policies; none of what the configuration does not have."""
    shares = list(live.shares())
    if shares:
        weights = [Sample(weight, (("split", split.iri),)) for split, weight, _ in shares]
        yield Family("agw_split_weight_percent", "Share of the route's requests now.", Kind.GAUGE, weights)
        requests = [Sample(totals.requests, (("split", split.iri),)) for split, _, totals in shares]
        yield Family("agw_split_requests", "Requests that a split's target took.", Kind.COUNTER, requests)
        errors = [Sample(totals.errors, (("split", split.iri),)) for split, _, totals in shares]
        yield Family("agw_split_errors", "Of these, those with a status of 500 or above.", Kind.COUNTER, errors)
        durations = [
            Histogram(SHARE_BOUNDS, totals.buckets, totals.seconds, (("split", split.iri),))
            for split, _, totals in shares
        ]
        yield Family(
            "agw_split_duration_seconds", "Time from head to the end of the answer.", Kind.HISTOGRAM, durations
        )
    deeds = [
        Sample(count, (("policy", policy.iri), ("deed", word)))
        for policy, counts in live.events()
        for (_, word), count in zip(_DEEDS[type(policy)], counts, strict=False)
    ]
    if deeds:
        yield Family("agw_traffic_policy", "What traffic policies did.", Kind.COUNTER, deeds)
    copies = [
        Sample(count, (("mirror", mirror.iri), ("code_class", f"{number}xx")))
        for mirror, totals in live.mirrors()
        for number, count in enumerate(totals.by_class, 1)
        if count
    ]
    if copies:
        yield Family("agw_mirror_answers", "Answers to copies, by class of status.", Kind.COUNTER, copies)
    yield from _websockets(live)
    canaries = list(live.canaries())
    if canaries:
        phases = [
            Sample(int(state.phase is phase), (("canary", iri), ("phase", phase.name)))
            for iri, state in canaries
            for phase in CanaryPhase
        ]
        yield Family("agw_canary_phase", "1 for the phase a canary is in.", Kind.GAUGE, phases)
        steps = [Sample(state.step + 1, (("canary", iri),)) for iri, state in canaries]
        yield Family("agw_canary_step", "The step a canary reached, from 1.", Kind.GAUGE, steps)


def _websockets(live: Live) -> Iterator[Family]:
    bounded = [(places, ("policy", bounds.iri)) for bounds, places in live.websockets()]
    if not bounded:
        return
    now = [Sample(places.open, (policy,)) for places, policy in bounded]
    yield Family("agw_websockets_open", "WebSockets that are open, or in their handshake.", Kind.GAUGE, now)
    opened = [Sample(places.opened_total, (policy,)) for places, policy in bounded]
    yield Family("agw_websockets_opened", "WebSockets let through to a backend.", Kind.COUNTER, opened)
    refused = [Sample(places.refused_total, (policy,)) for places, policy in bounded]
    yield Family("agw_websockets_refused", "Handshakes that a WebSocket policy refused.", Kind.COUNTER, refused)
    late = [
        Sample(count, (policy, ("bound", word)))
        for places, policy in bounded
        for word, count in zip(("idle", "age"), places.timed_out_total, strict=True)
    ]
    yield Family("agw_websockets_timed_out", "WebSockets closed for being idle or old.", Kind.COUNTER, late)
    codes = [Sample(count, (policy, ("code", code))) for places, policy in bounded for code, count in places.codes()]
    yield Family("agw_websockets_closed", "WebSockets that ended, by the code of RFC 6455.", Kind.COUNTER, codes)


def _integer(value: int) -> str:
    return f'"{value}"^^<{XSD.integer}>'


def _decimal(value: float) -> str:
    return f'"{value:.6f}"^^<{XSD.decimal}>'
