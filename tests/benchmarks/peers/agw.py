"""agw itself, as anybody starts it: ``agw serve``, with its control process on the load's core."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import api_gateway_service_mesh

from ..arrangement import SAMPLED, Arrangement, Layer, RouteKind, Tls
from ..machine import LOAD_CORE, free_port
from .peer import Peer

__all__ = ["Agw", "turtle"]

_PREFIXES = """\
@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix b:   <http://example.org/benchmark#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

"""
_LAYERS = {
    Layer.JWT: "agw:hasAuthentication b:jwt",
    Layer.RATE_LIMIT: "agw:hasRateLimiter b:limit",
    Layer.BREAKER: "agw:hasCircuitBreaker b:breaker",
    Layer.RETRY: "agw:hasRetryPolicy b:retry",
    Layer.TIMEOUT: "agw:hasTimeout b:timeout",
    Layer.TRACING: "agw:hasTracing b:tracing",
}


class Agw(Peer):
    """See the module."""

    name = "agw"
    core = LOAD_CORE
    worker_marker = "control.worker"

    @property
    def executable(self) -> str | None:
        return sys.executable

    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        file = arrangement.folder / f"{stem}.ttl"
        file.write_text(turtle(arrangement, port))
        serve = ["serve", str(file), "--workers", str(arrangement.workers), "--no-watch"]
        return [sys.executable, "-P", "-m", "api_gateway_service_mesh", *serve, "--admin-port", str(free_port())]

    def environment(self) -> Mapping[str, str]:
        root = str(Path(api_gateway_service_mesh.__file__).parents[1])
        return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}

    def access_log(self, arrangement: Arrangement, stem: str) -> Path:
        return arrangement.folder / f"{stem}.log"  # it goes to standard output


def turtle(arrangement: Arrangement, port: int) -> str:
    """The arrangement as a knowledge graph."""
    layers = arrangement.layers
    log = " ; agw:accessLogEnabled true" if Layer.ACCESS_LOG in layers else ""
    text = [_PREFIXES, f"b:gateway a agw:ApiGateway ; agw:hasListener b:front{log} .\n"]
    text.append(f'b:front a agw:Listener ; agw:port {port} ; agw:bindAddress "127.0.0.1"')
    if arrangement.front is not Tls.NONE:
        text.append(" ; agw:hasCertificate b:certificate")
    if arrangement.front is Tls.MUTUAL:
        text.append(" ; agw:hasMutualTLS b:strict")
    scheme = "" if arrangement.upstream is Tls.NONE else "https://"
    text.append(f' .\nb:service a agw:BackendService ; agw:address "{scheme}127.0.0.1:{arrangement.backend}"')
    if arrangement.upstream is not Tls.NONE:
        asked = "b:strict" if arrangement.upstream is Tls.MUTUAL else "b:oneWay"
        text.append(f" ; agw:hasMutualTLS {asked}")
    text.append(" .\n")
    text.append(_definitions(arrangement))
    policies = "".join(f" ; {_LAYERS[layer]}" for layer in Layer if layer in layers and layer in _LAYERS)
    if arrangement.cached:
        policies += " ; agw:hasCache b:cache"
        text.append(
            'b:cache a agw:Cache ; agw:showsCacheStatus false ; agw:defaultFreshness "PT1H"^^xsd:dayTimeDuration .\n'
        )
    for number, route in enumerate(arrangement.routes):
        path = f"{route.path}/*" if route.kind is RouteKind.PREFIX else route.path
        text.append(f'b:r{number} a agw:Route ; agw:routePath "{path}" ; agw:hasBackendService b:service{policies} .\n')
    return "".join(text)


def _definitions(arrangement: Arrangement) -> str:
    layers, text = arrangement.layers, []
    if Layer.JWT in layers:
        assert arrangement.key_set is not None
        text.append(
            'b:jwt a agw:JWTAuthentication ; agw:issuer "https://issuer.example/" ; agw:audience "benchmark" ;'
            f' agw:jwksUri "file:{arrangement.key_set.relative_to(arrangement.folder)}" .'
        )
    if Layer.RATE_LIMIT in layers:
        text.append(
            "b:limit a agw:RateLimiter ; agw:requestsPerSecond 1000000 ; agw:burstSize 1000000 ;"
            ' agw:limitKey "client-address" .'
        )
    if Layer.BREAKER in layers:
        text.append("b:breaker a agw:CircuitBreaker ; agw:failureThreshold 5 ; agw:timeoutSeconds 30 .")
    if Layer.RETRY in layers:
        text.append("b:retry a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:initialDelayMs 25 .")
    if Layer.TIMEOUT in layers:
        text.append("b:timeout a agw:Timeout ; agw:timeoutSeconds 5 .")
    if Layer.TRACING in layers:
        text.append(
            f"b:tracing a agw:DistributedTracing ; agw:samplingRate {SAMPLED} ;"
            f' agw:traceCollector "{arrangement.collector}" .'
        )
    if arrangement.certificates is not None:
        files = arrangement.certificates
        authority, certificate, key = (
            path.relative_to(arrangement.folder) for path in (files.authority, files.certificate, files.key)
        )
        text += [
            f'b:certificate a agw:Certificate ; agw:certificateFile "{certificate}" ;'
            f' agw:privateKeyRef "file:{key}" ; agw:trustBundleFile "{authority}" .',
            f'b:trust a agw:Certificate ; agw:trustBundleFile "{authority}" .',
            'b:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate b:certificate .',
            'b:oneWay a agw:MutualTLS ; agw:mtlsMode "DISABLE" ; agw:hasCertificate b:trust .',
        ]
    return "".join(f"{line}\n" for line in text)
