"""Canaries with steps (``agw:CanaryDeployment`` with ``agw:hasCanaryStep``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from api_gateway_service_mesh.model import Canary, CanaryStep
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["CanaryRow", "CanaryStepRow", "canaries"]


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """``canary.rq``."""

    canary: str
    minimum_requests: str | None
    error_rate: str | None
    error_increase: str | None
    latency: str | None
    latency_ratio: str | None
    percentile: str | None
    paused: str | None
    rollout: str | None


@dataclass(frozen=True, slots=True)
class CanaryStepRow:
    """``canary_step.rq``."""

    canary: str
    step: str
    weight: str
    duration: str | None


def canaries(rows: Iterable[CanaryRow], steps: Iterable[CanaryStepRow], reading: Reading) -> Mapping[str, Canary]:
    """Canaries that have steps, by IRI; one without is a plain split."""
    steps_of: dict[str, dict[str, CanaryStep]] = defaultdict(dict)
    for step in steps:
        if step.step not in steps_of[step.canary]:
            standard = CanaryStep(step.step, 0)
            weight = reading.integer(step.step, AGW.stepWeight, step.weight, 0)
            seconds = reading.seconds(step.step, AGW.stepDuration, step.duration, standard.seconds)
            steps_of[step.canary][step.step] = CanaryStep(step.step, weight, seconds)
    found: dict[str, Canary] = {}
    for row in rows:
        if row.canary in steps_of and row.canary not in found:
            found[row.canary] = _canary(row, steps_of[row.canary].values(), reading)
    return found


def _canary(row: CanaryRow, steps: Iterable[CanaryStep], reading: Reading) -> Canary:
    iri = row.canary
    ordered = tuple(sorted(steps, key=lambda step: (step.weight, step.iri)))
    twice = next((one.weight for one, other in pairwise(ordered) if one.weight == other.weight), None)

    if twice is not None:
        reading.note(
            "canary-steps-alike",
            f"{name_of(iri)} has two steps of weight {twice}: which comes first is not said",
            iri,
            AGW.hasCanaryStep,
            allowed="steps that differ in agw:stepWeight",
            remedy="make them one step with the longer agw:stepDuration",
        )
    standard = Canary(iri, ())
    return Canary(
        iri,
        ordered,
        reading.integer(iri, AGW.minimumStepRequests, row.minimum_requests, standard.minimum_requests),
        _optional(reading, iri, AGW.maximumErrorRate, row.error_rate),
        _optional(reading, iri, AGW.maximumErrorIncrease, row.error_increase),
        reading.seconds(iri, AGW.maximumLatency, row.latency, None),
        _optional(reading, iri, AGW.maximumLatencyRatio, row.latency_ratio),
        reading.integer(iri, AGW.latencyPercentile, row.percentile, standard.percentile),
        reading.boolean(iri, AGW.paused, row.paused),
        row.rollout or "",
    )


def _optional(reading: Reading, iri: str, term: str, value: str | None) -> float | None:
    return None if value is None else reading.number(iri, term, value, 0.0)
