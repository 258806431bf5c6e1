"""Write gateway.ttl from operations.tsv: ``python examples/github/generate.py``.

An operation becomes a route of two classes: its service's (where it goes) and its kind's (how it is treated). All
policy stands in the classes, in `HEAD`; the routes say method and path, nothing else.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

HEAD = """\
# The public operations of GitHub's REST API, as a gateway in front of services of one's own would serve them.
# Written by generate.py from operations.tsv; README.md names the source. Edit those, not this.
@prefix agw:  <https://ggen.ai/ontology/api-gateway#> .
@prefix gh:   <http://example.org/github#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd:  <http://www.w3.org/2001/XMLSchema#> .

gh:gateway a agw:ApiGateway ;
    rdfs:label "github" ;
    agw:hasListener [ a agw:Listener ; agw:port 8080 ] .

# ---- How a route is treated: one class for each kind. The most specific class that states a policy counts.

gh:Read rdfs:subClassOf agw:Route ;
    rdfs:comment "Reading: generous, tried again, quick." ;
    agw:hasRateLimiter gh:readLimit ;
    agw:hasRetryPolicy gh:again ;
    agw:hasTimeout gh:tenSeconds .

gh:Write rdfs:subClassOf agw:Route ;
    rdfs:comment "Changing something: slower pace, sent once." ;
    agw:hasRateLimiter gh:writeLimit ;
    agw:hasTimeout gh:thirtySeconds .

gh:Search rdfs:subClassOf gh:Read ;
    rdfs:comment "Reading that costs much: its own limit, its own time, and a breaker." ;
    agw:hasRateLimiter gh:searchLimit ;
    agw:hasTimeout gh:fiveSeconds ;
    agw:hasCircuitBreaker gh:searchBreaker .

gh:readLimit   a agw:RateLimiter ; agw:requestsPerSecond 50 ; agw:burstSize 200 ; agw:limitKey "client-address" .
gh:writeLimit  a agw:RateLimiter ; agw:requestsPerSecond 5 ;  agw:burstSize 20 ;  agw:limitKey "client-address" .
gh:searchLimit a agw:RateLimiter ; agw:requestsPerSecond 1 ;  agw:burstSize 30 ;  agw:limitKey "client-address" .

gh:again a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:initialDelayMs 50 ; agw:backoffMultiplier 2.0 .

gh:fiveSeconds   a agw:Timeout ; agw:timeoutSeconds 5 .
gh:tenSeconds    a agw:Timeout ; agw:timeoutSeconds 10 ; agw:perAttemptTimeout "PT4S"^^xsd:dayTimeDuration .
gh:thirtySeconds a agw:Timeout ; agw:timeoutSeconds 30 .

gh:searchBreaker a agw:CircuitBreaker ; agw:failureThreshold 5 ; agw:timeoutSeconds 10 ; agw:halfOpenRequests 2 .
"""

# Parameters whose value holds slashes: a template's {name} is one segment, so these become a regular expression.
LONG = {
    "path": ("/contents/{path}",),
    "ref": ("/git/ref/{ref}", "/git/refs/{ref}", "/git/matching-refs/{ref}", "/tarball/{ref}", "/zipball/{ref}"),
}

FIRST_PORT = 9201


def operations() -> list[dict[str, str]]:
    """The lines of operations.tsv."""
    with (HERE / "operations.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def services(tags: list[str]) -> Iterator[str]:
    """A class of routes and a service for each tag."""
    yield "\n# ---- Where a route goes: one class, and one service, for each tag of the API.\n\n"
    for port, tag in enumerate(tags, start=FIRST_PORT):
        name = tag.capitalize()
        yield f"gh:{name} rdfs:subClassOf agw:Route ; agw:hasBackendService gh:{tag}Service .\n"
        yield f'gh:{tag}Service a agw:BackendService ; agw:address "127.0.0.1:{port}" .\n'


def route(operation: dict[str, str]) -> str:
    """One operation as a route."""
    tag, method, path = operation["tag"], operation["method"], operation["path"]
    kind = "Search" if tag == "search" else "Read" if method in {"GET", "HEAD"} else "Write"
    expression = regular_expression(path)
    where = f'"{path}"' if expression is None else f'"{expression}" ; agw:pathMatchType "RegularExpression"'
    subject = f"gh:{tag}-{operation['operation']}"
    return f'{subject} a gh:{tag.capitalize()}, gh:{kind} ; agw:httpMethod "{method}" ; agw:routePath {where} .\n'


def regular_expression(path: str) -> str | None:
    """RE2 for a path whose last parameter holds slashes; None for all others."""
    for name, endings in LONG.items():
        if path.endswith(endings):
            segments = path.removesuffix(f"{{{name}}}").split("/")
            return "/".join("[^/]+" if segment.startswith("{") else segment for segment in segments) + ".+"
    return None


def turtle() -> str:
    """The whole of gateway.ttl."""
    found = operations()
    tags = list(dict.fromkeys(operation["tag"] for operation in found))
    parts = [HEAD, *services(tags)]
    for tag in tags:
        parts.append(f"\n# ---- {tag}\n\n")
        parts.extend(route(operation) for operation in found if operation["tag"] == tag)
    return "".join(parts)


if __name__ == "__main__":
    (HERE / "gateway.ttl").write_text(turtle(), encoding="utf-8")
