"""Our SHACL engine against pySHACL: the same results on mutated configurations, and on shapes of every component."""

from __future__ import annotations

import random

import pyshacl
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Triple
from rdflib.namespace import SH as RSH

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import InferredGraph, SourceGraph, infer
from api_gateway_service_mesh.graph.ontology import Ontology
from api_gateway_service_mesh.graph.rdflib_bridge import graph_of
from api_gateway_service_mesh.graph.results import ValidationResult
from api_gateway_service_mesh.graph.shacl import shipped_shapes, validate_shapes
from api_gateway_service_mesh.graph.shapes import ShapesGraph
from api_gateway_service_mesh.graph.terms import AGW, GENID, RDF_TYPE, XSD, Row, Term
from api_gateway_service_mesh.graph.values import canonical, compare
from tests.support.turtle import configuration, routes_turtle

Found = set[tuple[str, str, str, str, str]]

BASE = configuration("""
ex:edge a agw:ApiGateway ; agw:hasRoute ex:users , ex:orders ; agw:trustedProxy "10.0.0.0/8" ;
    agw:hasListener [ a agw:Listener ; agw:port 8080 ; agw:idleTimeout "PT30S"^^xsd:dayTimeDuration ] ,
        [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site ; agw:hasMutualTLS [ a agw:MutualTLS ;
            agw:mtlsMode "PERMISSIVE" ; agw:hasCertificate ex:site ] ] .
ex:site a agw:Certificate ; agw:certificateFile "site.pem" ; agw:privateKeyRef "env:SITE" ; agw:trustBundleFile "ca.pem" .
ex:Public rdfs:subClassOf agw:Route ; agw:hasRateLimiter ex:limit .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 100 ; agw:burstSize 20 ; agw:limitKey "client-address" .
ex:users a ex:Public ; agw:routePath "/users/{id}" ; agw:httpMethod "GET" , "PUT" ; agw:hostname "*.example.com" ;
    agw:hasBackendService ex:usersService ; agw:hasLoadBalancer [ a agw:LoadBalancer ; agw:balancingAlgorithm "RANDOM" ] ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ; agw:perAttemptTimeout "PT2S"^^xsd:dayTimeDuration ] .
ex:orders a agw:Route ; agw:routePath "/orders/*" ; agw:pathMatchType "Prefix" ; agw:priority 3 ;
    agw:hasTrafficSplit [ a agw:TrafficSplit ; agw:weight 90 ; agw:targetService ex:ordersService ] ,
        [ a agw:CanaryDeployment ; agw:weight 10 ; agw:targetService ex:usersService ] ;
    agw:hasCircuitBreaker [ a agw:CircuitBreaker ; agw:failureThreshold 3 ; agw:timeoutSeconds 30 ; agw:halfOpenRequests 2 ] ;
    agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:backoffMultiplier 1.5 ; agw:retryOn "5xx" ;
        agw:initialDelayMs 10 ; agw:maximumDelayMs 100 ] ;
    agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x-beta" ; agw:headerValue "1" ] .
ex:usersService a agw:BackendService ; agw:hasInstance [ a agw:ServiceInstance ; agw:address "u1:80" ; agw:instanceWeight 2 ] ,
        [ a agw:ServiceInstance ; agw:address "u2:80" ] ;
    agw:hasHealthCheck [ a agw:HealthCheck ; agw:healthCheckPath "/health" ; agw:healthCheckInterval "PT5S"^^xsd:duration ;
        agw:successThreshold 1 ] .
ex:ordersService a agw:BackendService ; agw:address "orders:8080" ;
    agw:hasConnectionPool [ a agw:ConnectionPool ; agw:maxConnections 10 ; agw:connectTimeout "PT1S"^^xsd:dayTimeDuration ] .
""")

VALUES = [
    Literal(-5),
    Literal(0),
    Literal("x"),
    Literal("GET"),
    Literal(""),
    Literal(True),
    Literal("2s", datatype=NamedNode(XSD + "integer")),
    Literal("5", datatype=NamedNode(XSD + "nonNegativeInteger")),
    Literal("2.5", datatype=NamedNode(XSD + "decimal")),
    Literal("PT0S", datatype=NamedNode(XSD + "dayTimeDuration")),
    Literal("PT5M", datatype=NamedNode(XSD + "dayTimeDuration")),
    Literal("STRICT", language="en"),
    NamedNode("https://example.com/limit"),
    NamedNode("https://example.com/usersService"),
    NamedNode("https://example.com/nothing"),
    NamedNode(AGW + "Route"),
]


def ours(inferred: InferredGraph, shapes: ShapesGraph) -> tuple[Found, Found]:
    """Our results, and those among them where two values are compared that cannot be: rdflib puts any two in some order,
    SPARQL (and so SHACL 4.3) does not."""
    results = validate_shapes(inferred.index, lambda: inferred.data, shapes)
    others = {r: [*r.parameter, *inferred.index.values(r.focus, _iri(r.parameter))] for r in results}
    disputed = {
        r
        for r in results
        if any(name in r.component.value for name in ("clusive", "lessThan", "LessThan"))
        and any(compare(r.value, other) is None for other in others[r][isinstance(others[r][0], NamedNode) :])  # type: ignore[arg-type]
    }
    return {_key(r) for r in results}, {_key(r) for r in disputed}


def _iri(parameter: tuple[Term, ...]) -> NamedNode:
    return parameter[0] if parameter and isinstance(parameter[0], NamedNode) else RDF_TYPE


def same(rows: list[Row], shapes: ShapesGraph, reference: rdflib.Graph) -> None:
    inferred = infer(SourceGraph.of([Triple(*row) for row in rows]))
    found, disputed = ours(inferred, shapes)
    assert found - disputed == theirs(inferred, reference) - disputed


def _key(result: ValidationResult) -> tuple[str, str, str, str, str]:
    path = str(result.path) if result.path else ""
    return str(result.focus), path, str(result.value or ""), result.component.value, str(result.shape)


def theirs(inferred: InferredGraph, shapes: rdflib.Graph) -> Found:
    data = graph_of(inferred.index, {})
    _, report, _ = pyshacl.validate(data, shacl_graph=shapes, inference="none", advanced=False)
    assert isinstance(report, rdflib.Graph)
    found: Found = set()
    for result in report.objects(None, RSH.result):
        path = report.value(result, RSH.resultPath)
        inverse = report.value(path, RSH.inversePath) if path is not None else None
        shown = f"^{inverse.n3()}" if inverse is not None else path.n3() if path is not None else ""
        value = report.value(result, RSH.value)
        found.add(
            (
                _n3(report.value(result, RSH.focusNode)),
                shown,
                _n3(value) if value is not None else "",
                str(report.value(result, RSH.sourceConstraintComponent)),
                _n3(report.value(result, RSH.sourceShape)),
            )
        )
    return found


def _n3(node: rdflib.term.Node | None) -> str:
    """As pyoxigraph prints terms: no shorthand, xsd:string left out."""
    if isinstance(node, rdflib.Literal):
        datatype = NamedNode(str(node.datatype)) if node.datatype else None
        return str(
            Literal(str(node), language=node.language) if node.language else Literal(str(node), datatype=datatype)
        )
    if isinstance(node, rdflib.BNode) and node.startswith("genid"):
        return f"<{bytes.fromhex(node.removeprefix('genid')).decode()}>"
    return node.n3() if isinstance(node, rdflib.term.Identifier) else ""


def _with_blank_nodes(shapes: ShapesGraph) -> rdflib.Graph:
    """The shapes for pySHACL, which knows paths and lists by their being blank: skolem IRIs turned back."""

    def blank(node: Term) -> Term:
        is_skolem = isinstance(node, NamedNode) and node.value.startswith(GENID)
        return BlankNode("genid" + node.value.encode().hex()) if is_skolem else node

    return graph_of([(blank(s), p, blank(o)) for s, p, o in shapes.rows], {})  # type: ignore[misc]


@pytest.fixture(scope="module")
def reference() -> rdflib.Graph:
    return _with_blank_nodes(shipped_shapes())


def _mutated(rows: list[Row], rng: random.Random) -> list[Row]:
    mutated = list(rows)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(mutated))
        subject, predicate, value = mutated[at]
        kind = rng.randrange(7)
        if kind == 0:
            del mutated[at]
        elif kind == 1 and isinstance(value, Literal):
            datatype = rng.choice(("string", "integer", "decimal", "dayTimeDuration", "boolean"))
            mutated[at] = (subject, predicate, Literal(value.value, datatype=NamedNode(XSD + datatype)))
        elif kind == 2 and isinstance(value, Literal) and value.value.isdigit():
            mutated[at] = (subject, predicate, Literal(-int(value.value)))
        elif kind == 3:
            mutated[at] = (subject, predicate, rng.choice(VALUES))
        elif kind == 4:
            mutated.append((subject, predicate, rng.choice(VALUES)))
        elif kind == 5:
            mutated[at] = (rng.choice(mutated)[0], predicate, value)
        else:
            other = rng.choice(mutated)
            mutated[at] = (subject, other[1], value) if predicate != RDF_TYPE else (subject, predicate, other[2])
    return [row for row in mutated if row[1] != RDF_TYPE or isinstance(row[2], NamedNode)]


@pytest.mark.parametrize("batch", range(8))
def test_mutated_configurations_have_the_results_pyshacl_finds(batch: int, reference: rdflib.Graph) -> None:
    rows = list(SourceGraph.parse(BASE).rows)
    shapes = shipped_shapes()
    for seed in range(batch * 20, batch * 20 + 20):
        mutated = _mutated(rows, random.Random(seed))
        same(mutated, shapes, reference)


def test_the_base_of_the_mutations_conforms() -> None:
    assert ours(infer(SourceGraph.parse(BASE)), shipped_shapes()) == (set(), set())


def test_generated_routes_conform() -> None:
    inferred = infer(SourceGraph.parse(routes_turtle(20)))
    assert validate_shapes(inferred.index, lambda: inferred.data, shipped_shapes()) == []


SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix ex: <https://example.com/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""

COMPONENTS = {
    "class": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:class ex:B ]",
    "datatype": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:datatype xsd:integer ]",
    "datatype of a node": "sh:targetObjectsOf ex:p ; sh:datatype xsd:integer",
    "nodeKind": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:nodeKind sh:IRI ]",
    "literal or iri": "sh:targetSubjectsOf ex:p ; sh:property [ sh:path ex:q ; sh:nodeKind sh:IRIOrLiteral ]",
    "counts": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:minCount 2 ; sh:maxCount 2 ]",
    "inclusive": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:minInclusive 1 ; sh:maxInclusive 5 ]",
    "exclusive": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:minExclusive 1 ; sh:maxExclusive 5.0 ]",
    "durations": 'sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:minInclusive "PT1S"^^xsd:dayTimeDuration ]',
    "moments": 'sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:maxExclusive "2026-01-01T00:00:00Z"^^xsd:dateTime ]',
    "lengths": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:minLength 2 ; sh:maxLength 3 ]",
    "pattern": 'sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:pattern "^X" ; sh:flags "i" ]',
    "in": 'sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:in ( "x" 5 ex:b true ) ]',
    "hasValue": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:hasValue 5 ]",
    "node": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:node [ sh:property [ sh:path ex:q ; sh:minCount 1 ] ] ]",
    "nested property": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:property [ sh:path ex:q ; sh:minCount 1 ] ]",
    "or": "sh:targetClass ex:A ; sh:or ( [ sh:property [ sh:path ex:p ; sh:minCount 2 ] ] [ sh:class ex:B ] )",
    "and": "sh:targetClass ex:A ; sh:and ( [ sh:property [ sh:path ex:p ; sh:minCount 1 ] ] [ sh:nodeKind sh:IRI ] )",
    "not": "sh:targetClass ex:A ; sh:not [ sh:property [ sh:path ex:q ; sh:minCount 1 ] ]",
    "xone": "sh:targetClass ex:A ; sh:xone ( [ sh:property [ sh:path ex:p ; sh:minCount 1 ] ] [ sh:class ex:B ] )",
    "lessThan": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:lessThan ex:q ]",
    "lessThanOrEquals": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:lessThanOrEquals ex:q ]",
    "disjoint": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:disjoint ex:q ]",
    "equals": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:equals ex:q ]",
    "closed": "sh:targetClass ex:A ; sh:closed true ; sh:ignoredProperties ( <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> ) ; "
    "sh:property [ sh:path ex:p ]",
    "inverse path": "sh:targetClass ex:B ; sh:property [ sh:path [ sh:inversePath ex:p ] ; sh:maxCount 1 ; sh:class ex:A ]",
    "target node": "sh:targetNode ex:a , ex:absent ; sh:property [ sh:path ex:p ; sh:maxCount 0 ]",
    "severity": "sh:targetClass ex:A ; sh:severity sh:Info ; sh:class ex:B",
    "deactivated": "sh:targetClass ex:A ; sh:deactivated true ; sh:class ex:B",
    "deactivated inner": "sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:deactivated true ; sh:maxCount 0 ]",
    "class as shape": "a rdfs:Class ; sh:property [ sh:path ex:p ; sh:maxCount 0 ]",
    "sparql": 'sh:targetClass ex:A ; sh:sparql [ sh:message "m" ; sh:select """SELECT $this ?value WHERE '
    '{ $this <https://example.com/p> ?value . FILTER(isLiteral(?value)) }""" ]',
    "sparql, path": 'sh:targetClass ex:A ; sh:property [ sh:path ex:p ; sh:sparql [ sh:select """SELECT $this ?value WHERE '
    '{ $this $PATH ?value . FILTER(isIRI(?value)) }""" ] ]',
    "sparql, absent": 'sh:targetClass ex:A ; sh:sparql [ sh:select """SELECT $this WHERE '
    '{ FILTER NOT EXISTS { $this <https://example.com/p> ?any } }""" ]',
    "sparql, counted": 'sh:targetClass ex:A ; sh:sparql [ sh:select """SELECT $this WHERE '
    '{ $this <https://example.com/p> ?v } GROUP BY $this HAVING (COUNT(?v) > 1)""" ]',
    "sparql, prefixes": 'sh:targetClass ex:A ; sh:sparql [ sh:prefixes ex: ; sh:select "SELECT $this WHERE { $this e:q ?v }" ] . '
    'ex: sh:declare [ sh:prefix "e" ; sh:namespace "https://example.com/"^^xsd:anyURI ]',
}

nodes = st.sampled_from([NamedNode(f"https://example.com/{name}") for name in ("a", "b", "c")])
objects = st.one_of(
    nodes,
    st.sampled_from(
        [
            Literal("x"),
            Literal("Xy"),
            Literal("long text"),
            Literal(5),
            Literal(1),
            Literal(7),
            Literal(True),
            Literal("5.0", datatype=NamedNode(XSD + "decimal")),
            Literal("4.5", datatype=NamedNode(XSD + "double")),
            Literal("PT0.5S", datatype=NamedNode(XSD + "dayTimeDuration")),
            Literal("PT2M", datatype=NamedNode(XSD + "dayTimeDuration")),
            Literal("2025-06-01T00:00:00Z", datatype=NamedNode(XSD + "dateTime")),
            Literal("2026-06-01T00:00:00+02:00", datatype=NamedNode(XSD + "dateTime")),
        ]
    ),
)
properties = st.sampled_from([NamedNode("https://example.com/p"), NamedNode("https://example.com/q")])
kinds = st.sampled_from([NamedNode("https://example.com/A"), NamedNode("https://example.com/B")])
data = st.lists(
    st.one_of(st.tuples(nodes, properties, objects), st.tuples(nodes, st.just(RDF_TYPE), kinds)), max_size=10
)


@pytest.mark.parametrize("name", COMPONENTS)
@settings(max_examples=12, deadline=None)
@given(data)
def test_component(name: str, rows: list[Row]) -> None:
    subject = "ex:A" if name == "class as shape" else "ex:Shape"
    text = f"{SHAPES}{subject} {'' if name == 'class as shape' else 'a sh:NodeShape ;'} {COMPONENTS[name]} ."
    shapes = ShapesGraph(SourceGraph.parse(text).rows)
    if name.startswith("sparql"):  # what a store answers is spelt as it spells it
        rows = [(s, p, Literal(canonical(o), datatype=o.datatype) if isinstance(o, Literal) else o) for s, p, o in rows]
    reference = _with_blank_nodes(shapes)
    same(rows, shapes, reference)


def test_results_carry_severity_and_message() -> None:
    shapes = ShapesGraph(
        SourceGraph.parse(
            SHAPES + 'ex:S sh:targetNode ex:a ; sh:class ex:B ; sh:severity sh:Warning ; sh:message "no B" .'
        ).rows
    )
    inferred = infer(SourceGraph.parse(configuration("ex:a ex:p 1 .")), Ontology.of([]), ())
    (result,) = validate_shapes(inferred.index, lambda: inferred.data, shapes)
    assert (result.severity, result.message, result.path) == (Severity.WARNING, "no B", None)
    assert result.parameter == (NamedNode("https://example.com/B"),)


def test_a_message_is_filled_in_from_the_row() -> None:
    query = 'sh:sparql [ sh:message "{$this} has {?value}" ; sh:select "SELECT $this ?value WHERE { $this <https://example.com/p> ?value }" ]'
    shapes = ShapesGraph(SourceGraph.parse(f"{SHAPES}ex:S sh:targetNode ex:a ; {query} .").rows)
    inferred = infer(SourceGraph.parse(configuration("ex:a ex:p 1 .")), Ontology.of([]), ())
    (result,) = validate_shapes(inferred.index, lambda: inferred.data, shapes)
    assert result.message == "https://example.com/a has 1"
