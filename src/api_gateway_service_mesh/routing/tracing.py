"""Tracing as a part of a decision."""

from __future__ import annotations

from api_gateway_service_mesh.model import Route, Tracing

from .part import Part, cite, number

__all__ = ["tracing_part"]


def tracing_part(route: Route, tracing: Tracing) -> Part:
    """How requests of `route` are traced."""
    default = Tracing(tracing.iri)
    share = f"{number(tracing.sampling_rate * 100)} % of requests"
    text = f"{share}{', and all that fail' if tracing.sample_errors else ''}, by {', '.join(tracing.propagation)}"
    text += f"; spans go to {tracing.collector}" if tracing.collector else "; spans go nowhere"
    stated = [cite(route.iri, "hasTracing", tracing.iri)]
    words = [
        ("samplingRate", number(tracing.sampling_rate), number(default.sampling_rate)),
        ("tracePropagation", " ".join(tracing.propagation), " ".join(default.propagation)),
        ("parentBasedSampling", str(tracing.parent_based).lower(), "true"),
        ("sampleErrors", str(tracing.sample_errors).lower(), "false"),
        ("traceCollector", tracing.collector or "", ""),
        ("traceFormat", str(tracing.format), str(default.format)),
        ("tracedServiceName", tracing.service or "", ""),
    ]
    stated += [cite(tracing.iri, term, value) for term, value, usual in words if value != usual]
    return Part("tracing", tracing.iri, text, tuple(stated))
