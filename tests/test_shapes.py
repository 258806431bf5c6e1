"""The shapes as people meet them: what they accept, what they refuse, and in which words.

Two engines have to say the same: pySHACL, the reference, and agw's own.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pyshacl
import pytest
from rdflib import BNode, Graph, Namespace, URIRef
from rdflib.namespace import RDF, RDFS
from rdflib.plugins.sparql import prepareQuery
from rdflib.plugins.sparql.sparql import Query
from rdflib.query import Result
from rdflib.term import Node

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import SourceGraph, check, infer
from tests.support.shape_cases import CASES, PREFIXES, Case

logging.getLogger("rdflib.term").setLevel(logging.CRITICAL)  # wrong lexical forms are what is tested here

SH = Namespace("http://www.w3.org/ns/shacl#")
Said = tuple[str, str]  # severity, message

PUBLISHED = f"""{PREFIXES}@prefix ex: <urn:published:> .
ex:gw a agw:ApiGateway ; agw:hasRoute ex:products .
ex:products a agw:Route ; agw:routePath "/api/v1/products" ; agw:httpMethod "GET" ; agw:hasBackendService ex:backend ;
    agw:hasRateLimiter ex:limiter ; agw:hasCircuitBreaker ex:cb ; agw:hasRetryPolicy ex:rp ; agw:hasLoadBalancer ex:lb ;
    agw:hasTrafficSplit ex:canary .
ex:limiter a agw:RateLimiter ; agw:requestsPerSecond 200 ; agw:burstSize 400 .
ex:throttle a agw:ThrottlingPolicy ; agw:requestsPerSecond 5 .
ex:cb a agw:CircuitBreaker ; agw:failureThreshold 5 ; agw:timeoutSeconds 30 .
ex:rp a agw:RetryPolicy ; agw:retryAttempts 3 ; agw:backoffMultiplier 2.0 .
ex:to a agw:Timeout ; agw:timeoutSeconds 5 .
ex:lb a agw:LoadBalancer .
ex:canary a agw:CanaryDeployment ; agw:weight 10 .
ex:backend a agw:BackendService ; agw:hasSidecar ex:sidecar ; agw:hasHealthCheck ex:hc , ex:live ;
    agw:hasMutualTLS ex:mtls ; agw:hasServiceMesh ex:mesh .
ex:mesh a agw:ServiceMesh ; agw:meshType "istio" . ex:sidecar a agw:Sidecar .
ex:mtls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:cert .
ex:cert a agw:Certificate ; agw:certificateExpiry "2027-01-01T00:00:00Z"^^xsd:dateTime ;
    agw:rotationPeriod "P30D"^^xsd:duration .
ex:hc a agw:HealthCheck ; agw:healthCheckInterval "PT10S"^^xsd:duration ; agw:healthCheckPath "/health" ;
    agw:successThreshold 1 ; agw:failureThresholdHealth 3 .
ex:live a agw:LivenessProbe . ex:he a agw:HealthEndpoint ; agw:healthCheckPath "/health" .
ex:span a agw:Span ; agw:traceId "a" ; agw:spanId "b" ; agw:parentSpanId "c" .
ex:tracing a agw:DistributedTracing ; agw:samplingRate 0.1 .
"""


@cache
def _folder(name: str) -> Graph:
    graph = Graph()
    for file in sorted((resources.ontology() if name == "ontology" else resources.shapes()).glob("*.ttl")):
        graph.parse(file)
    return graph


prepared = cache(prepareQuery)


class PreparingGraph(Graph):
    """Reads a query once. The reference engine asks the same one for each focus node, and reading it took half of all
    its time."""

    def query(self, query_object: str | Query, *arguments: Any, **options: Any) -> Result:
        """As rdflib's, which takes what `prepareQuery` made, too."""
        return super().query(
            prepared(query_object) if isinstance(query_object, str) else query_object, *arguments, **options
        )


def _validate(data: Graph) -> Iterator[tuple[Node, Said]]:
    """Each distinct sentence about each focus node."""
    data += _folder("ontology").triples((None, RDFS.subClassOf, None))
    _, report, _ = pyshacl.validate(data, shacl_graph=_folder("shapes"))
    seen = set()
    for result in report.objects(None, SH.result):
        focus = report.value(result, SH.focusNode)
        severity = str(report.value(result, SH.resultSeverity)).rpartition("#")[2]
        message = str(report.value(result, SH.resultMessage))
        row = (focus, report.value(result, SH.resultPath), report.value(result, SH.value), severity, message)
        if row not in seen:
            seen.add(row)
            yield focus, (severity, message)


def _graph(turtle: str, namespace: str) -> Graph:
    """`turtle` with its blank nodes named under `namespace`, so that many texts can share one graph."""
    parsed = Graph(bind_namespaces="none").parse(data=turtle, format="turtle")
    graph = PreparingGraph(bind_namespaces="none")
    for row in parsed:
        graph.add(tuple(URIRef(f"{namespace}_{term}") if isinstance(term, BNode) else term for term in row))
    return graph


BATCH = 120
"""Cases in one run of the reference engine: each run has to take in the shapes anew, and what a SPARQL constraint costs
grows with the graph."""


@cache
def _said(batch: int) -> dict[int | None, list[Said]]:
    """What is said about each case of a batch, each in a namespace of its own; None: about things of the ontology."""
    data = PreparingGraph()
    for number in range(batch * BATCH, min((batch + 1) * BATCH, len(CASES))):
        data += _graph(CASES[number].document(f"urn:case:{number}:"), f"urn:case:{number}:")
    sentences: dict[int | None, list[Said]] = defaultdict(list)
    for focus, sentence in _validate(data):
        sentences[int(str(focus).split(":")[2]) if str(focus).startswith("urn:case:") else None].append(sentence)
    return sentences


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_a_right_text_passes_and_a_wrong_one_is_told_what_to_write(number: int) -> None:
    case: Case = CASES[number]
    said = _said(number // BATCH)
    sentences = [*said[number], *(said[None] if "agw:Route agw:" in case.turtle else [])]
    _expect(case.violations, [message for severity, message in sentences if severity == "Violation"])
    _expect(case.warnings, [message for severity, message in sentences if severity == "Warning"])


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_agws_own_engine_says_the_same(case: Case) -> None:
    findings = check(infer(SourceGraph.parse(case.document("urn:case:")))).findings
    said = [(finding.severity, f"{finding.message} {finding.remedy}") for finding in findings]
    _expect(case.violations, [text for severity, text in said if severity is Severity.VIOLATION])
    _expect(case.warnings, [text for severity, text in said if severity is Severity.WARNING])
    assert not [finding for finding in findings if "hunter2" in repr(finding)], "a secret was repeated"


def _expect(parts: tuple[str, ...], messages: list[str]) -> None:
    left = list(messages)
    for part in parts:
        found = next((message for message in left if part in message), None)
        assert found, f"nobody says {part!r}: {messages}"
        left.remove(found)
    assert not left, f"said beyond what was expected: {left}"


def test_a_secret_is_never_repeated() -> None:
    said = [sentences for batch in range(-(-len(CASES) // BATCH)) for sentences in _said(batch).values()]
    assert not [message for sentences in said for _, message in sentences if "hunter2" in message]


def test_the_published_vocabulary_loads() -> None:
    sentences = [
        sentence
        for _, sentence in _validate(_graph(f"{PREFIXES}@prefix ex: <urn:published:> .{PUBLISHED}", "urn:published:"))
    ]
    assert [message for severity, message in sentences if severity == "Violation"] == []
    assert any("names no target" in message for severity, message in sentences if severity == "Warning")


def test_every_published_class_may_stand_alone() -> None:
    classes = [
        str(term).rpartition("#")[2]
        for term in _folder("ontology").subjects(RDF.type, URIRef("http://www.w3.org/2002/07/owl#Class"))
        if isinstance(term, URIRef)
    ]
    extended = {
        "Route",
        "PaymentRoute",
        "Listener",
        "HeaderMatch",
        "QueryParameterMatch",
        "Exemption",
        "ExternalAuthorization",
        "ServiceLevelObjective",
        "MetricsExport",
        "ChangeRight",
        "ClientCredentials",
        "RequestValidation",
        "CachePurge",
        "Expectation",
        "RedisStore",
        "CookieMatch",
        "CanaryStep",
        "Hedging",
        "Redirect",
    }  # routes need a path; the others are ours, and need what they are for
    text = f"{PREFIXES}@prefix ex: <urn:alone:> .\n" + "".join(
        f"ex:{name.lower()} a agw:{name} .\n" for name in classes if name not in extended
    )
    sentences = [sentence for _, sentence in _validate(_graph(text, "urn:alone:"))]
    assert [message for severity, message in sentences if severity == "Violation"] == []
