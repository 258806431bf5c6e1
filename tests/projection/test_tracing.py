from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Propagation, TraceFormat, Tracing
from tests.support.configuration import EX, assembled, mesh_of

ROUTES = 'ex:a a agw:Route ; agw:routePath "/a" . ex:b a agw:Route ; agw:routePath "/b" .'


@pytest.mark.parametrize(
    ("stated", "tracing"),
    [
        ("", Tracing(EX + "t")),
        (
            '; agw:samplingRate 0.25 ; agw:tracePropagation "b3 tracecontext" ; agw:sampleErrors true',
            Tracing(EX + "t", 0.25, (Propagation.B3, Propagation.TRACE_CONTEXT), sample_errors=True),
        ),
        (
            '; agw:traceCollector "http://z/api/v2/spans" ; agw:traceFormat "zipkin" ; agw:tracedServiceName "edge" ; '
            "agw:parentBasedSampling false",
            Tracing(
                EX + "t",
                parent_based=False,
                collector="http://z/api/v2/spans",
                format=TraceFormat.ZIPKIN,
                service="edge",
            ),
        ),
    ],
)
def test_the_only_tracing_is_every_routes(stated: str, tracing: Tracing) -> None:
    assert {route.tracing for route in mesh_of(f"{ROUTES} ex:t a agw:DistributedTracing {stated} .").routes} == {
        tracing
    }


def test_one_that_is_named_is_for_those_that_name_it() -> None:
    a, b = mesh_of(f"{ROUTES} ex:t a agw:DistributedTracing . ex:b agw:hasTracing ex:t .").routes
    assert (a.tracing, b.tracing) == (None, Tracing(EX + "t"))


def test_a_gateways_is_for_those_that_do_not_decline() -> None:
    a, b = mesh_of(
        f"{ROUTES} ex:g a agw:ApiGateway ; agw:hasTracing ex:t . ex:t a agw:DistributedTracing . "
        "ex:a agw:withoutPolicy agw:hasTracing ."
    ).routes
    assert (a.tracing, b.tracing) == (None, Tracing(EX + "t"))


def test_a_collector_spoken_to_with_grpc_has_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = 'ex:t a agw:DistributedTracing ; agw:traceFormat "otlp-grpc" ; agw:traceCollector "http://c:4317{}" .'
    monkeypatch.setattr("api_gateway_service_mesh.projection.tracing.find_spec", lambda name: name)
    assert mesh_of(f"{ROUTES} {stated.format('')}").routes[0].tracing == Tracing(
        EX + "t", collector="http://c:4317", format=TraceFormat.OTLP_GRPC
    )
    said = [found.code for found in assembled(f"{ROUTES} {stated.format('/v1/traces')}").findings]
    assert "collector-path" in said
    monkeypatch.setattr("api_gateway_service_mesh.projection.tracing.find_spec", lambda name: None)
    said = [found.code for found in assembled(f"{ROUTES} {stated.format('')}").findings]
    assert "grpc-client-missing" in said and "collector-path" not in said
