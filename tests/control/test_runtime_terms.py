"""Every runtime term of the ontology is written by a running gateway within a second of what it tells of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from rdflib import Graph, Literal, URIRef

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, NAMESPACE
from tests.peers.backend import Backend, Call, backend, nobody
from tests.peers.client import Client
from tests.support.certs import new_authority
from tests.support.serving import Serving, turtle

LOGINS = dict.fromkeys(
    ("loggedInTotal", "loginFailedTotal", "sessionRefreshedTotal"),
    "logins at a real provider: tests/proxy/test_login.py",
)
EXCEPTIONS = LOGINS | dict.fromkeys(
    (
        "examinedAt", "uptimeSeconds", "connectState", "connectFault", "connectSeconds", "handshakeState",
        "handshakeFault", "expectedName", "peerName", "peerCertificateExpiry", "clockSkewSeconds",
        "certificateValidFrom", "chainFault", "probeFault", "shadowedBy", "slowTotal",
    ),
    "what an examination finds: tests/control/test_doctor.py",
) | dict.fromkeys(
    ("ManagedProxy", "servedRevision", "proxyRefusal"), "of Envoys: tests/control/xds/test_envoys.py"
) | dict.fromkeys(
    ("registrationState", "registeredAs", "registrationFault"), "of registries: tests/control/test_registration.py"
) | dict.fromkeys(
    ("spansExportedTotal", "spansDroppedTotal"), "sent a batch a second: tests/telemetry/test_spans.py"
) | dict.fromkeys(
    ("metricsSentTotal", "metricsUnsentTotal"), "sent to a collector: tests/control/test_metrics_export.py"
) | dict.fromkeys(
    (
        "answeredAt", "discoveredAt", "discoveredBy", "discoveredInstances", "discoveryFault", "discoveryState",
        "staleSince",
    ),
    "of registries: tests/control/test_discovery.py",
) | dict.fromkeys(
    ("RouteSource", "refusedObject", "routeSourceFault", "routeSourceState", "takenObjects"),
    "of clusters: tests/control/test_cluster_routes.py",
) | dict.fromkeys(
    ("intentionDeniedTotal", "intentionUnavailableTotal"), "of a Consul: tests/control/test_intentions.py"
)  # fmt: skip
"""Runtime terms that nothing below provokes, and why not."""

EX = "http://example.org/"
_STANDING = f"urn:agw:standing:availability:{quote(EX + 'slo', safe='')}:{quote(EX + 'broken', safe='')}"
_RATE = f"urn:agw:rate:PT1M:{quote(EX, safe='')}"
SECONDS = 1.0


async def well(_: Backend, call: Call) -> None:
    call.answer()


async def broken(_: Backend, call: Call) -> None:
    call.answer(500)


async def waits(here: Backend, call: Call) -> None:
    await here.gate.wait()
    call.answer()


async def forgets(_: Backend, call: Call) -> None:
    call.answer(200, b'{"active": false}')


async def issues(_: Backend, call: Call) -> None:
    call.answer(200, b'{"access_token": "t", "token_type": "Bearer", "expires_in": 600}')


async def keeps(here: Backend, call: Call) -> None:
    path = call.target
    if "slow" in path:
        await here.gate.wait()
    body = b"x" * 30_000 if "crammed" in path else b"hi"
    said = "no-cache" if "ask" in path else "max-age=0, stale-while-revalidate=60" if "stale" in path else "max-age=60"
    if call.fields.get("if-none-match"):
        call.answer(304, b"", f'Cache-Control: {said}\r\nETag: "v"\r\n')
    else:
        call.answer(200, body, f'Cache-Control: {said}\r\nETag: "v"\r\n')


async def first_waits(here: Backend, call: Call) -> None:
    if call.number == 1:
        await here.gate.wait()
    call.answer()


async def refuses(_: Backend, call: Call) -> None:
    call.answer(403)


UPGRADE = (
    b"GET /rooms HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def upgrades(here: Backend, call: Call) -> None:
    call.writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    await here.gate.wait()


BACKENDS = {
    "rooms": upgrades,
    "refusing": refuses,
    "well": well,
    "keeps": keeps,
    "broken": broken,
    "waits": waits,
    "busy": waits,
    "crowded": waits,
    "narrow": waits,
    "hedged": first_waits,
    "ill": broken,
    "judged": broken,
    "gone": nobody,
    "redis": nobody,
    "old": well,
    "server": forgets,
    "issues": issues,
    "new": broken,
}

CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasOverloadGuard ex:guard ; agw:hasAuditLog ex:audit ; agw:hasRoute ex:well , ex:broken , ex:busy , ex:narrow ,
    ex:crowded , ex:limited , ex:shadowed , ex:keyed , ex:shared , ex:breaking , ex:retried , ex:refusedRetry , ex:hedging ,
    ex:judgedRoute , ex:illRoute , ex:certified , ex:uncertified , ex:issued , ex:waiting , ex:closed , ex:slowed , ex:aborted , ex:cut , ex:paged , ex:packed , ex:described , ex:kept , ex:lent , ex:crammed , ex:changed , ex:leaving , ex:gone , ex:moved , ex:direct , ex:rewritten , ex:copied ,
    ex:copiedAway , ex:split , ex:secured , ex:ruled , ex:tried , ex:asked , ex:askedAgain , ex:askedInVain , ex:introspected , ex:lostIntrospection , ex:carried , ex:carriedInVain , ex:rooms , ex:costly .
ex:rooms a agw:Route ; agw:routePath "/rooms" ; agw:hasBackendService ex:roomsService ; agw:hasWebSocketPolicy ex:chat .
ex:chat a agw:WebSocketPolicy ; agw:maximumWebSockets 1 ; agw:webSocketIdleTimeout "PT0.8S"^^xsd:dayTimeDuration .
ex:carried a agw:Route ; agw:routePath "/carried" ; agw:hasBackendService ex:wellService ; agw:hasClientCredentials ex:asShop .
ex:asShop a agw:ClientCredentials ; agw:tokenEndpoint "http://127.0.0.1:@issues@/token" ; agw:clientId "shop" ;
    agw:clientSecretRef "env:AGW_TEST_CLIENT_SECRET" .
ex:carriedInVain a agw:Route ; agw:routePath "/carried-in-vain" ; agw:hasBackendService ex:wellService ;
    agw:hasClientCredentials ex:asNobody .
ex:asNobody a agw:ClientCredentials ; agw:tokenEndpoint "http://127.0.0.1:@broken@/token" ; agw:clientId "shop" ;
    agw:clientSecretRef "env:AGW_TEST_CLIENT_SECRET" .
ex:web a agw:Listener ; agw:port 8080 ; agw:maxConnectionsPerAddress 40 .
ex:audit a agw:AuditLog ; agw:auditFile "audit/gateway.jsonl" .
ex:guard a agw:OverloadGuard ; agw:maximumActiveRequests 6 ;
    agw:maximumLoopLag "PT60S"^^xsd:dayTimeDuration .
ex:well a agw:Route ; agw:routePath "/well" ; agw:hasBackendService ex:wellService .
ex:broken a agw:Route ; agw:routePath "/broken" ; agw:hasBackendService ex:brokenService .
ex:busy a agw:Route ; agw:routePath "/busy" ; agw:hasBackendService ex:busyService .
ex:limited a agw:Route ; agw:routePath "/limited" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:limit .
ex:limit a agw:RateLimiter ; agw:quota 1 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration .
ex:shadowed a agw:Route ; agw:routePath "/shadowed" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:shadow .
ex:shadow a agw:RateLimiter ; agw:quota 1 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ; agw:shadowMode true .
ex:costly a agw:Route ; agw:routePath "/costly" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:tokens .
ex:tokens a agw:RateLimiter ; agw:quota 9000000 ; agw:quotaCalendar "MONTH" ; agw:requestCostHeader "x-batch" ;
    agw:responseCostHeader "x-cost" .
ex:keyed a agw:Route ; agw:routePath "/keyed" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:keys .
ex:keys a agw:RateLimiter ; agw:quota 9 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ; agw:limitKey "header:x-who" ;
    agw:keyCapacity 64 .
ex:shared a agw:Route ; agw:routePath "/shared" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:together .
ex:together a agw:RateLimiter ; agw:quota 9 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ; agw:sharedThrough ex:redis ;
    agw:failureMode "LOCAL" .
ex:redis a agw:RedisStore ; agw:storeAddress "127.0.0.1:@redis@" .
ex:breaking a agw:Route ; agw:routePath "/breaking" ; agw:hasBackendService ex:brokenService ;
    agw:hasCircuitBreaker ex:breaker .
ex:breaker a agw:CircuitBreaker ; agw:failureThreshold 1 ; agw:openDuration "PT60S"^^xsd:dayTimeDuration .
ex:retried a agw:Route ; agw:routePath "/retried" ; agw:hasBackendService ex:brokenService ; agw:hasRetryPolicy ex:again .
ex:again a agw:RetryPolicy ; agw:retryAttempts 1 ; agw:retryOn "5xx" ; agw:retryBudgetMinimum 100 .
ex:refusedRetry a agw:Route ; agw:routePath "/refused-retry" ; agw:hasBackendService ex:illService ;
    agw:hasRetryPolicy ex:never .
ex:never a agw:RetryPolicy ; agw:retryAttempts 1 ; agw:retryOn "5xx" ; agw:retryBudgetPercent 0 ; agw:retryBudgetMinimum 0 .
ex:crowded a agw:Route ; agw:routePath "/crowded" ; agw:hasBackendService ex:crowdedService ;
    agw:hasAdaptiveConcurrency ex:bearable .
ex:bearable a agw:AdaptiveConcurrency ; agw:minimumConcurrency 1 ; agw:maximumConcurrency 1 .
ex:narrow a agw:Route ; agw:routePath "/narrow" ; agw:hasBackendService ex:narrowService .
ex:hedging a agw:Route ; agw:routePath "/hedged" ; agw:hasBackendService ex:hedgedService ; agw:hasHedging ex:hedge .
ex:hedge a agw:Hedging ; agw:hedgeDelay "PT0.05S"^^xsd:dayTimeDuration .
ex:judgedRoute a agw:Route ; agw:routePath "/judged" ; agw:hasBackendService ex:judgedService .
ex:illRoute a agw:Route ; agw:routePath "/ill" ; agw:hasBackendService ex:illService .
ex:issued a agw:Route ; agw:routePath "/issued" ; agw:hasBackendService ex:issuedService .
ex:issuedService a agw:BackendService ; agw:address "127.0.0.1:@well@" ; agw:hasMutualTLS ex:issuedMtls .
ex:issuedMtls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:issuedCertificate .
ex:issuedCertificate a agw:Certificate ; agw:issuedBy ex:house ; agw:certificateName "gateway.internal" .
ex:house a agw:CertificateAuthority ; agw:issuerFolder "house" .
ex:waiting a agw:Route ; agw:routePath "/waiting" ; agw:hasBackendService ex:waitingService .
ex:waitingService a agw:BackendService ; agw:address "127.0.0.1:@well@" ; agw:hasMutualTLS ex:waitingMtls .
ex:waitingMtls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:awaited .
ex:awaited a agw:Certificate ; agw:issuedBy ex:public ; agw:certificateName "gateway.example" .
ex:public a agw:CertificateAuthority ; agw:issuerKind "ACME" ; agw:issuerFolder "public" ;
    agw:directoryUrl "http://127.0.0.1:@gone@/dir" .
ex:certified a agw:Route ; agw:routePath "/certified" ; agw:hasBackendService ex:wellService ;
    agw:hasClientCertificatePolicy ex:callers .
ex:callers a agw:ClientCertificatePolicy .
ex:uncertified a agw:Route ; agw:routePath "/uncertified" ; agw:hasBackendService ex:wellService ;
    agw:hasClientCertificatePolicy ex:anyone .
ex:anyone a agw:ClientCertificatePolicy ; agw:clientCertificateMode "DISABLE" .
ex:closed a agw:Route ; agw:routePath "/closed" ; agw:hasBackendService ex:wellService ; agw:hasMaintenance ex:works .
ex:works a agw:MaintenanceMode ;
    agw:bypassedBy [ a agw:HeaderMatch ; agw:headerName "X-Tester" ; agw:headerValue "yes" ] .
ex:slowed a agw:Route ; agw:routePath "/slowed" ; agw:hasBackendService ex:wellService ; agw:hasFaultInjection ex:delay .
ex:delay a agw:FaultInjection ; agw:delayDuration "PT0.01S"^^xsd:dayTimeDuration .
ex:cut a agw:Route ; agw:routePath "/cut" ; agw:hasBackendService ex:wellService ; agw:hasFaultInjection ex:cutting .
ex:cutting a agw:FaultInjection ; agw:truncatePercent 100 ; agw:resetPercent 0 .
ex:aborted a agw:Route ; agw:routePath "/aborted" ; agw:hasBackendService ex:wellService ; agw:hasFaultInjection ex:abort .
ex:abort a agw:FaultInjection ; agw:abortStatus 503 ; agw:abortPercent 100 .
ex:ruled a agw:Route ; agw:routePath "/ruled" ; agw:hasBackendService ex:wellService ; agw:hasAuthorization ex:rules .
ex:rules a agw:AuthorizationPolicy ; agw:hasRule ex:readers .
ex:readers a agw:AuthorizationRule ; agw:onMethod "GET" .
ex:asked a agw:Route ; agw:routePath "/asked" ; agw:hasBackendService ex:wellService ; agw:hasExternalAuthorization ex:judge .
ex:judge a agw:ExternalAuthorization ; agw:authorizationService ex:wellService ; agw:authorizationFailureMode "CLOSED" ;
    agw:verdictLifetime "PT60S"^^xsd:dayTimeDuration ; agw:authorizationTimeout "PT10S"^^xsd:dayTimeDuration .
ex:askedAgain a agw:Route ; agw:routePath "/asked-again" ; agw:hasBackendService ex:wellService ;
    agw:hasExternalAuthorization ex:refuser .
ex:refuser a agw:ExternalAuthorization ; agw:authorizationService ex:refusingService ; agw:authorizationFailureMode "CLOSED" ;
    agw:authorizationTimeout "PT10S"^^xsd:dayTimeDuration .
ex:askedInVain a agw:Route ; agw:routePath "/asked-in-vain" ; agw:hasBackendService ex:wellService ;
    agw:hasExternalAuthorization ex:absent .
ex:absent a agw:ExternalAuthorization ; agw:authorizationService ex:goneService ; agw:authorizationFailureMode "CLOSED" .
ex:introspected a agw:Route ; agw:routePath "/introspected" ; agw:hasBackendService ex:wellService ; agw:hasAuthentication ex:tokens .
ex:tokens a agw:OAuth2 ; agw:introspectionEndpoint "http://127.0.0.1:@server@/introspect" ; agw:clientId "gateway" ;
    agw:clientSecretRef "env:AGW_TEST_CLIENT_SECRET" .
ex:lostIntrospection a agw:Route ; agw:routePath "/lost-introspection" ; agw:hasBackendService ex:wellService ; agw:hasAuthentication ex:lost .
ex:lost a agw:OAuth2 ; agw:introspectionEndpoint "http://127.0.0.1:@gone@/introspect" ; agw:clientId "gateway" ;
    agw:clientSecretRef "env:AGW_TEST_CLIENT_SECRET" .
ex:tried a agw:Route ; agw:routePath "/tried" ; agw:hasBackendService ex:wellService ; agw:hasAuthorization ex:trial .
ex:trial a agw:AuthorizationPolicy ; agw:enforcement "audit" .
ex:paged a agw:Route ; agw:routePath "/paged" ; agw:hasBackendService ex:wellService ; agw:hasCors ex:pages .
ex:pages a agw:CorsPolicy ; agw:allowedOrigin "https://a.example" .
ex:leaving a agw:Route ; agw:routePath "/leaving" ; agw:hasBackendService ex:wellService ; agw:hasDeprecationPolicy ex:farewell .
ex:farewell a agw:DeprecationPolicy .
ex:gone a agw:Route ; agw:routePath "/gone" ; agw:hasBackendService ex:wellService ; agw:hasDeprecationPolicy ex:end .
ex:end a agw:DeprecationPolicy ; agw:sunsetAt "2020-01-01T00:00:00Z"^^xsd:dateTime ; agw:afterSunset "REFUSE" .
ex:changed a agw:Route ; agw:routePath "/changed" ; agw:hasBackendService ex:wellService ; agw:hasRequestTransformation ex:change .
ex:change a agw:RequestTransformation ; agw:removesHeader "X-Debug" .
ex:kept a agw:Route ; agw:routePath "/kept" ; agw:hasBackendService ex:keepsService ; agw:hasCache ex:larder .
ex:larder a agw:Cache .
ex:lent a agw:Route ; agw:routePath "/lent" ; agw:hasBackendService ex:keepsService ; agw:hasCache ex:cupboard .
ex:cupboard a agw:Cache ; agw:sharedThrough ex:redis .
ex:crammed a agw:Route ; agw:routePath "/crammed" ; agw:pathMatchType "Prefix" ; agw:hasBackendService ex:keepsService ; agw:hasCache ex:small .
ex:small a agw:Cache ; agw:cacheBytes 65536 .
ex:packed a agw:Route ; agw:routePath "/packed" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "aaaaaaaaaaaaaaaaaaaaaaaa" ] ;
    agw:hasCompression ex:packing .
ex:packing a agw:Compression ; agw:minimumBytes 24 .
ex:described a agw:Route ; agw:routePath "/described/*" ; agw:hasBackendService ex:wellService ; agw:hasRequestValidation ex:asDescribed .
ex:asDescribed a agw:RequestValidation ; agw:descriptionFile "shop.json" .
ex:broken agw:hasServiceLevelObjective ex:slo .
ex:slo a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 .
ex:moved a agw:Route ; agw:routePath "/moved" ; agw:hasRedirect ex:redirect .
ex:redirect a agw:Redirect ; agw:redirectHost "new.example" .
ex:direct a agw:Route ; agw:routePath "/direct" ; agw:hasDirectResponse ex:answer .
ex:answer a agw:DirectResponse ; agw:responseBody "here" .
ex:rewritten a agw:Route ; agw:routePath "/rewritten" ; agw:hasBackendService ex:wellService ; agw:hasRewrite ex:rewrite .
ex:rewrite a agw:Rewrite ; agw:replaceFullPath "/other" .
ex:copied a agw:Route ; agw:routePath "/copied" ; agw:hasBackendService ex:wellService ; agw:hasTrafficMirroring ex:copies .
ex:copies a agw:TrafficMirroring ; agw:targetService ex:wellService ; agw:mirrorBodyBytes 4 .
ex:copiedAway a agw:Route ; agw:routePath "/copied-away" ; agw:hasBackendService ex:wellService ;
    agw:hasTrafficMirroring ex:lostCopies .
ex:lostCopies a agw:TrafficMirroring ; agw:targetService ex:goneService .
ex:split a agw:Route ; agw:routePath "/split" ; agw:hasTrafficSplit ex:stable , ex:canary .
ex:stable a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:oldService .
ex:canary a agw:CanaryDeployment ; agw:targetService ex:newService ; agw:hasCanaryStep ex:step ;
    agw:minimumStepRequests 5 ; agw:maximumErrorIncrease 0.1 .
ex:step a agw:CanaryStep ; agw:stepWeight 50 ; agw:stepDuration "PT60S"^^xsd:dayTimeDuration .
ex:secured a agw:Route ; agw:routePath "/secured" ; agw:hasBackendService ex:securedService .
ex:securedService a agw:BackendService ; agw:address "127.0.0.1:@well@" ; agw:hasMutualTLS ex:mtls .
ex:mtls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:certificate .
ex:certificate a agw:Certificate ; agw:certificateFile "gateway.pem" ; agw:privateKeyRef "file:gateway.key" ;
    agw:trustBundleFile "ca.pem" .
ex:narrowService agw:hasConnectionPool [ a agw:ConnectionPool ; agw:maxConnections 1 ; agw:maxPendingRequests 1 ] .
ex:illService agw:hasHealthCheck [ a agw:ReadinessProbe ; agw:healthCheckPath "/ready" ;
    agw:healthCheckInterval "PT0.2S"^^xsd:dayTimeDuration ; agw:failureThresholdHealth 1 ] .
ex:judgedService agw:hasOutlierDetection [ a agw:OutlierDetection ; agw:consecutiveErrors 1 ;
    agw:maximumEjectionPercent 100 ] ; agw:hasInstance ex:judgedOne , ex:judgedTwo .
ex:judgedOne a agw:ServiceInstance ; agw:address "127.0.0.1:@judged@" .
ex:judgedTwo a agw:ServiceInstance ; agw:address "127.0.0.1:@broken@" .
"""

Runtime = dict[tuple[str, str], list[str]]
Wanted = Callable[[list[str]], bool]


@dataclass
class Gateway:
    """A served configuration."""

    client: Client
    admin: str
    session: aiohttp.ClientSession
    backends: dict[str, Backend]
    held: list[asyncio.Task[object]] = field(default_factory=list)

    async def get(self, path: str, fields: str = "", **more: object) -> int:
        return (await self.client.ask(path, fields, **more)).status  # type: ignore[arg-type]

    async def hold(self, path: str, to: str, count: int = 1) -> None:
        """Requests that are under way from now on until `release`."""
        before = len(self.backends[to].calls)
        self.held += [asyncio.create_task(self.client.ask(path)) for _ in range(count)]
        await self.backends[to].asked(before + count)

    async def release(self) -> None:
        for each in self.backends.values():
            each.gate.set()
        await asyncio.gather(*self.held)
        self.held.clear()
        for each in self.backends.values():
            each.gate = asyncio.Event()

    async def runtime(self) -> Runtime:
        """The runtime graph, by subject and term."""
        query = f"SELECT ?s ?p ?o WHERE {{ GRAPH <{GRAPH_RUNTIME}> {{ ?s ?p ?o }} }}"
        headers = {"Accept": "application/sparql-results+json"}
        async with self.session.post(self.admin + "/sparql", data={"query": query}, headers=headers) as answer:
            document = json.loads(await answer.text())
        found: Runtime = {}
        for row in document["results"]["bindings"]:
            subject, term, value = (row[name]["value"] for name in "spo")
            found.setdefault((subject, term.rpartition("#")[2]), []).append(value)
        return found


def is_(value: str) -> Wanted:
    return lambda values: values == [value]


def least(number: float) -> Wanted:
    return lambda values: len(values) == 1 and float(values[0]) >= number


def some(values: list[str]) -> bool:
    return bool(values)


def above(values: list[str]) -> bool:
    return len(values) == 1 and float(values[0]) > 0


def none(values: list[str]) -> bool:
    return [float(value) for value in values] == [0.0]


async def _nothing(_: Gateway) -> None:
    pass


async def _pages(gateway: Gateway) -> None:
    asks = "Access-Control-Request-Method: GET\r\n"
    await gateway.get("/paged", f"Origin: https://a.example\r\n{asks}", method="OPTIONS")
    await gateway.get("/paged", f"Origin: https://b.example\r\n{asks}", method="OPTIONS")
    await gateway.get("/paged", "Origin: https://b.example\r\n")


def _asks(*paths: str, fields: str = "") -> Callable[[Gateway], Awaitable[None]]:
    async def act(gateway: Gateway) -> None:
        for path in paths:
            await gateway.get(path, fields)

    return act


async def _cut(gateway: Gateway) -> None:
    with contextlib.suppress(ConnectionError, EOFError):
        await gateway.get("/cut")


async def _kept(gateway: Gateway) -> None:
    for path in ("/kept", "/kept", "/kept?ask", "/kept?ask", "/kept?stale", "/kept?stale"):
        await gateway.get(path)
    await gateway.get("/kept", "Range: bytes=0-1,3-4\r\n")
    await gateway.hold("/kept?slow", "keeps")
    gateway.held.append(asyncio.create_task(gateway.client.ask("/kept?slow")))
    await asyncio.sleep(1.0)  # there is nothing to see of who waits
    await gateway.release()


async def _keys(gateway: Gateway) -> None:
    for number in range(64 * 4):
        await gateway.get("/keyed", f"X-Who: {number}\r\n")


async def _crowds_the_door(gateway: Gateway) -> None:
    held: list[asyncio.StreamWriter] = []
    try:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
            held.append(writer)
            writer.write(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            if (await reader.readline()).split()[1] == b"429":
                break
    finally:
        for writer in held:
            writer.close()


async def _rooms(gateway: Gateway) -> None:
    """One WebSocket is opened, another finds no place, and the first says nothing until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
    writer.write(UPGRADE)
    assert (await reader.readline()).split()[1] == b"101"
    other, another = await asyncio.open_connection("127.0.0.1", gateway.client.port)
    another.write(UPGRADE)
    assert (await other.readline()).split()[1] == b"503"
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            await reader.read()
    for each in (writer, another):
        each.close()


async def _busy(gateway: Gateway) -> None:
    await gateway.hold("/busy", "busy", 3)


async def _overloaded(gateway: Gateway) -> None:
    await gateway.hold("/busy", "busy", 6)
    async with asyncio.timeout(20):
        while await gateway.get("/well") != 503:
            await asyncio.sleep(0.02)


async def _crowded(gateway: Gateway) -> None:
    await gateway.hold("/crowded", "crowded")
    assert await gateway.get("/crowded") == 503


async def _narrow(gateway: Gateway) -> None:
    await gateway.hold("/narrow", "narrow")
    tasks = [asyncio.create_task(gateway.client.ask("/narrow")) for _ in range(2)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().status for task in done] == [503]
    gateway.held += waiting


async def _ruled(gateway: Gateway) -> None:
    assert await gateway.get("/ruled") == 200
    assert await gateway.get("/ruled", method="PUT") == 403
    assert await gateway.get("/tried") == 200


async def _ill(gateway: Gateway) -> None:
    await gateway.backends["ill"].asked(1)


async def _copied(gateway: Gateway) -> None:
    await gateway.get("/copied")
    await gateway.get("/copied", method="POST", body=b"too long to copy")


async def _unissued(gateway: Gateway) -> None:
    async with asyncio.timeout(30):
        while not (await gateway.runtime()).get((EX + "awaited", "renewalError")):
            await asyncio.sleep(0.1)


async def _canary(gateway: Gateway) -> None:
    async with asyncio.timeout(30):
        while len(gateway.backends["new"].calls) < 6 or len(gateway.backends["old"].calls) < 6:
            await gateway.get("/split")


@dataclass(frozen=True)
class Event:
    """Something happens, and then the graph says so."""

    name: str
    act: Callable[[Gateway], Awaitable[None]]
    says: tuple[tuple[str, str, Wanted], ...]


_DECISION = (
    *((term, some) for term in ("decidesOn", "decisionOutcome", "decisionReason", "weightBefore", "weightAfter")),
    *((f"{side}{what}", some) for side in ("canary", "stable") for what in ("Requests", "ErrorRate", "Latency")),
)
EVENTS = (
    Event(
        "it serves",
        _nothing,
        (
            ("gateway", "configurationRevision", some),
            ("gateway", "loadedAt", some),
            ("gateway", "workerCount", is_("1")),
            ("certificate", "certificateExpiry", some),
            ("certificate", "certificateDaysLeft", some),
            ("canary", "canaryPhase", is_("PROGRESSING")),
            ("canary", "currentStep", is_("1")),
            ("canary", "currentWeight", least(50)),
            ("guard", "overloadState", is_("CALM")),
            *(
                ("gateway", term, is_("0"))
                for term in ("http2Connections", "http2Streams", "http2RequestsTotal", "http2BrokenOffTotal")
            ),
            ("wellService", "healthState", some),
            *(("web", term, is_("0")) for term in ("turnedAwayFullTotal", "uncappedTotal", "handshakeFailedTotal")),
        ),
    ),
    Event(
        "an address has too many connections",
        _crowds_the_door,
        (
            ("web", "acceptedTotal", least(40)),
            ("web", "openConnections", some),
            ("web", "turnedAwayAddressTotal", least(1)),
        ),
    ),
    Event(
        "a request is served",
        _asks("/well"),
        (
            ("well", "requestTotal", least(1)),
            ("wellService", "attemptTotal", least(1)),
            ("well", "hasLiveRate", some),
            ("wellService", "hasLiveRate", some),
            ("gateway", "hasLiveRate", some),
            (_RATE + "well", "rateWindow", is_("PT1M")),
            (_RATE + "well", "requestRate", above),
            (_RATE + "well", "latencyP50", above),
            (_RATE + "well", "latencyP95", above),
            (_RATE + "well", "latencyP99", above),
        ),
    ),
    Event(
        "a backend fails",
        _asks("/broken"),
        (
            ("broken", "errorTotal", least(1)),
            ("brokenService", "attemptFailedTotal", least(1)),
            (_RATE + "broken", "errorShare", above),
            (_RATE + "brokenService", "errorShare", above),
            ("broken", "hasObjectiveStanding", some),
            (_STANDING, "ofObjective", is_(EX + "slo")),
            (_STANDING, "objectiveIndicator", is_("availability")),
            (_STANDING, "objectiveState", is_("MET")),  # one request is no news
            (_STANDING, "burnRate5m", least(99.9)),
            (_STANDING, "burnRate30m", least(99.9)),
            (_STANDING, "burnRate1h", least(99.9)),
            (_STANDING, "burnRate6h", least(99.9)),
            (_STANDING, "budgetLastsSeconds", above),
        ),
    ),
    Event(
        "requests are under way",
        _busy,
        (("busyService", "activeRequests", is_("3")), ("guard", "overloadPressure", least(0.4))),
    ),
    Event(
        "rules decide",
        _ruled,
        (
            ("rules", "allowedTotal", is_("1")),
            ("rules", "deniedTotal", is_("1")),
            ("readers", "matchedTotal", is_("1")),
            ("trial", "auditedTotal", is_("1")),
            ("audit", "recordedTotal", least(4)),
            ("audit", "droppedTotal", is_("0")),
            ("audit", "chainHead", some),
        ),
    ),
    Event(
        "a service is asked",
        _asks("/asked", "/asked", "/asked-again", "/asked-in-vain"),
        (
            ("judge", "externalAllowedTotal", is_("2")),
            ("judge", "externalRememberedTotal", is_("1")),
            ("refuser", "externalDeniedTotal", is_("1")),
            ("absent", "externalUnavailableTotal", is_("1")),
        ),
    ),
    Event(
        "tokens are asked about",
        _asks("/introspected", "/lost-introspection", fields="Authorization: Bearer nothing\r\n"),
        (
            ("tokens", "introspectedTotal", is_("1")),
            ("tokens", "inactiveTotal", is_("1")),
            ("lost", "introspectionFailedTotal", is_("1")),
        ),
    ),
    Event(
        "backends are shown tokens",
        _asks("/carried", "/carried-in-vain"),
        (
            ("asShop", "tokenState", is_("HELD")),
            ("asShop", "tokenExpiry", some),
            ("asShop", "tokenFetchedTotal", is_("1")),
            ("asShop", "tokenFetchFailedTotal", is_("0")),
            ("asShop", "tokenRefusedTotal", is_("0")),
            ("asNobody", "tokenState", is_("LOST")),
            ("asNobody", "tokenFault", some),
        ),
    ),
    Event(
        "a limit is reached",
        _asks("/limited", "/limited"),
        (
            ("limit", "admittedTotal", is_("1")),
            ("limit", "rejectedTotal", is_("1")),
            ("urn:agw:problem:quota-exceeded", "refusedTotal", is_("1")),
            ("urn:agw:problem:quota-exceeded", "responseFlag", is_("RL")),
            ("urn:agw:problem:quota-exceeded", "refusalMeaning", some),
            ("urn:agw:problem:quota-exceeded", "type", is_(NAMESPACE + "RefusalKind")),
        ),
    ),
    Event("a limit is tried out", _asks("/shadowed", "/shadowed"), (("shadow", "shadowedTotal", is_("1")),)),
    Event(
        "a cost is no number",
        _asks("/costly", fields="X-Batch: many\r\n"),
        (("tokens", "unreadableCostsTotal", is_("1")), ("tokens", "chargedTotal", is_("0"))),
    ),
    Event("there are more keys than room", _keys, (("keys", "evictedKeysTotal", least(1)),)),
    Event(
        "a shared store is away",
        _asks(*["/shared"] * 5),
        (("together", "fallbackTotal", least(1)), ("redis", "storeState", is_("AWAY"))),
    ),
    Event(
        "a cache goes on without its shared store",
        _asks("/lent"),
        (
            ("cupboard", "cacheStoreHitTotal", is_("0")),
            ("cupboard", "cacheStoreMissTotal", is_("0")),
            ("cupboard", "cacheStoreUnusableTotal", is_("0")),
            ("cupboard", "cacheStoreFailedTotal", is_("1")),
            ("cupboard", "cacheStoreWrittenTotal", is_("0")),
            ("cupboard", "cacheStoreRefusedTotal", is_("0")),
        ),
    ),
    Event(
        "a breaker opens",
        _asks("/breaking"),
        (("breaker", "breakerState", is_("OPEN")), ("breaker", "openedTotal", is_("1"))),
    ),
    Event("a request is tried again", _asks("/retried"), (("again", "retriedTotal", is_("1")),)),
    Event("the budget is used up", _asks("/refused-retry"), (("never", "retriesRefusedTotal", is_("1")),)),
    Event(
        "a concurrency limit is reached",
        _crowded,
        (
            ("bearable", "concurrencyLimit", is_("1")),
            ("bearable", "concurrencyInUse", is_("1")),
            ("bearable", "shedTotal", is_("1")),
        ),
    ),
    Event(
        "a pool is full",
        _narrow,
        (("narrowService", "pendingRequests", is_("1")), ("narrowService", "overflowTotal", is_("1"))),
    ),
    Event(
        "a request is hedged",
        _asks("/hedged"),
        (("hedge", "hedgedTotal", is_("1")), ("hedge", "hedgeWonTotal", is_("1"))),
    ),
    Event(
        "an instance is ejected",
        _asks("/judged"),
        (("judgedOne|judgedTwo", "ejectionsTotal", least(1)), ("judgedOne|judgedTwo", "ejectedUntil", some)),
    ),
    Event(
        "a probe fails",
        _ill,
        (
            ("illService", "healthState", is_("UNHEALTHY")),
            ("illService", "failingProbe", is_("readiness")),
            ("illService", "everHealthy", is_("false")),
        ),
    ),
    Event(
        "the house issues a certificate",
        _nothing,
        (
            ("issuedCertificate", "renewalState", is_("CURRENT")),
            ("issuedCertificate", "renewedTotal", is_("1")),
            ("issuedCertificate", "renewalDue", some),
            ("issuedCertificate", "certificateSubject", is_("CN=gateway.internal")),
            ("issuedCertificate", "certificateIssuer", is_("CN=agw certificate authority")),
            ("issuedCertificate", "certificateChain", is_("CN=gateway.internal <- CN=agw certificate authority")),
            ("issuedCertificate", "certificateFingerprint", some),
            ("issuedCertificate", "certificateAltName", is_("gateway.internal")),
            ("issuedCertificate", "certificateUser", is_("http://example.org/issuedService")),
        ),
    ),
    Event(
        "nobody issues another",
        _unissued,
        (
            ("awaited", "renewalState", is_("FAILING")),
            ("awaited", "renewalFailedTotal", least(1)),
            ("awaited", "renewalError", some),
        ),
    ),
    Event("one without a certificate calls", _asks("/certified"), (("callers", "certificateRefusedTotal", is_("1")),)),
    Event("where none is asked for", _asks("/uncertified"), (("anyone", "certificateAdmittedTotal", is_("1")),)),
    Event("it is closed", _asks("/closed"), (("works", "turnedAwayTotal", is_("1")),)),
    Event("somebody gets by", _asks("/closed", fields="X-Tester: yes\r\n"), (("works", "bypassedTotal", is_("1")),)),
    Event("a request is delayed", _asks("/slowed"), (("delay", "delayedTotal", is_("1")),)),
    Event(
        "an answer breaks off",
        _cut,
        (("cutting", "truncatedTotal", is_("1")), ("cutting", "resetTotal", is_("0"))),
    ),
    Event("a request is aborted", _asks("/aborted"), (("abort", "abortedTotal", is_("1")),)),
    Event(
        "pages call",
        _pages,
        (
            ("pages", "preflightAdmittedTotal", is_("1")),
            ("pages", "preflightRefusedTotal", is_("1")),
            ("pages", "foreignOriginTotal", is_("1")),
        ),
    ),
    Event(
        "an answer is compressed",
        _asks("/packed", fields="Accept-Encoding: gzip\r\n"),
        (
            ("packing", "compressedTotal", is_("1")),
            ("packing", "compressionInputBytes", is_("24")),
            ("packing", "compressionOutputBytes", least(1)),
        ),
    ),
    Event(
        "answers are kept",
        _kept,
        (
            ("larder", "cacheHitTotal", is_("1")),
            ("larder", "cacheMissTotal", least(4)),
            ("larder", "cacheStaleTotal", is_("1")),
            ("larder", "cacheRevalidatedTotal", least(1)),
            ("larder", "cacheStoredTotal", least(4)),
            ("larder", "cacheCollapsedTotal", is_("1")),
            ("larder", "cachePassedTotal", is_("1")),
            ("larder", "cacheEntries", is_("4")),
            ("larder", "cacheUsedBytes", above),
        ),
    ),
    Event(
        "a cache is full",
        _asks("/crammed/1", "/crammed/2", "/crammed/3"),
        (("small", "cacheEvictedTotal", is_("1")), ("small", "cacheEntries", is_("2"))),
    ),
    Event("a request is as described", _asks("/described/a"), (("asDescribed", "validTotal", is_("1")),)),
    Event("a request is not as described", _asks("/described/b"), (("asDescribed", "invalidTotal", is_("1")),)),
    Event("something deprecated is used", _asks("/leaving"), (("farewell", "deprecatedUseTotal", is_("1")),)),
    Event("something withdrawn is asked for", _asks("/gone"), (("end", "sunsetRefusedTotal", is_("1")),)),
    Event(
        "WebSockets come and go",
        _rooms,
        (
            ("chat", "openWebSockets", is_("0")),
            ("chat", "openedWebSocketsTotal", is_("1")),
            ("chat", "refusedWebSocketsTotal", is_("1")),
            ("chat", "timedOutWebSocketsTotal", is_("1")),
        ),
    ),
    Event("a request is changed", _asks("/changed"), (("change", "transformedTotal", is_("1")),)),
    Event("a request is redirected", _asks("/moved"), (("redirect", "redirectedTotal", is_("1")),)),
    Event("the gateway answers", _asks("/direct"), (("answer", "answeredTotal", is_("1")),)),
    Event("a request is rewritten", _asks("/rewritten"), (("rewrite", "rewrittenTotal", is_("1")),)),
    Event(
        "requests are copied",
        _copied,
        (("copies", "mirroredTotal", is_("1")), ("copies", "mirrorSkippedTotal", is_("1"))),
    ),
    Event("a copy is lost", _asks("/copied-away"), (("lostCopies", "mirrorFailedTotal", is_("1")),)),
    Event(
        "a canary is taken back",
        _canary,
        (
            ("stable", "servedTotal", least(6)),
            ("canary", "failedTotal", least(6)),
            ("canary", "latencyP95", some),
            ("canary", "canaryPhase", is_("ROLLED_BACK")),
            ("canary", "currentWeight", none),
            ("canary", "lastDecision", some),
            ("*", "type", lambda values: NAMESPACE + "CanaryDecision" in values),
            *(("*", term, wanted) for term, wanted in _DECISION),
        ),
    ),
    Event(
        "there is too much under way",
        _overloaded,
        (("guard", "overloadState", is_("SHEDDING")), ("guard", "shedTotal", least(1))),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("terms")
    issued = new_authority(folder).issue("gateway")
    async with contextlib.AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(backend(script)) for name, script in BACKENDS.items()}
        text = "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n" + CONFIGURATION
        for name, each in backends.items():
            text = text.replace(f"@{name}@", str(each.port))
            if name not in ("judged", "redis"):
                text += f'ex:{name}Service a agw:BackendService ; agw:address "127.0.0.1:{each.port}" .\n'
        text += "ex:judgedService a agw:BackendService .\n"
        text = text.replace('"gateway.pem"', f'"{issued.certificate_file.name}"')
        text = text.replace("file:gateway.key", f"file:{issued.key_file.name}")
        text = text.replace('"ca.pem"', f'"{issued.trust_bundle_file.name}"')
        (folder / "gateway.ttl").write_text(turtle(text))
        (folder / "shop.json").write_text('{"openapi": "3.1.0", "paths": {"/described/a": {"get": {}}}}')
        session = await stack.enter_async_context(aiohttp.ClientSession())
        served = Serving(
            str(folder / "gateway.ttl"),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--admin-port",
            "0",
            "--workers",
            "1",
            environment={"AGW_TEST_CLIENT_SECRET": "unknown to all"},
        )
        try:
            await asyncio.to_thread(served.ready)
            yield Gateway(Client(served.port), served.admin, session, backends)
        finally:
            await asyncio.to_thread(served.end)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
async def test_the_graph_says_so_within_a_second(gateway: Gateway, event: Event) -> None:
    try:
        await event.act(gateway)
        end = time.monotonic() + SECONDS
        while True:
            asked = time.monotonic()
            runtime = await gateway.runtime()
            missing = [said for said in event.says if not _said(runtime, *said)]
            if not missing or asked >= end:  # the last question was asked when the second was over, not before
                break
            await asyncio.sleep(max(0.0, min(0.1, end - time.monotonic())))
        assert [(subject, term, _values(runtime, subject, term)) for subject, term, _ in missing] == []
    finally:
        await gateway.release()


def _said(runtime: Runtime, subject: str, term: str, wanted: Wanted) -> bool:
    return wanted(_values(runtime, subject, term))


def _values(runtime: Runtime, subject: str, term: str) -> list[str]:
    """Of a subject; of any of several (``a|b``) the greatest; of all (``*``) everything."""
    if subject == "*":
        return [value for (_, name), values in runtime.items() if name == term for value in values]
    names = [name if name.startswith("urn:") else EX + name for name in subject.split("|")]
    found = [value for name in names for value in runtime.get((name, term), [])]
    return sorted(found)[-1:] if len(names) > 1 else found


def test_every_runtime_term_is_provoked_or_excepted() -> None:
    graph = Graph()
    for file in resources.ontology().glob("*.ttl"):
        graph.parse(file)
    role = URIRef(NAMESPACE + "termRole")
    terms = {str(term).rpartition("#")[2] for term in graph.subjects(role, Literal("runtime"))}
    said = {term for event in EVENTS for _, term, _ in event.says} | {
        "RefusalKind",
        "CanaryDecision",
        "LiveRate",
        "ObjectiveStanding",
    }
    assert terms - said == EXCEPTIONS.keys()
    assert said - terms == {"type"}
