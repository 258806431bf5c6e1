"""Turtle for tests: a real-looking configuration of any size, and prefixes to put in front of a snippet."""

from __future__ import annotations

__all__ = ["PREFIXES", "configuration", "routes_turtle"]

PREFIXES = """\
@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <https://example.com/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""

_METHODS = ("GET", "POST", "PUT", "DELETE")


def configuration(body: str) -> str:
    """`body` with the usual prefixes in front (five lines, then a blank one)."""
    return f"{PREFIXES}\n{body}"


def routes_turtle(n: int) -> str:
    """`n` routes of all kinds (exact, template, prefix; with and without host), each with its own backend, limiter,
    breaker, retry policy and timeout: 23 triples a route, all valid."""
    return PREFIXES + "".join(_route(i) for i in range(n))


def _route(i: int) -> str:
    path = (f"/api/v{i % 3 + 1}/thing{i}", f"/api/thing{i}/{{id}}", f"/files/area{i}/*")[i % 3]
    host = f' ; agw:hostname "shop{i % 10}.example.com"' if i % 2 else f" ; agw:priority {i % 7}"
    return f"""
ex:route{i} a agw:Route ; agw:routePath "{path}" ; agw:httpMethod "{_METHODS[i % 4]}"{host} ;
    agw:hasBackendService ex:backend{i} ;
    agw:hasRateLimiter ex:limit{i} ;
    agw:hasCircuitBreaker ex:breaker{i} ;
    agw:hasRetryPolicy ex:retry{i} ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds {i % 20 + 1} ] .
ex:backend{i} a agw:BackendService ; agw:address "10.{i // 65536 % 256}.{i // 256 % 256}.{i % 256}:8080" .
ex:limit{i} a agw:RateLimiter ; agw:requestsPerSecond {i % 900 + 100} ; agw:burstSize {i % 90 + 10} .
ex:breaker{i} a agw:CircuitBreaker ; agw:failureThreshold {i % 9 + 1} ; agw:timeoutSeconds 30 .
ex:retry{i} a agw:RetryPolicy ; agw:retryAttempts {i % 4 + 1} ; agw:backoffMultiplier 2.0 ; agw:initialDelayMs 25 .
"""
