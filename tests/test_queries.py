"""The queries people ask, and the rules that carry meaning, on configurations as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, QuerySolutions, QueryTriples, RdfFormat, Store

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.ontology import agw_ontology
from api_gateway_service_mesh.graph.rules import inherited
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE
from tests.support.shape_cases import PREFIXES

HEAD = PREFIXES + "@prefix ex: <urn:ex:> .\n"

# As published files are written: integers, plain strings, xsd:duration.
PUBLISHED = (
    HEAD
    + """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:products , ex:orders .
ex:products a agw:Route ; agw:routePath "/api/v1/products" ; agw:httpMethod "GET" ;
    agw:hasBackendService ex:productsService ; agw:hasRateLimiter ex:limiter ; agw:hasCircuitBreaker ex:breaker .
ex:orders a agw:Route ; agw:routePath "/api/v1/orders" ; agw:httpMethod "POST" ; agw:hasBackendService ex:ordersService .
ex:limiter a agw:RateLimiter ; agw:requestsPerSecond 200 ; agw:burstSize 400 .
ex:breaker a agw:CircuitBreaker ; agw:failureThreshold 5 ; agw:timeoutSeconds 30 .
ex:productsService a agw:BackendService ; agw:hasMutualTLS ex:strict ; agw:hasHealthCheck ex:check .
ex:ordersService a agw:BackendService ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "PERMISSIVE" ] .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" .
ex:check a agw:HealthCheck ; agw:healthCheckInterval "PT10S"^^xsd:duration ; agw:healthCheckPath "/health" ;
    agw:failureThresholdHealth 3 .
"""
)

ASKED = {
    "rate-limited-routes": "SELECT ?route ?path ?ratelimit WHERE { ?route a agw:Route ; agw:routePath ?path ; "
    "agw:hasRateLimiter ?rl . ?rl agw:requestsPerSecond ?ratelimit . }",
    "strict-mtls-services": "SELECT ?service ?mtlsMode WHERE { ?service agw:hasMutualTLS ?mtls . "
    '?mtls agw:mtlsMode ?mtlsMode . FILTER(?mtlsMode = "STRICT") }',
    "circuit-breakers": "SELECT ?route ?failureThreshold ?timeout WHERE { ?route agw:hasCircuitBreaker ?cb . "
    "?cb agw:failureThreshold ?failureThreshold ; agw:timeoutSeconds ?timeout . }",
    "health-checks": "SELECT ?service ?interval ?path ?failureThreshold WHERE { ?service agw:hasHealthCheck ?hc . "
    "?hc agw:healthCheckInterval ?interval ; agw:healthCheckPath ?path ; agw:failureThresholdHealth ?failureThreshold . }",
}

ANSWERED = {
    "rate-limited-routes": ["urn:ex:products", "/api/v1/products", "200"],
    "strict-mtls-services": ["urn:ex:productsService", "STRICT"],
    "circuit-breakers": ["urn:ex:products", "5", "30"],
    "health-checks": ["urn:ex:productsService", "PT10S", "/health", "3"],
}

LIVE = (
    HEAD
    + """
ex:edge a agw:RenderTarget ; rdfs:label "edge" ; agw:lacks agw:hasHedging ;
    agw:hasCapabilityNote [ agw:aboutTerm agw:hasHedging ; rdfs:comment "one try is enough" ] .
ex:products a agw:Route ; agw:routePath "/products" ; agw:httpMethod "GET" ; agw:hasBackendService ex:productsService ;
    agw:hasAuthentication ex:jwt ;
    agw:hasRateLimiter ex:limiter ; agw:hasCircuitBreaker ex:breaker ; agw:requestTotal 90 ; agw:errorTotal 4 .
ex:canary agw:canaryPhase "ROLLED_BACK" ; agw:currentStep 0 ; agw:currentWeight 0.0 ; agw:servedTotal 40 ;
    agw:failedTotal 9 ; agw:lastDecision ex:decision .
ex:decision agw:decisionOutcome "ROLLED_BACK" ; agw:decisionReason "error rate 0.2 is above 0.1" .
ex:orders a agw:Route ; agw:routePath "/orders" ; agw:requestTotal 10 ; agw:hasTrafficSplit ex:stable , ex:canary .
ex:orders agw:inVersion ex:v1 ; agw:hasDeprecationPolicy ex:farewell .
ex:v1 a agw:ApiVersion ; agw:versionName "1" .
ex:farewell a agw:DeprecationPolicy ; agw:sunsetAt "2030-01-01T00:00:00Z"^^xsd:dateTime .
ex:leave a agw:Exemption ; agw:exempts ex:orders ; agw:exemptsFrom agw:hasAuthentication ; agw:exemptionReason "probes" ;
    agw:exemptionOwner "platform" ; agw:validUntil "2027-03-31"^^xsd:date .
ex:stable a agw:TrafficSplit ; agw:weight 90 ; agw:targetService ex:productsService .
ex:canary a agw:TrafficSplit ; agw:weight 10 ; agw:targetService ex:next .
ex:limiter a agw:RateLimiter ; agw:requestsPerSecond 5 ; agw:rejectedTotal 17 ; agw:admittedTotal 50 .
ex:calm a agw:RateLimiter ; agw:rejectedTotal 1 ; agw:admittedTotal 5000 .
ex:tried a agw:RateLimiter ; agw:quota 9 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ; agw:limitKey "route" ;
    agw:rejectedTotal 0 ; agw:admittedTotal 80 ; agw:shadowedTotal 20 ; agw:evictedKeysTotal 3 ; agw:fallbackTotal 0 .
ex:bearable a agw:AdaptiveConcurrency ; agw:concurrencyLimit 42 ; agw:concurrencyInUse 7 ; agw:shedTotal 12 .
ex:guard a agw:OverloadGuard ; agw:overloadState "CALM" ; agw:overloadPressure 0.25 ; agw:shedTotal 0 .
<urn:agw:problem:rate-limited> a agw:RefusalKind ; agw:refusedTotal 18 ; agw:responseFlag "RL" ;
    agw:refusalMeaning "a rate limiter has no tokens left" .
ex:shelf a agw:Cache ; agw:cacheStoreFailedTotal 3 ; agw:cacheStoreRefusedTotal 0 ; agw:cacheStoreUnusableTotal 0 .
ex:breaker a agw:CircuitBreaker ; agw:breakerState "OPEN" ; agw:openedTotal 2 .
ex:closed a agw:CircuitBreaker ; agw:breakerState "CLOSED" ; agw:openedTotal 0 .
ex:productsService a agw:BackendService ; agw:hasInstance ex:one , ex:two .
ex:one a agw:ServiceInstance ; agw:address "one:80" ; agw:healthState "UNHEALTHY" ; agw:activeRequests 0 .
ex:two a agw:ServiceInstance ; agw:address "two:80" ; agw:healthState "HEALTHY" ; agw:activeRequests 3 ;
    agw:ejectedUntil "2026-01-01T00:00:30Z"^^xsd:dateTime ; agw:ejectionsTotal 2 .
ex:next a agw:BackendService ; agw:address "next:80" ; agw:healthState "UNKNOWN" .
ex:spare a agw:BackendService ; agw:address "spare:80" .
ex:old a agw:Certificate ; agw:certificateFile "old.pem" ; agw:certificateExpiry "2020-01-01T00:00:00Z"^^xsd:dateTime .
ex:fine a agw:Certificate ; agw:certificateFile "fine.pem" ; agw:certificateExpiry "2999-01-01T00:00:00Z"^^xsd:dateTime ;
    agw:certificateIssuer "CN=ca" ; agw:certificateChain "CN=fine <- CN=ca" ; agw:renewalState "FAILING" ;
    agw:renewalError "no answer" ; agw:renewalFailedTotal 3 .
ex:web a agw:Listener ; agw:hasCertificate ex:fine .
ex:gateway a agw:ApiGateway ; agw:configurationRevision "9f2c" ; agw:workerCount 2 .
ex:products agw:hasObjectiveStanding ex:ill .
ex:orders agw:hasObjectiveStanding ex:well .
ex:ill agw:ofObjective ex:slo ; agw:objectiveIndicator "availability" ; agw:objectiveState "FAST_BURN" ;
    agw:burnRate5m 20.0 ; agw:burnRate1h 16.04 ; agw:burnRate6h 3.0 ; agw:budgetLastsSeconds 180000 .
ex:well agw:ofObjective ex:slo ; agw:objectiveIndicator "latency" ; agw:objectiveState "MET" .
ex:products agw:hasLiveRate ex:minute , ex:five .
ex:minute a agw:LiveRate ; agw:rateWindow "PT1M"^^xsd:dayTimeDuration ; agw:requestRate 1.5 ; agw:errorShare 0.25 ;
    agw:latencyP50 0.01 ; agw:latencyP95 0.2 ; agw:latencyP99 0.4 .
ex:five a agw:LiveRate ; agw:rateWindow "PT5M"^^xsd:dayTimeDuration ; agw:requestRate 0.5 ; agw:errorShare 0.05 .
"""
)

SEEN = {
    ("report", "routes"): [
        ["urn:ex:orders", "/orders", None, None],
        ["urn:ex:products", "/products", "GET", None],
    ],
    ("report", "services"): [
        ["urn:ex:next", "next:80", "1"],
        ["urn:ex:productsService"],
        ["urn:ex:spare", "spare:80", "0"],
    ],
    ("report", "deprecated-routes"): [["urn:ex:orders", "/orders", "1", None, "2030-01-01T00:00:00Z", "10"]],
    ("report", "unused-services"): [["urn:ex:spare"]],
    ("report", "unprotected-routes"): [["urn:ex:orders", "/orders"]],
    ("report", "unauthenticated-routes"): [["urn:ex:orders", "/orders"]],
    ("report", "exemptions"): [
        ["urn:ex:leave", "urn:ex:orders", f"{NAMESPACE}hasAuthentication", "probes", "platform", "2027-03-31"]
    ],
    ("report", "splits"): [
        ["urn:ex:orders", "/orders", "90", "urn:ex:productsService"],
        ["urn:ex:orders", "/orders", "10", "urn:ex:next"],
    ],
    ("report", "policies"): [
        ["urn:ex:orders", "/orders", "traffic split", "urn:ex:canary"],
        ["urn:ex:orders", "/orders", "traffic split", "urn:ex:stable"],
        ["urn:ex:products", "/products", "circuit breaker", "urn:ex:breaker"],
        ["urn:ex:products", "/products", "rate limiter", "urn:ex:limiter"],
    ],
    ("report", "busiest-routes"): [
        ["urn:ex:products", "/products", "90", "4"],
        ["urn:ex:orders", "/orders", "10", None],
    ],
    ("report", "breakers-open"): [["urn:ex:breaker", "OPEN", "urn:ex:products", "/products", "2"]],
    ("report", "limiter-rejections"): [
        ["urn:ex:limiter", "17", "50", "5", "/products"],
        ["urn:ex:calm", "1", "5000", None, None],
        ["urn:ex:tried", "0", "80", None, None],
    ],
    ("report", "certificates"): [
        ["urn:ex:old", None, "old.pem", "2020-01-01T00:00:00Z", None, None, None, None],
        ["urn:ex:fine", "urn:ex:web", "fine.pem", "2999-01-01T00:00:00Z", "CN=ca", "CN=fine <- CN=ca", "FAILING", None],
    ],
    ("report", "endpoints"): [
        ["urn:ex:next", "urn:ex:next", "next:80", "UNKNOWN", None],
        ["urn:ex:productsService", "urn:ex:one", "one:80", "UNHEALTHY", "0"],
        ["urn:ex:productsService", "urn:ex:two", "two:80", "HEALTHY", "3"],
    ],
    ("report", "gateway"): [["urn:ex:gateway", "9f2c", None, "2"]],
    ("report", "canaries"): [
        ["urn:ex:canary", "ROLLED_BACK", "0", "0", "40", "9", "ROLLED_BACK", "error rate 0.2 is above 0.1"]
    ],
    ("doctor", "breaker-open"): [["urn:ex:products", "/products", "urn:ex:breaker", "OPEN", "urn:ex:productsService"]],
    ("report", "hot-limiters"): [
        ["urn:ex:limiter", "17", "50", None, None, None],
        ["urn:ex:calm", "1", "5000", None, None, None],
        ["urn:ex:tried", "0", "80", "20", "3", "0", "route"],
    ],
    ("report", "objectives"): [
        ["urn:ex:products", "urn:ex:slo", "availability", "FAST_BURN", "20", "16.04", "3", "180000"],
        ["urn:ex:orders", "urn:ex:slo", "latency", "MET", None, None, None, None],
    ],
    ("doctor", "objective-burning"): [
        ["urn:ex:products", "availability", "urn:ex:slo", "FAST_BURN", "16", "50", "error"]
    ],
    ("report", "slowest-routes"): [["urn:ex:products", "/products", "PT1M", "0.01", "0.2", "0.4"]],
    ("report", "unused-routes"): [],
    ("report", "unhit-limits"): [],
    ("report", "live-rates"): [["urn:ex:products", "/products", "1.5", "0.25", "0.01", "0.2", "0.4"]],
    ("report", "refusals"): [["rate-limited", "18", "RL", "a rate limiter has no tokens left"]],
    ("report", "load"): [
        ["urn:ex:bearable", "12", "42", "7", None, None],
        ["urn:ex:guard", "0", None, None, "CALM", "0.25"],
    ],
    ("doctor", "limiter-too-tight"): [
        ["urn:ex:tried", "20", "80", None, None],
        ["urn:ex:limiter", "17", "50", "5", None],
    ],
    ("doctor", "limiter-crowded"): [["urn:ex:tried", "3", "0", None, None, None]],
    ("doctor", "cache-store-failing"): [["urn:ex:shelf", "3", "0", "0", None, None]],
    ("doctor", "endpoints-unhealthy"): [["urn:ex:productsService", "urn:ex:one", "one:80", "1"]],
    ("doctor", "endpoints-ejected"): [["urn:ex:productsService", "urn:ex:two", "two:80", "2026-01-01T00:00:30Z", "2"]],
    ("report", "capabilities"): [["edge", f"{NAMESPACE}hasHedging", "no", "one try is enough"]],
    ("doctor", "certificates-failing"): [["urn:ex:fine", "no answer", "3"]],
    ("doctor", "certificates-expiring"): [["urn:ex:old", "2020-01-01T00:00:00Z", "old.pem"]],
}

Row = list[str | None]


def _rows(store: Store, query: str) -> list[Row]:
    answer = store.query(query, use_default_graph_as_union=True)
    assert isinstance(answer, QuerySolutions)
    return [[term.value if isinstance(term, (Literal, NamedNode)) else None for term in row] for row in answer]


def _text(kind: str, name: str) -> str:
    return (resources.queries(kind) / f"{name}.rq").read_text()


@pytest.mark.parametrize("name", ASKED)
def test_a_published_question_is_shipped_as_published_and_answers(name: str) -> None:
    lines = _text("report", name).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"PREFIX agw: <{AGW.Route[:-5]}>", ASKED[name]]
    store = infer(SourceGraph.parse(PUBLISHED)).store
    assert _rows(store, _text("report", name)) == [ANSWERED[name]]


@pytest.mark.parametrize(("kind", "name"), SEEN, ids=[f"{kind}/{name}" for kind, name in SEEN])
def test_a_question_is_answered_from_configuration_and_live_state(kind: str, name: str) -> None:
    store = Store()
    store.load(LIVE.encode(), format=RdfFormat.TURTLE)
    rows, wanted = _rows(store, _text(kind, name)), SEEN[kind, name]
    assert [row[: len(want)] for row, want in zip(rows, wanted, strict=True)] == wanted


def test_every_question_of_a_running_gateway_is_asked_above() -> None:
    asked = {*SEEN, *(("report", name) for name in ASKED)}
    shipped = {("report", file.stem) for file in resources.queries("report").glob("*.rq")}
    assert {(kind, name) for kind, name in asked if kind == "report"} == shipped


CLASSES = """
ex:Public rdfs:subClassOf agw:Route ; agw:{term} ex:general .
ex:Payments rdfs:subClassOf ex:Public ; agw:{term} ex:strict .
ex:Refunds rdfs:subClassOf ex:Payments .
ex:a a ex:Public . ex:b a ex:Payments . ex:c a ex:Refunds . ex:d a ex:Refunds ; agw:{term} ex:own . ex:e a agw:Route .
ex:f a ex:Payments , ex:Public .
"""
INHERITED = {
    (kind.value.removeprefix(NAMESPACE), policy.value.removeprefix(NAMESPACE)): None
    for policy, kinds in inherited(agw_ontology()).items()
    for kind in kinds
}


@pytest.mark.parametrize(("root", "term"), INHERITED)
def test_a_class_hands_its_policies_to_members_the_nearest_first(root: str, term: str) -> None:
    text = HEAD + CLASSES.format(term=term).replace("agw:Route", f"agw:{root}")
    index = infer(SourceGraph.parse(text)).index
    held = {
        name: {value.value for value in index.values(NamedNode(f"urn:ex:{name}"), NamedNode(getattr(AGW, term)))}
        for name in "abcdef"
    }
    general, strict, own = {"urn:ex:general"}, {"urn:ex:strict"}, {"urn:ex:own"}
    assert held == {"a": general, "b": strict, "c": strict, "d": own, "e": set(), "f": strict}


def test_two_unrelated_classes_both_hand_down_what_they_state() -> None:
    """Which a shape then refuses where only one is allowed, instead of choosing silently."""
    text = HEAD + (
        "ex:A rdfs:subClassOf agw:Route ; agw:hasTimeout ex:one . ex:B rdfs:subClassOf agw:Route ; agw:hasTimeout ex:two ."
        "ex:r a ex:A , ex:B ."
    )
    index = infer(SourceGraph.parse(text)).index
    assert len(set(index.values(NamedNode("urn:ex:r"), NamedNode(AGW.hasTimeout)))) == 2


def test_classes_that_contain_each_other_do_not_lose_what_they_state() -> None:
    text = (
        HEAD + "ex:A rdfs:subClassOf ex:B , agw:Route . ex:B rdfs:subClassOf ex:A ; agw:hasTimeout ex:t . ex:r a ex:A ."
    )
    index = infer(SourceGraph.parse(text)).index
    assert {value.value for value in index.values(NamedNode("urn:ex:r"), NamedNode(AGW.hasTimeout))} == {"urn:ex:t"}


@pytest.mark.parametrize("file", sorted(resources.queries("infer").glob("*.rq")), ids=lambda file: file.stem)
def test_a_rule_takes_nothing_from_the_root_class(file: Path) -> None:
    """agw:Route itself is the ontology's, not a class of somebody's routes."""
    store = Store()
    store.load((HEAD + "agw:Route agw:hasTimeout ex:t . ex:r a agw:Route .").encode(), format=RdfFormat.TURTLE)
    answer = store.query(file.read_text())
    assert isinstance(answer, QueryTriples)
    assert list(answer) == []
