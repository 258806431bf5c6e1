"""Every diagnosis is provoked on a real gateway: the finding comes, with its numbers, its lines, and its remedy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.diagnosis import BadDiagnosis, diagnoses, read_diagnosis
from api_gateway_service_mesh.control.doctor import diagnosed_files, render_findings
from api_gateway_service_mesh.graph import SourceGraph
from tests.peers.backend import Backend, Call, backend, nobody
from tests.support.certs import Issued, new_authority
from tests.support.serving import Serving, turtle

EX = "http://example.org/"


async def well(_: Backend, call: Call) -> None:
    call.answer()


async def late(_: Backend, call: Call) -> None:
    call.answer(fields="Date: Mon, 05 Jan 2026 10:00:00 GMT\r\n")


async def fifth_fails(_: Backend, call: Call) -> None:
    call.answer(500 if call.target == "/fail" else 200)


async def slow(_: Backend, call: Call) -> None:
    if call.method != "OPTIONS":
        await asyncio.sleep(3)
    call.answer()


async def ill(_: Backend, call: Call) -> None:
    call.answer(500)


async def turns_ill(here: Backend, call: Call) -> None:
    call.answer(500 if here.gate.is_set() else 200)


BACKENDS = {"well": well, "late": late, "flaky": fifth_fails, "slow": slow, "ill": ill, "turns": turns_ill, "gone": nobody,
            "judged": ill, "redis": nobody, "sidecar": nobody}  # fmt: skip

CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasServiceMesh ex:mesh ; agw:hasRoute ex:well , ex:shadowed , ex:unused , ex:flaky ,
    ex:slow , ex:gone , ex:ill , ex:turning , ex:tight , ex:crowded , ex:judged , ex:held .
ex:well a agw:Route ; agw:routePath "/well" ; agw:hasBackendService ex:wellService .
ex:shadowed a agw:Route ; agw:routePath "/well" ; agw:hasBackendService ex:wellService ; agw:priority -1 .
ex:unused a agw:Route ; agw:routePath "/unused" ; agw:hasBackendService ex:wellService .
ex:flaky a agw:Route ; agw:routePath "/fail" ; agw:hasBackendService ex:flakyService ; agw:hasCircuitBreaker ex:hasty .
ex:fine a agw:Route ; agw:routePath "/fine" ; agw:hasBackendService ex:flakyService .
ex:hasty a agw:CircuitBreaker ; agw:failureThreshold 1 ; agw:openDuration "PT60S"^^xsd:dayTimeDuration .
ex:slow a agw:Route ; agw:routePath "/slow" ; agw:hasBackendService ex:slowService ; agw:hasCircuitBreaker ex:timed ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 1 ] .
ex:timed a agw:CircuitBreaker ; agw:failureThreshold 1 ; agw:openDuration "PT60S"^^xsd:dayTimeDuration .
ex:gone a agw:Route ; agw:routePath "/gone" ; agw:hasBackendService ex:goneService ; agw:hasCircuitBreaker ex:vain .
ex:vain a agw:CircuitBreaker ; agw:failureThreshold 2 ; agw:openDuration "PT60S"^^xsd:dayTimeDuration .
ex:ill a agw:Route ; agw:routePath "/ill" ; agw:hasBackendService ex:illService ; agw:hasCircuitBreaker ex:sick .
ex:sick a agw:CircuitBreaker ; agw:failureThreshold 1 ; agw:openDuration "PT60S"^^xsd:dayTimeDuration .
ex:turning a agw:Route ; agw:routePath "/turning" ; agw:hasBackendService ex:turnsService .
ex:illService agw:hasHealthCheck ex:illCheck .
ex:illCheck a agw:HealthCheck ; agw:healthCheckPath "/ready" ; agw:failureThresholdHealth 1 ;
    agw:healthCheckInterval "PT0.2S"^^xsd:dayTimeDuration .
ex:turnsService agw:hasHealthCheck [ a agw:HealthCheck ; agw:healthCheckPath "/ready" ; agw:failureThresholdHealth 1 ;
    agw:successThreshold 1 ; agw:healthCheckInterval "PT0.2S"^^xsd:dayTimeDuration ] .
ex:tight a agw:Route ; agw:routePath "/tight" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:narrow .
ex:narrow a agw:RateLimiter ; agw:requestsPerSecond 20 ; agw:burstSize 2 .
ex:crowded a agw:Route ; agw:routePath "/crowded" ; agw:hasBackendService ex:wellService ; agw:hasRateLimiter ex:keys .
ex:keys a agw:RateLimiter ; agw:quota 9 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ; agw:sharedThrough ex:redis ;
    agw:failureMode "LOCAL" .
ex:redis a agw:RedisStore ; agw:storeAddress "127.0.0.1:@redis@" .
ex:lent a agw:Route ; agw:routePath "/lent" ; agw:hasBackendService ex:wellService ; agw:hasCache ex:cupboard .
ex:cupboard a agw:Cache ; agw:sharedThrough ex:redis .
ex:judged a agw:Route ; agw:routePath "/judged" ; agw:hasBackendService ex:judgedService .
ex:judgedService a agw:BackendService ; agw:hasInstance ex:judgedOne , ex:judgedTwo ;
    agw:hasOutlierDetection [ a agw:OutlierDetection ; agw:consecutiveErrors 1 ; agw:maximumEjectionPercent 100 ] .
ex:judgedOne a agw:ServiceInstance ; agw:address "127.0.0.1:@judged@" .
ex:judgedTwo a agw:ServiceInstance ; agw:address "127.0.0.1:@judged@" .
ex:held a agw:Route ; agw:routePath "/held" ; agw:hasBackendService ex:illService ; agw:hasServiceLevelObjective ex:slo .
ex:slo a agw:ServiceLevelObjective ; agw:availabilityTarget 0.999 .
ex:mesh a agw:ServiceMesh ; agw:meshType "istio" ; agw:sidecarPort @sidecar@ .
ex:lateService agw:hasServiceMesh ex:mesh .
ex:kept a agw:Route ; agw:routePath "/kept" ; agw:hasBackendService ex:keptService .
ex:keptService a agw:BackendService ; agw:address "127.0.0.1:@well@" ; agw:hasMutualTLS ex:strict .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" .
ex:awaiting a agw:Route ; agw:routePath "/awaiting" ; agw:hasBackendService ex:awaitingService .
ex:awaitingService a agw:BackendService ; agw:address "127.0.0.1:@well@" ; agw:hasMutualTLS ex:awaitingTls .
ex:awaitingTls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:awaited .
ex:awaited a agw:Certificate ; agw:issuedBy ex:public ; agw:certificateName "gateway.example" .
ex:public a agw:CertificateAuthority ; agw:issuerKind "ACME" ; agw:issuerFolder "public" ;
    agw:directoryUrl "http://127.0.0.1:@gone@/dir" .
"""
SECURED = """
ex:{name} a agw:Route ; agw:routePath "/{name}" ; agw:hasBackendService ex:{name}Service .
ex:{name}Service a agw:BackendService ; agw:address "127.0.0.1:{port}" ; agw:hasMutualTLS ex:{name}Tls .
ex:{name}Tls a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:{name}Certificate .
ex:{name}Certificate a agw:Certificate ; agw:certificateFile "{shown}.pem" ; agw:privateKeyRef "file:{shown}-key.pem" ;
    agw:trustBundleFile "ours-ca.pem" .
"""


@contextlib.asynccontextmanager
async def secured(certificate: Issued, *, wants: Path | None = None) -> AsyncIterator[int]:
    """A TLS server that shows `certificate`, and accepts clients whom `wants` vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    if wants is not None:
        context.load_verify_locations(wants)
        context.verify_mode = ssl.CERT_REQUIRED
    made = Backend(well)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Case:
    gateway: Serving
    backends: dict[str, Backend]
    found: dict[str, list[dict[str, Any]]]
    session: aiohttp.ClientSession

    async def doctor(self, query: str = "", accept: str = "application/json") -> str:
        async with self.session.get(f"{self.gateway.admin}/doctor{query}", headers={"Accept": accept}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def case(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Case]:
    folder = tmp_path_factory.mktemp("doctor")
    ours, theirs = new_authority(folder, "ours"), new_authority(folder, "theirs")
    ours.issue("client", lasts=timedelta(days=25))
    ours.issue("ending", lasts=timedelta(days=3))
    ours.issue("future", starts=timedelta(days=1), lasts=timedelta(days=25))
    broken = ours.issue("broken", lasts=timedelta(days=25))
    broken.certificate_file.write_bytes(broken.certificate_pem + theirs.bundle.read_bytes())
    good = ours.issue("server")
    async with contextlib.AsyncExitStack() as stack:
        backends = {name: await stack.enter_async_context(backend(script)) for name, script in BACKENDS.items()}
        tls = {
            "expired": await stack.enter_async_context(secured(ours.expired())),
            "foreign": await stack.enter_async_context(secured(theirs.issue("foreign"))),
            "other": await stack.enter_async_context(secured(ours.issue("other", names=("ledger.internal",)))),
            "choosy": await stack.enter_async_context(secured(good, wants=theirs.bundle)),
            "future": await stack.enter_async_context(secured(good)),
            "broken": await stack.enter_async_context(secured(good)),
            "ending": await stack.enter_async_context(secured(good)),
        }
        text = CONFIGURATION.replace("xsd:dayTimeDuration", "<http://www.w3.org/2001/XMLSchema#dayTimeDuration>")
        for name, made in backends.items():
            text = text.replace(f"@{name}@", str(made.port))
            if f"ex:{name}Service a " not in text and name not in ("redis", "sidecar"):
                text += f'ex:{name}Service a agw:BackendService ; agw:address "127.0.0.1:{made.port}" .\n'
        for name, port in tls.items():
            shown = name if name in ("future", "broken", "ending") else "client"
            text += SECURED.format(name=name, port=port, shown=shown)
        (folder / "gateway.ttl").write_text(turtle(text))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        served = Serving(str(folder / "gateway.ttl"), "--host", "127.0.0.1", "--port", "0", "--admin-port", "0", "--workers", "1")  # fmt: skip
        try:
            await asyncio.to_thread(served.ready)
            made_case = Case(served, backends, {}, session)
            await provoke(made_case)
            yield made_case
        finally:
            await asyncio.to_thread(served.end)


async def provoke(case: Case) -> None:

    async def ask(path: str) -> int:
        async with case.session.get(case.gateway.url + path) as answer:
            await answer.read()
            return answer.status

    for _ in range(100):
        await ask("/well")
    for path, count in {"/fine": 12, "/fail": 2, "/slow": 2, "/gone": 3, "/ill": 2, "/tight": 30, "/crowded": 3, "/lent": 2, "/judged": 4, "/held": 12}.items():  # fmt: skip
        for _ in range(count):
            await ask(path)
    turns = case.backends["turns"]
    await turns.asked(2)
    turns.gate.set()
    await turns.asked(len(turns.calls) + 3)
    async with asyncio.timeout(30):  # probes have their own rhythm
        while not {"endpoints-unhealthy", "breaker-unhealthy", "certificates-failing"} <= set(case.found):
            found = json.loads(await case.doctor())
            assert found["failed"] == []
            case.found = {}
            for one in found["findings"]:
                case.found.setdefault(one["diagnosis"], []).append(one)


# Diagnosis: what is ill, some evidence, and an edit's property (None: none).
SEEN: dict[str, tuple[set[str], dict[str, str], str | None]] = {
    "breaker-open": ({"hasty", "timed", "vain", "sick"}, {"state": "OPEN", "opened": "1"}, None),
    "breaker-threshold": ({"hasty"}, {"attempts": "13", "failed": "1", "threshold": "1"}, "agw:failureThreshold 5"),
    "breaker-timeouts": ({"timed"}, {"limit": "1", "requests": "2"}, "agw:timeoutSeconds 2"),
    "breaker-unhealthy": ({"sick"}, {"health": "UNHEALTHY", "checked": "/ready"}, None),
    "breaker-unreachable": ({"vain"}, {"connection": "REFUSED"}, None),
    "cache-store-failing": ({"cupboard"}, {"failed": "2"}, None),
    "certificate-chain": ({"brokenCertificate"}, {}, None),
    "certificate-not-yet-valid": ({"futureCertificate"}, {}, None),
    "certificates-failing": ({"awaited"}, {}, None),
    "certificates-expiring": ({"endingCertificate"}, {"left": "less than 14 days"}, None),
    "clock-skew": ({"lateService"}, {}, None),
    "endpoints-ejected": ({"judgedOne", "judgedTwo"}, {"times": "1"}, None),
    "endpoints-never-healthy": ({"illService"}, {"state": "UNHEALTHY"}, None),
    "endpoints-unhealthy": ({"turnsService"}, {"left": "0"}, None),
    "endpoints-unreachable": ({"goneService"}, {"connection": "REFUSED"}, None),
    "handshake-chain": ({"foreignService"}, {"handshake": "UNKNOWN_AUTHORITY", "mode": "STRICT"}, None),
    "handshake-name": ({"otherService"}, {"expected": "127.0.0.1", "names": "ledger.internal"}, 'agw:serverName "ledger.internal"'),
    "handshake-refused": ({"choosyService"}, {"handshake": "REFUSED"}, None),
    "handshake-validity": ({"expiredService"}, {"handshake": "EXPIRED"}, None),
    "limiter-burst": ({"narrow"}, {"rate": "20", "burst": "2", "wanted": "4"}, "agw:burstSize 4"),
    "limiter-crowded": ({"keys"}, {"fallbacks": "3"}, None),
    "limiter-per-client": ({"narrow"}, {"wanted": "client-address"}, 'agw:limitKey "client-address"'),
    "limiter-too-tight": ({"narrow"}, {"rate": "20"}, None),
    "mtls-nobody-carries": ({"keptService"}, {}, None),
    "objective-burning": ({"held"}, {"indicator": "availability", "state": "FAST_BURN", "burn": "1000"}, None),
    "routes-dead": ({"shadowed"}, {"path": "/well"}, None),
    "routes-unused": ({"unused"}, {"path": "/unused"}, None),
    "sidecar-unreachable": ({"mesh"}, {"connection": "REFUSED"}, None),
}  # fmt: skip


ELSEWHERE = {"cluster-routes-refused", "cluster-routes-stale", "discovery-stale", "registration-lost"}
"""Provoked where there is a registry that can fail: test_discovery.py, test_registration.py, test_cluster_routes.py."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [diagnosis.name for diagnosis in diagnoses() if diagnosis.name not in ELSEWHERE])
async def test_it_is_found_with_evidence_and_remedy(case: Case, name: str) -> None:
    about, evidence, edit = SEEN[name]
    found = case.found.get(name, [])
    assert about & {str(one["about"]).removeprefix(EX) for one in found}, sorted(case.found)
    one = next(each for each in found if str(each["about"]).removeprefix(EX) in about)
    assert evidence.items() <= one["evidence"].items()
    assert "(unknown)" not in one["message"] and one["remedy"] and "{" not in one["message"] + one["remedy"]
    assert one["triples"] == [] or any("gateway.ttl:" in str(triple["at"]) for triple in one["triples"])
    assert (edit in one["edit"]) if edit else one["edit"] is None


@pytest.mark.asyncio(loop_scope="module")
async def test_it_is_told_to_people_and_kept_in_the_graph(case: Case) -> None:
    told = await case.doctor("?name=breaker-threshold&connect=false", "text/plain")
    assert told.startswith("revision 1\nwarning[breaker-threshold]: The circuit breaker ex:hasty opened 1 time, though")
    assert "  = triple: ex:hasty agw:failureThreshold 1  " in told and "gateway.ttl:" in told
    assert "      ex:hasty a agw:CircuitBreaker ;" in told and told.endswith("1 question asked: 1 warning\n")
    ask = {"query": "ASK { ?gateway agw:examinedAt ?at . ?one agw:connectState 'REFUSED' ; agw:connectFault ?why }"}
    async with case.session.post(case.gateway.admin + "/sparql", data=ask, headers={"Accept": "text/csv"}) as answer:
        assert (await answer.text()).strip().endswith("true"), await answer.text()
    async with case.session.get(case.gateway.admin + "/doctor?name=nothing") as answer:
        assert answer.status == 400 and "breaker-open" in await answer.text()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_edit_can_be_applied_as_it_is(case: Case, tmp_path: Path) -> None:
    """Also one of a policy that stands in brackets: then it is all of the route that holds it."""
    edits = [case.found[name][0]["edit"] for name in ("breaker-timeouts", "limiter-burst")]
    assert edits[0].splitlines()[-1].startswith("    ") and "ex:slow a agw:Route" in edits[0]
    (tmp_path / "all.ttl").write_text("\n".join(edits))
    made = SourceGraph.load([tmp_path / "all.ttl"])
    assert {"2", "4", "20"} <= {str(getattr(row[2], "value", "")) for row in made.rows}


def test_files_are_examined_without_being_served(tmp_path: Path) -> None:
    text = """
    ex:one a agw:Route ; agw:routePath "/one" ; agw:hasBackendService ex:service .
    ex:two a agw:Route ; agw:routePath "/one" ; agw:hasBackendService ex:service ; agw:priority -1 .
    ex:service a agw:BackendService ; agw:address "127.0.0.1:%d" .
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (tmp_path / "g.ttl").write_text(turtle(text % taken.getsockname()[1]))
        built = build(SourceGraph.load([tmp_path / "g.ttl"]))
        quiet = asyncio.run(diagnosed_files(built, diagnoses(), connect=False))
        tried = asyncio.run(diagnosed_files(built, diagnoses(), connect=True))
    assert [one["diagnosis"] for one in quiet["findings"]] == ["routes-dead"]
    assert {one["diagnosis"] for one in tried["findings"]} == {"routes-dead", "endpoints-unreachable"}
    assert "error[endpoints-unreachable]: ex:service of ex:service cannot be connected to" in render_findings(tried)


def test_a_file_more_is_a_diagnosis_more(tmp_path: Path) -> None:
    (tmp_path / "owner.rq").write_text(
        "# name: owner\n# question: Who owns it?\n# severity: info\n# about: route\n# finding: {route} is of nobody.\n"
        "# cites: route agw:routePath\nSELECT ?route WHERE { ?route a agw:Route FILTER NOT EXISTS { ?route agw:owner ?o } }"
    )
    (tmp_path / "g.ttl").write_text(
        turtle(
            'ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s . ex:s a agw:BackendService ; agw:address "s:1" .'
        )
    )
    known = diagnoses([tmp_path])
    assert len(known) == len(diagnoses()) + 1 == len(list(resources.queries("doctor").glob("*.rq"))) + 1
    found = asyncio.run(diagnosed_files(build(SourceGraph.load([tmp_path / "g.ttl"])), known[-1:], connect=False))
    assert [(one["message"], "g.ttl:3:" in one["triples"][0]["at"]) for one in found["findings"]] == [
        ("ex:r is of nobody.", True)
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("# about: x\n", "", "# about"), ("# severity: info", "# severity: fatal", "no severity"),
     ("# cites: x agw:port", "# cites: x", "two"), ("agw:port", "nope:port", "prefix")],
)  # fmt: skip
def test_what_is_no_diagnosis_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = "# name: a\n# question: A?\n# severity: info\n# about: x\n# finding: {x}\n# cites: x agw:port\nSELECT ?x {}"
    (tmp_path / "a.rq").write_text(text.replace(old, new))
    with pytest.raises(BadDiagnosis, match=said):
        read_diagnosis(tmp_path / "a.rq")
