"""Distributed tracing (``agw:DistributedTracing``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from api_gateway_service_mesh.model import Propagation, Route, TraceFormat, Tracing
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["TracingRow", "refuse_ungrpc", "tracings", "with_lone_tracing"]


@dataclass(frozen=True, slots=True)
class TracingRow:
    """``tracing.rq``."""

    tracing: str
    rate: str | None
    propagation: str | None
    parent_based: str | None
    errors: str | None
    collector: str | None
    format: str | None
    service: str | None
    used: str


def tracings(rows: Iterable[TracingRow], reading: Reading) -> dict[str, Tracing]:
    """Tracings by IRI."""
    found: dict[str, Tracing] = {}
    for row in rows:
        if row.tracing in found:
            continue
        iri, defaults = row.tracing, Tracing(row.tracing)
        words = (row.propagation or " ".join(defaults.propagation)).split()
        found[iri] = Tracing(
            iri,
            reading.number(iri, AGW.samplingRate, row.rate, defaults.sampling_rate),
            tuple(
                dict.fromkeys(
                    reading.choice(iri, AGW.tracePropagation, word, Propagation, Propagation.TRACE_CONTEXT)
                    for word in words
                )
            ),
            defaults.parent_based
            if row.parent_based is None
            else reading.boolean(iri, AGW.parentBasedSampling, row.parent_based),
            reading.boolean(iri, AGW.sampleErrors, row.errors),
            row.collector,
            reading.choice(iri, AGW.traceFormat, row.format, TraceFormat, defaults.format),
            row.service,
        )
        if found[iri].format is TraceFormat.OTLP_GRPC:
            refuse_ungrpc(iri, AGW.traceCollector, row.collector, reading)
    return found


def refuse_ungrpc(iri: str, predicate: str, collector: str | None, reading: Reading) -> None:
    """What is sent over gRPC needs a client for it, and goes to a host and a port: which path, gRPC says itself."""
    if urlsplit(collector or "").path not in ("", "/"):
        reading.note(
            "collector-path",
            f"{name_of(iri)}: a collector that is spoken to with gRPC has no path, and this URL has one",
            iri,
            predicate,
            remedy='write the host and the port alone: "http://collector:4317"',
        )
    if find_spec("grpc") is None:
        reading.note(
            "grpc-client-missing",
            f"{name_of(iri)}: agw needs the Python package grpcio to speak gRPC, and it is not installed",
            iri,
            predicate,
            remedy="pip install 'api-gateway-service-mesh[grpc]', or send otlp-protobuf over HTTP",
        )


def with_lone_tracing(
    served: tuple[Route, ...], rows: Iterable[TracingRow], found: Mapping[str, Tracing]
) -> tuple[Route, ...]:
    """The routes as they are; where the graph holds one tracing, and nobody says whose it is, it is everybody's."""
    used = {row.tracing: row.used == "true" for row in rows}
    if len(used) != 1 or any(used.values()):
        return served
    lone = next(iter(found.values()))
    return tuple(replace(route, tracing=lone) for route in served)
