"""Random edits of a configuration, seeded: what people and programs do to triples, sensible or not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pyoxigraph import Literal, NamedNode, Triple

from api_gateway_service_mesh.graph.terms import AGW, OWL, RDF_TYPE, RDFS, XSD, Row, Term
from tests.support.turtle import configuration, routes_turtle

__all__ = ["BASE", "KINDS", "edited", "some_routes"]

EX = "https://example.com/"

BASE = configuration("""
ex:edge a agw:ApiGateway ; agw:hasRoute ex:users , ex:orders , ex:pay ; agw:trustedProxy "10.0.0.0/8" ;
    agw:hasListener ex:plain , ex:other .
ex:edge agw:hasLoadBalancer ex:spread ; agw:hasRetryPolicy ex:again .
ex:spread a agw:LoadBalancer ; agw:balancingAlgorithm "LEAST_CONNECTIONS" .
ex:site a agw:VirtualService ; agw:hostname "*.example.com" ; agw:hasTimeout ex:patience ; agw:hasCircuitBreaker ex:fuse .
ex:api a agw:VirtualService ; agw:hostname "api.example.com" ; agw:withoutPolicy agw:hasTimeout .
ex:search a agw:Route ; agw:routePath "/search" ; agw:hostname "api.example.com" ; agw:hasBackendService ex:ordersService .
ex:plain a agw:Listener ; agw:port 8080 ; agw:idleTimeout "PT30S"^^xsd:dayTimeDuration .
ex:other a agw:Listener ; agw:port 8081 ; agw:bindAddress "127.0.0.1" .
ex:Public rdfs:subClassOf agw:Route ; agw:hasRateLimiter ex:limit ; agw:hasTimeout ex:patience .
ex:Payments rdfs:subClassOf ex:Public ; agw:hasRetryPolicy ex:again ; agw:hasRateLimiter ex:strict .
ex:Guarded rdfs:subClassOf agw:BackendService ; agw:hasConnectionPool ex:pool ; agw:hasHealthCheck ex:check .
ex:limits rdfs:subPropertyOf agw:hasRateLimiter .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 100 ; agw:burstSize 20 ; agw:limitKey "client-address" .
ex:strict a agw:ThrottlingPolicy ; agw:requestsPerSecond 5 .
ex:patience a agw:Timeout ; agw:timeoutSeconds 5 ; agw:perAttemptTimeout "PT2S"^^xsd:dayTimeDuration .
ex:again a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:backoffMultiplier 1.5 ; agw:retryOn "5xx" , "reset" ;
    agw:initialDelayMs 10 ; agw:maximumDelayMs 100 .
ex:pool a agw:ConnectionPool ; agw:maxConnections 10 ; agw:connectTimeout "PT1S"^^xsd:dayTimeDuration .
ex:check a agw:ReadinessProbe ; agw:healthCheckPath "/health" ; agw:successThreshold 1 .
ex:users a ex:Public ; agw:routePath "/users/{id}" ; agw:httpMethod "GET" , "PUT" ; agw:hostname "*.example.com" ;
    agw:hasBackendService ex:usersService ; agw:hasLoadBalancer [ a agw:LoadBalancer ; agw:balancingAlgorithm "RANDOM" ] .
ex:orders a agw:Route ; agw:routePath "/orders/*" ; agw:pathMatchType "Prefix" ; agw:priority 3 ; ex:limits ex:limit ;
    agw:hasTrafficSplit ex:most , ex:few ; agw:hasCircuitBreaker ex:fuse ;
    agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x-beta" ; agw:headerValue "1" ] .
ex:pay a ex:Payments ; agw:routePath "/pay" ; agw:httpMethod "POST" ; agw:hasBackendService ex:payService .
ex:most a agw:TrafficSplit ; agw:weight 90 ; agw:targetService ex:ordersService .
ex:few a agw:CanaryDeployment ; agw:weight 10 ; agw:targetService ex:usersService .
ex:fuse a agw:CircuitBreaker ; agw:failureThreshold 3 ; agw:timeoutSeconds 30 ; agw:halfOpenRequests 2 .
ex:usersService a ex:Guarded ; agw:hasInstance [ a agw:ServiceInstance ; agw:address "u1:80" ; agw:instanceWeight 2 ] ,
        [ a agw:ServiceInstance ; agw:address "u2:80" ] .
ex:ordersService a agw:BackendService ; agw:address "orders:8080" .
ex:payService a ex:Guarded ; agw:address "pay:8080" ; agw:hasServiceMesh ex:mesh ; agw:hasMutualTLS ex:mutual .
ex:mesh a agw:ServiceMesh ; agw:meshType "istio" ; agw:hasMutualTLS ex:mutual .
ex:mutual a agw:MutualTLS ; agw:mtlsMode "STRICT" .
""")

_VALUES: tuple[Term, ...] = (
    Literal(-5),
    Literal(0),
    Literal(8080),
    Literal("GET"),
    Literal("/users/{id}"),
    Literal("RegularExpression"),
    Literal(""),
    Literal(True),
    Literal("05", datatype=NamedNode(XSD + "integer")),
    Literal("2s", datatype=NamedNode(XSD + "integer")),
    Literal("2.50", datatype=NamedNode(XSD + "decimal")),
    Literal("PT60S", datatype=NamedNode(XSD + "dayTimeDuration")),
    Literal("STRICT", language="en"),
    NamedNode(EX + "limit"),
    NamedNode(EX + "usersService"),
    NamedNode(EX + "edge"),
    NamedNode(EX + "nothing"),
    NamedNode(AGW + "Rout"),
)
_DATATYPES = ("string", "integer", "decimal", "dayTimeDuration", "boolean")

Edit = Callable[[list[Row], random.Random], None]


def some_routes(count: int) -> str:
    """A larger, plainer configuration, so that most of it lies beyond the reach of an edit."""
    return routes_turtle(count)


def edited(rows: Sequence[Row], rng: random.Random) -> tuple[list[Row], str]:
    """Another configuration, one to three edits away, and the names of the edits."""
    made, names = list(rows), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(tuple(KINDS))
        KINDS[name](made, rng)
        names.append(name)
    made = [row for row in dict.fromkeys(made) if row[1] != RDF_TYPE or isinstance(row[2], NamedNode)]
    return made or list(rows), "+".join(names)


def _drop(rows: list[Row], rng: random.Random) -> None:
    del rows[rng.randrange(len(rows))]


def _change_literal(rows: list[Row], rng: random.Random) -> None:
    at = rng.choice([n for n, row in enumerate(rows) if isinstance(row[2], Literal)])
    subject, predicate, value = rows[at]
    text = value.value  # type: ignore[union-attr]
    if text.isdigit():
        rows[at] = (subject, predicate, Literal(int(text) + rng.choice((-1, 1, 7))))
    else:
        rows[at] = (subject, predicate, Literal(text + rng.choice(("x", "/y", "1"))))


def _change_datatype(rows: list[Row], rng: random.Random) -> None:
    at = rng.choice([n for n, row in enumerate(rows) if isinstance(row[2], Literal)])
    subject, predicate, value = rows[at]
    rows[at] = (subject, predicate, Literal(value.value, datatype=NamedNode(XSD + rng.choice(_DATATYPES))))  # type: ignore[union-attr]


def _set_value(rows: list[Row], rng: random.Random) -> None:
    at = rng.randrange(len(rows))
    rows[at] = (rows[at][0], rows[at][1], rng.choice(_VALUES))


def _add_value(rows: list[Row], rng: random.Random) -> None:
    subject, predicate, _ = rng.choice(rows)
    rows.insert(rng.randrange(len(rows) + 1), (subject, predicate, rng.choice(_VALUES)))


def _retarget(rows: list[Row], rng: random.Random) -> None:
    links = [n for n, row in enumerate(rows) if isinstance(row[2], NamedNode) and row[1] != RDF_TYPE]
    at = rng.choice(links)
    rows[at] = (rows[at][0], rows[at][1], rows[rng.choice(links)][2])


def _move_property(rows: list[Row], rng: random.Random) -> None:
    at = rng.randrange(len(rows))
    rows[at] = (rng.choice(rows)[0], rows[at][1], rows[at][2])


def _other_class(rows: list[Row], rng: random.Random) -> None:
    types = [n for n, row in enumerate(rows) if row[1] == RDF_TYPE]
    at = rng.choice(types)
    rows[at] = (rows[at][0], RDF_TYPE, rows[rng.choice(types)][2])


def _add_route(rows: list[Row], rng: random.Random) -> None:
    number = rng.randrange(10_000)
    route, path = NamedNode(f"{EX}new{number}"), Literal(f"/new/{number}")
    kind = rng.choice((AGW + "Route", AGW + "Route", EX + "Public", EX + "Payments"))
    services = [row[0] for row in rows if row[1].value == AGW + "address"]
    rows += [(route, RDF_TYPE, NamedNode(kind)), (route, NamedNode(AGW + "routePath"), path)]
    if services:
        rows.append((route, NamedNode(AGW + "hasBackendService"), rng.choice(services)))
    gateways = [row[0] for row in rows if row[2] == NamedNode(AGW + "ApiGateway")]
    if gateways:
        rows.append((gateways[0], NamedNode(AGW + "hasRoute"), route))


def _delete_subject(rows: list[Row], rng: random.Random) -> None:
    gone = rng.choice(rows)[0]
    rows[:] = [row for row in rows if row[0] != gone]


def _rename(rows: list[Row], rng: random.Random) -> None:
    old = rng.choice(rows)[0]
    new = NamedNode(f"{EX}renamed{rng.randrange(100)}")
    rows[:] = [(new if s == old else s, p, new if o == old else o) for s, p, o in rows]


def _class_axiom(rows: list[Row], rng: random.Random) -> None:
    classes = [NamedNode(EX + name) for name in ("Public", "Payments", "Guarded")]
    below, above = rng.choice(classes), rng.choice((*classes, NamedNode(AGW + "Route")))
    axiom = rng.choice((RDFS + "subClassOf", RDFS + "subClassOf", OWL + "equivalentClass"))
    rows.append((below, NamedNode(axiom), above))


def _property_axiom(rows: list[Row], rng: random.Random) -> None:
    below = NamedNode(EX + "limits")
    axiom = rng.choice((RDFS + "subPropertyOf", OWL + "inverseOf"))
    rows.append((below, NamedNode(axiom), NamedNode(AGW + rng.choice(("hasTimeout", "hasRateLimiter")))))


def _shuffle_some(rows: list[Row], rng: random.Random) -> None:
    start = rng.randrange(len(rows))
    part = rows[start : start + rng.randrange(2, 12)]
    rng.shuffle(part)
    rows[start : start + len(part)] = part


KINDS: dict[str, Edit] = {
    "drop": _drop,
    "literal": _change_literal,
    "datatype": _change_datatype,
    "value": _set_value,
    "another value": _add_value,
    "retarget": _retarget,
    "move": _move_property,
    "class of": _other_class,
    "add route": _add_route,
    "another route": _add_route,
    "delete": _delete_subject,
    "rename": _rename,
    "class axiom": _class_axiom,
    "property axiom": _property_axiom,
    "order": _shuffle_some,
}


def triples(rows: Sequence[Row]) -> list[Triple]:
    """Rows put together again."""
    return [Triple(*row) for row in rows]
