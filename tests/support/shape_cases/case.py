"""One text and what is said about it; and the makers of the pairs that many terms have."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PREFIXES", "Case", "duration", "integer", "reference", "right", "warned", "wrong"]

PREFIXES = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""

CONTEXT = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:route .
ex:route a agw:Route ; agw:routePath "/{namespace}" ; agw:hasBackendService ex:service .
ex:service a agw:BackendService ; agw:address "service:8080" .
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One text and what is said about it."""

    name: str
    turtle: str
    violations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def document(self, namespace: str) -> str:
        """The whole Turtle text, its names in `namespace`."""
        return f"{PREFIXES}@prefix ex: <{namespace}> .\n{CONTEXT.format(namespace=namespace)}{self.turtle}"


def right(name: str, *turtles: str) -> list[Case]:
    """Texts that pass in silence."""
    return [Case(f"{name}, right {number}", turtle) for number, turtle in enumerate(turtles, 1)]


def wrong(name: str, *pairs: tuple[str, str]) -> list[Case]:
    """Texts that are refused, each for one reason."""
    return [Case(f"{name}, wrong {number}", turtle, (said,)) for number, (turtle, said) in enumerate(pairs, 1)]


def warned(name: str, *pairs: tuple[str, str]) -> list[Case]:
    """Texts that load with one warning."""
    return [Case(f"{name}, warned {number}", turtle, (), (said,)) for number, (turtle, said) in enumerate(pairs, 1)]


def integer(term: str, subject: str, low: int, high: int) -> list[Case]:
    """The bounds of a whole number, from both sides, and what is no whole number."""
    said = "whole number"
    return [
        *right(
            term,
            f"{subject} ; agw:{term} {low} .",
            f"{subject} ; agw:{term} {high} .",
            f'{subject} ; agw:{term} "{low}"^^xsd:int .',
        ),
        *wrong(
            term,
            (f"{subject} ; agw:{term} {low - 1} .", said),
            (f"{subject} ; agw:{term} {high + 1} .", said),
            (f'{subject} ; agw:{term} "{low}" .', said),
            (f"{subject} ; agw:{term} {low}.5 .", said),
            (f'{subject} ; agw:{term} "many"^^xsd:integer .', said),
            (f"{subject} ; agw:{term} {low} , {low + 1} .", said),
        ),
    ]


def duration(term: str, subject: str, *, published: bool = False) -> list[Case]:
    """Days and time, longer than zero; xsd:duration too where published files say so."""
    kind = "duration" if published else "dayTimeDuration"
    return [
        *right(
            term,
            f'{subject} ; agw:{term} "PT10S"^^xsd:dayTimeDuration .',
            f'{subject} ; agw:{term} "P1DT2H3M4.5S"^^xsd:{kind} .',
            f'{subject} ; agw:{term} "PT0.1S"^^xsd:{kind} .',
        ),
        *wrong(
            term,
            (f'{subject} ; agw:{term} "10s" .', "written as text with its type"),
            (f"{subject} ; agw:{term} 10 .", "written as text with its type"),
            (f'{subject} ; agw:{term} "P1Y"^^xsd:{kind} .', "years or months"),
            (f'{subject} ; agw:{term} "P1MT5S"^^xsd:{kind} .', "years or months"),
            (f'{subject} ; agw:{term} "PT0S"^^xsd:{kind} .', "longer than zero"),
            (f'{subject} ; agw:{term} "-PT5S"^^xsd:{kind} .', "longer than zero"),
        ),
    ]


def reference(term: str, subject: str, kind: str, said: str) -> list[Case]:
    """An object property: a thing of its class, a thing of no class, a thing of another class, a text."""
    return [
        *right(term, f"{subject} agw:{term} ex:thing . ex:thing a agw:{kind} . {_COMPLETE.get(kind, '')}"),
        *wrong(
            term,
            (f"{subject} agw:{term} ex:missing .", said),
            (f"{subject} agw:{term} ex:other . ex:other a agw:Sidecar .", said),
            (f'{subject} agw:{term} "thing" .', said),
        ),
    ]


# What a thing needs besides its class so that nothing at all is said about it.
_COMPLETE = {
    "BackendService": 'ex:thing agw:address "thing:80" .',
    "ServiceInstance": 'ex:thing agw:address "thing:80" .',
    "RateLimiter": "ex:thing agw:requestsPerSecond 1 .",
    "RedisStore": 'ex:thing agw:storeAddress "thing:1" .',
    "ServiceDiscovery": (
        'ex:thing agw:discoveryName "x" ; agw:hasServiceRegistry [ a agw:ServiceRegistry ; agw:registryType "dns" ] .'
    ),
    "ServiceRegistry": 'ex:thing agw:registryType "dns" .',
    "MetricsExport": 'ex:thing agw:metricsCollector "http://collector/" .',
    "ServiceLevelObjective": "ex:thing agw:availabilityTarget 0.9 .",
    "Hedging": 'ex:thing agw:hedgeDelay "PT1S"^^xsd:dayTimeDuration .',
    "Timeout": "ex:thing agw:timeoutSeconds 1 .",
    "MutualTLS": 'ex:thing agw:mtlsMode "DISABLE" .',
    "ServiceMesh": 'ex:thing agw:meshType "istio" .',
    "Route": 'ex:thing agw:routePath "/thing" ; agw:hasBackendService ex:service .',
    "Listener": "ex:thing agw:port 80 .",
    "HeaderMatch": 'ex:thing agw:headerName "a" ; agw:headerValue "b" .',
    "QueryParameterMatch": 'ex:thing agw:parameterName "a" ; agw:parameterValue "b" .',
}
