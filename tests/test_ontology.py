"""The ontology as a document: parseable, complete, documented term by term, and with the published meaning."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pyoxigraph
import pyshacl
import pytest
from rdflib import OWL, RDF, RDFS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection
from rdflib.namespace import SKOS

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE, ONTOLOGY

HERE = Path(__file__).parent / "support"
FILES = sorted(resources.ontology().glob("*.ttl"))
NS = Namespace(NAMESPACE)
XML_CATALOG = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}uri"

PUBLISHED_CLASSES = [
    "ApiGateway",
    "Route",
    "LoadBalancer",
    "RateLimiter",
    "ThrottlingPolicy",
    "CircuitBreaker",
    "RetryPolicy",
    "Timeout",
    "ServiceMesh",
    "Sidecar",
    "ControlPlane",
    "DataPlane",
    "VirtualService",
    "DestinationRule",
    "ServiceEntry",
    "Gateway",
    "MutualTLS",
    "Certificate",
    "CertificateAuthority",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "JWTAuthentication",
    "ApiKey",
    "OAuth2",
    "ServiceDiscovery",
    "ServiceRegistry",
    "HealthCheck",
    "HealthEndpoint",
    "LivenessProbe",
    "ReadinessProbe",
    "StartupProbe",
    "DistributedTracing",
    "TracingContext",
    "Span",
    "Metrics",
    "AccessLog",
    "AuditLog",
    "TrafficSplit",
    "CanaryDeployment",
    "BlueGreenDeployment",
    "TrafficMirroring",
    "RequestTransformation",
    "ResponseTransformation",
    "ApiVersion",
    "VersioningStrategy",
    "DeprecationPolicy",
    "BackwardCompatibility",
    "BackendService",
    "ServiceInstance",
    "UpstreamCluster",
    "ConnectionPool",
]

# property: subjects, value
PUBLISHED_PROPERTIES = {
    "routePath": ("Route", "string"),
    "httpMethod": ("Route", "string"),
    "requestsPerSecond": ("RateLimiter", "integer"),
    "burstSize": ("RateLimiter", "integer"),
    "failureThreshold": ("CircuitBreaker", "integer"),
    "timeoutSeconds": ("Timeout CircuitBreaker", "integer"),
    "retryAttempts": ("RetryPolicy", "integer"),
    "backoffMultiplier": ("RetryPolicy", "decimal"),
    "meshType": ("ServiceMesh", "string"),
    "mtlsMode": ("MutualTLS", "string"),
    "certificateExpiry": ("Certificate", "dateTime"),
    "rotationPeriod": ("Certificate", "duration"),
    "weight": ("TrafficSplit", "integer"),
    "healthCheckInterval": ("HealthCheck", "duration"),
    "healthCheckPath": ("HealthEndpoint HealthCheck", "string"),
    "successThreshold": ("HealthCheck", "integer"),
    "failureThresholdHealth": ("HealthCheck", "integer"),
    "traceId": ("Span", "string"),
    "spanId": ("Span", "string"),
    "parentSpanId": ("Span", "string"),
    "samplingRate": ("DistributedTracing", "decimal"),
    "hasRoute": ("ApiGateway", "Route"),
    "hasLoadBalancer": ("Route", "LoadBalancer"),
    "hasRateLimiter": ("Route", "RateLimiter"),
    "hasCircuitBreaker": ("Route", "CircuitBreaker"),
    "hasRetryPolicy": ("Route", "RetryPolicy"),
    "hasBackendService": ("Route", "BackendService"),
    "hasTrafficSplit": ("Route", "TrafficSplit"),
    "hasSidecar": ("BackendService", "Sidecar"),
    "hasHealthCheck": ("BackendService", "HealthCheck"),
    "hasMutualTLS": ("BackendService", "MutualTLS"),
    "hasServiceMesh": ("BackendService", "ServiceMesh"),
    "hasCertificate": ("MutualTLS", "Certificate"),
    "address": ("BackendService ServiceInstance", "string"),
    "hasInstance": ("BackendService", "ServiceInstance"),
    "instanceWeight": ("ServiceInstance", "integer"),
    "hostname": ("Route", "string"),
    "pathMatchType": ("Route", "string"),
    "priority": ("Route", "integer"),
    "hasTimeout": ("Route", "Timeout"),
    "halfOpenRequests": ("CircuitBreaker", "integer"),
    "initialDelayMs": ("RetryPolicy", "integer"),
    "targetService": ("TrafficSplit", "BackendService"),
    "balancingAlgorithm": ("LoadBalancer", "string"),
    "limitKey": ("RateLimiter", "string"),
    "hasAuthentication": ("Route ApiGateway", "JWTAuthentication ApiKey OAuth2"),
    "issuer": ("JWTAuthentication", "string"),
    "audience": ("JWTAuthentication", "string"),
    "jwksUri": ("JWTAuthentication", "string"),
    "hasListener": ("ApiGateway", "Listener"),
    "port": ("Listener", "integer"),
    "certificateFile": ("Certificate", "string"),
    "privateKeyRef": ("Certificate", "string"),
    "trustBundleFile": ("Certificate", "string"),
    "breakerState": ("CircuitBreaker", "string"),
    "healthState": ("ServiceInstance", "string"),
    "rejectedTotal": ("RateLimiter", "integer"),
    "requestTotal": ("Route", "integer"),
}


@cache
def _ontology() -> Graph:
    graph = Graph()
    for file in FILES:
        graph.parse(file)
    return graph


def _members(subject: URIRef, predicate: URIRef) -> set[str]:
    """Local names of a domain or range, out of its union when it is one."""
    graph = _ontology()
    named: set[str] = set()
    for value in graph.objects(subject, predicate):
        union = graph.value(value, OWL.unionOf) if isinstance(value, BNode) else None
        members = Collection(graph, union) if union is not None else [value]
        named |= {str(member).rpartition("#")[2] for member in members}
    return named


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_parses_alike_in_both_libraries_and_owns_its_terms(file: Path) -> None:
    graph = Graph().parse(file)
    with file.open("rb") as stream:
        assert len(list(pyoxigraph.parse(stream, format=pyoxigraph.RdfFormat.TURTLE))) == len(graph)
    iri = URIRef(ONTOLOGY if file.stem == "agw" else f"{ONTOLOGY}/{file.stem}")
    assert list(graph.subjects(RDF.type, OWL.Ontology)) == [iri]
    assert graph.value(iri, OWL.versionIRI) is not None
    assert set(graph.objects(None, RDFS.isDefinedBy)) <= {iri}


def test_the_ontology_imports_all_its_files_and_the_catalog_finds_them() -> None:
    stems = {file.stem for file in FILES} - {"agw"}
    assert {str(iri) for iri in _ontology().objects(URIRef(ONTOLOGY), OWL.imports)} == {
        f"{ONTOLOGY}/{s}" for s in stems
    }
    catalog = ElementTree.parse(resources.ontology() / "catalog-v001.xml")
    listed = {entry.get("name"): entry.get("uri") for entry in catalog.iter(XML_CATALOG)}
    assert listed == {ONTOLOGY: "agw.ttl"} | {f"{ONTOLOGY}/{stem}": f"{stem}.ttl" for stem in stems}


def test_every_term_owes_its_reader_label_comment_example_origin_and_role() -> None:
    shapes = Graph().parse(HERE / "ontology.ttl")
    conforms, _, text = pyshacl.validate(_ontology(), shacl_graph=shapes)
    assert conforms, text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_declares_what_it_speaks_of(file: Path) -> None:
    """OWL 2 DL asks it of each ontology (Structural Specification §5.8.2), and a file opened alone in Protégé needs it:
    what is not declared in it is guessed at."""
    graph = Graph().parse(file)
    spoken = {RDFS.domain, RDFS.range, RDFS.subClassOf, RDFS.subPropertyOf, RDF.first, OWL.inverseOf}
    terms = {t for s, p, o in graph if p in spoken for t in (s, o) if isinstance(t, URIRef) and t.startswith(NAMESPACE)}
    assert not {str(term) for term in terms if (term, RDF.type, None) not in graph}


def test_a_term_is_one_thing() -> None:
    graph = _ontology()
    for term in set(graph.subjects(RDFS.isDefinedBy)):
        assert len(set(graph.objects(term, RDF.type))) == 1, f"{term} is several kinds of things"


@pytest.mark.parametrize("name", PUBLISHED_CLASSES)
def test_a_published_class_is_a_class(name: str) -> None:
    assert (NS[name], RDF.type, OWL.Class) in _ontology()


@pytest.mark.parametrize("name", PUBLISHED_PROPERTIES)
def test_a_published_property_has_its_published_subjects_and_values(name: str) -> None:
    subjects, values = PUBLISHED_PROPERTIES[name]
    graph, prop = _ontology(), NS[name]
    assert set(subjects.split()) <= _members(prop, RDFS.domain)
    if values[0].isupper():
        assert (prop, RDF.type, OWL.ObjectProperty) in graph
        assert set(values.split()) <= _members(prop, RDFS.range)
    else:
        assert (prop, RDF.type, OWL.DatatypeProperty) in graph
        stated = {
            str(v).rpartition("#")[2]
            for p in (RDFS.range, URIRef("https://schema.org/rangeIncludes"))
            for v in graph.objects(prop, p)
        }
        assert values in stated


def test_examples_are_turtle_about_their_term() -> None:
    declared = {str(term).rpartition("#")[2] for term in _ontology().subjects(RDFS.isDefinedBy)}
    for term, example in _ontology().subject_objects(SKOS.example):
        name = str(term).rpartition("#")[2]
        text = f"@prefix agw: <{NAMESPACE}> .\n@prefix ex: <urn:ex:> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        assert list(pyoxigraph.parse(text + str(example), format=pyoxigraph.RdfFormat.TURTLE)), name
        used = set(re.findall(r"\bagw:(\w+)", str(example)))
        assert used <= declared, name
        # A property above others is shown by one of them.
        below = {str(p).rpartition("#")[2] for p in _ontology().subjects(RDFS.subPropertyOf, term)}
        assert name in used or below & used, name


def test_comments_name_only_terms_that_exist() -> None:
    declared = {str(term).rpartition("#")[2] for term in _ontology().subjects(RDFS.isDefinedBy)}
    for comment in _ontology().objects(None, RDFS.comment):
        assert isinstance(comment, Literal)
        assert set(re.findall(r"(?<!:)\bagw:([A-Za-z]\w*)", str(comment))) <= declared, comment


def test_what_stands_for_a_secret_is_below_secret_ref() -> None:
    below = {str(p) for p in _ontology().subjects(RDFS.subPropertyOf, URIRef(AGW.secretRef))}
    assert below == {
        AGW.privateKeyRef,
        AGW.keyHash,
        AGW.storePasswordRef,
        AGW.stickyCookieKeyRef,
        AGW.accountMacKeyRef,
        AGW.clientSecretRef,
        AGW.sessionKeyRef,
        AGW.formerSessionKeyRef,
        AGW.registryTokenRef,
    }
