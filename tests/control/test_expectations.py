"""Expectations are held against a configuration; what they are held against is what the data plane does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from api_gateway_service_mesh.cli import agw
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.expectations import held
from api_gateway_service_mesh.graph import SourceGraph
from tests.peers.backend import Backend, Call, backend
from tests.peers.client import Client
from tests.support.gateway import running
from tests.support.serving import turtle

CONFIGURATION = """
ex:plain a agw:Route ; agw:routePath "/plain/*" ; agw:httpMethod "GET" ; agw:hasBackendService ex:one ;
    agw:hasRateLimiter ex:limit ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 1000 .
ex:closed a agw:Route ; agw:routePath "/closed" ; agw:hasBackendService ex:one ; agw:hasMaintenance ex:works .
ex:works a agw:MaintenanceMode ; agw:bypassAddress "10.0.0.0/8" ;
    agw:bypassedBy [ a agw:CookieMatch ; agw:cookieName "tester" ; agw:cookieValue "yes" ] .
ex:secret a agw:Route ; agw:routePath "/secret" ; agw:hasBackendService ex:one ; agw:hasAuthentication ex:key .
ex:key a agw:ApiKey ; agw:keyQueryParameter "key" ;
    agw:keyHash "sha256:5f7b2ed74a9736a538a6fb5a5a1a76afdcdd0d177d7fc6e79c6b6843527d848d" .
ex:ruled a agw:Route ; agw:routePath "/ruled" ; agw:hasBackendService ex:one ; agw:hasAuthentication ex:key ;
    agw:hasAuthorization [ a agw:AuthorizationPolicy ; agw:hasRule [ a agw:AuthorizationRule ; agw:onMethod "GET" ;
        agw:callerKeyOwner "demo" ] , [ a agw:AuthorizationRule ; agw:ruleAction "DENY" ; agw:callerAddress "1.3.0.0/16" ] ] .
ex:key agw:keyOwner "demo" .
ex:moved a agw:Route ; agw:routePath "/moved/*" ; agw:hasRedirect [ a agw:Redirect ; agw:redirectStatus 301 ;
    agw:redirectHost "new.example" ; agw:replacePrefixMatch "/here" ] .
ex:robots a agw:Route ; agw:routePath "/robots.txt" ; agw:hasDirectResponse [ a agw:DirectResponse ;
    agw:responseStatus 410 ] .
ex:rewritten a agw:Route ; agw:routePath "/v1/{id}" ; agw:hasBackendService ex:one ;
    agw:hasRewrite [ a agw:Rewrite ; agw:replaceFullPath "/v2/{id}/all" ] .
ex:shared a agw:Route ; agw:routePath "/shared" ; agw:hasTrafficSplit ex:most , ex:few .
ex:most a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:one .
ex:few a agw:TrafficSplit ; agw:weight 0 ; agw:targetService ex:two ;
    agw:steeredBy [ a agw:HeaderMatch ; agw:headerName "X-Beta" ; agw:headerValue "yes" ] .
ex:broken a agw:Route ; agw:routePath "/broken" ; agw:hasBackendService ex:one ;
    agw:hasFaultInjection [ a agw:FaultInjection ; agw:abortStatus 418 ] .
ex:one a agw:BackendService ; agw:address "127.0.0.1:@one@" .
ex:two a agw:BackendService ; agw:address "127.0.0.1:@two@" .
"""

REQUESTS = [
    ("GET", "/plain/a?b=c", "", "1.2.3.4"),
    ("POST", "/plain/a", "", "1.2.3.4"),
    ("GET", "/nowhere", "", "1.2.3.4"),
    ("GET", "/closed", "", "1.2.3.4"),
    ("GET", "/closed", "Cookie: a=b; tester=yes", "1.2.3.4"),
    ("GET", "/secret", "", "1.2.3.4"),
    ("GET", "/secret", "X-API-Key: demo-partner-key", "1.2.3.4"),
    ("GET", "/secret?key=demo-partner-key", "", "1.2.3.4"),
    ("GET", "/secret", "X-API-Key: guessed", "1.2.3.4"),
    ("GET", "/ruled", "X-API-Key: demo-partner-key", "1.2.3.4"),
    ("PUT", "/ruled", "X-API-Key: demo-partner-key", "1.2.3.4"),
    ("GET", "/ruled", "", "1.2.3.4"),
    ("GET", "/moved/x?y=z", "", "1.2.3.4"),
    ("GET", "/robots.txt", "", "1.2.3.4"),
    ("GET", "/v1/7?q=1", "", "1.2.3.4"),
    ("GET", "/shared", "", "1.2.3.4"),
    ("GET", "/shared", "X-Beta: yes", "1.2.3.4"),
    ("GET", "/broken", "", "1.2.3.4"),
]


async def well(_: Backend, call: Call) -> None:
    call.answer()


def expecting(*requests: tuple[str, str, str, str], more: str = "agw:expectsStatus 599") -> str:
    text = CONFIGURATION
    for number, (method, path, field, client) in enumerate(requests):
        header = f'agw:requestHeader "{field}" ; ' if field else ""
        text += (
            f'ex:e{number:02} a agw:Expectation ; agw:requestMethod "{method}" ; {header}'
            f'agw:requestUrl "http://shop{path}" ; agw:requestClient "{client}" ; {more} .\n'
        )
    return turtle(text)


def test_what_is_told_is_what_the_data_plane_does() -> None:
    async def both() -> list[tuple[object, object]]:
        pairs: list[tuple[object, object]] = []
        async with backend(well) as one, backend(well) as two:
            services = {"http://example.org/one": one, "http://example.org/two": two}
            text = expecting(*REQUESTS).replace("@one@", str(one.port)).replace("@two@", str(two.port))
            built = build(SourceGraph.parse(text))
            told = {result.expectation.iri[-2:]: result.outcome for result in held(built)}
            async with running(built.mesh) as gateway:
                for number, (method, path, field, _) in enumerate(REQUESTS):
                    for each in services.values():
                        each.forget()
                    fields = f"{field}\r\n" if field else ""
                    answer = await Client(gateway.port).ask(path, fields, method=method)
                    reached = [iri for iri, each in services.items() if each.calls]
                    said = told[f"{number:02}"]
                    if said.status is None:
                        target = services[reached[0]].calls[0].target if reached else None
                        # A key in the query is nobody's but the gateway's.
                        pairs.append(((said.services, str(said.path).split("?key=")[0]), (tuple(reached), target)))
                    else:
                        kind = json.loads(answer.body)["type"].rpartition(":")[2] if said.refusal else None
                        location = answer.fields.get("location")
                        pairs.append(((said.status, said.refusal, said.location), (answer.status, kind, location)))
        return pairs

    pairs = asyncio.run(both())
    assert len(pairs) == len(REQUESTS)
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_rules_look_at_the_address() -> None:
    key = "X-API-Key: demo-partner-key"
    text = expecting(("GET", "/ruled", key, "1.2.3.4"), ("GET", "/ruled", key, "1.3.3.4"))
    outcomes = [
        result.outcome for result in held(build(SourceGraph.parse(text.replace("@one@", "1").replace("@two@", "2"))))
    ]
    assert [(seen.status, seen.refusal) for seen in outcomes] == [(None, None), (403, "access-denied")]


def test_maintenance_lets_an_address_by() -> None:
    text = expecting(("GET", "/closed", "", "10.1.2.3"), ("GET", "/closed", "", "11.1.2.3"))
    outcomes = [
        one.outcome.status for one in held(build(SourceGraph.parse(text.replace("@one@", "1").replace("@two@", "2"))))
    ]
    assert outcomes == [None, 503]


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("agw:expectsRoute ex:plain ; agw:expectsService ex:one ; agw:expectsPath '/plain/a?b=c'", ()),
        ("agw:expectsPolicy ex:limit , agw:hasTimeout ; agw:expectsNoPolicy agw:hasAuthentication", ()),
        ("agw:expectsRoute ex:moved", ("expected the route ex:moved, and ex:plain takes it",)),
        ("agw:expectsNotRoute ex:plain", ("expected that ex:plain does not take it, and it does",)),
        ("agw:expectsStatus 404", ("expected the status 404, and it is sent to ex:one",)),
        ("agw:expectsRefusal 'maintenance'", ("expected the refusal maintenance, and it is not refused",)),
        ("agw:expectsService ex:two", ("expected that it is sent to ex:two, and it is sent to ex:one",)),
        ("agw:expectsPath '/a'", ("expected that the service sees /a, and it sees /plain/a?b=c",)),
        ("agw:expectsLocation '/a'", ("expected to be sent to /a, and it is sent to no other place",)),
        ("agw:expectsNoPolicy ex:limit", ("expected ex:limit not to act on it, and it does",)),
        ("agw:expectsPolicy ex:other", ("expected ex:other to act on it, and it does not; what acts: agw:hasBackendService, agw:hasRateLimiter, agw:hasTimeout",)),
    ],
)  # fmt: skip
def test_each_thing_expected_is_held(more: str, wrong: tuple[str, ...]) -> None:
    text = expecting(("GET", "/plain/a?b=c", "", "::1"), more=more).replace("@one@", "1").replace("@two@", "2")
    (result,) = held(build(SourceGraph.parse(text)))
    assert result.wrong == wrong
    assert result.passed is (not wrong) and bool(result.explanation) is bool(wrong)


def run(folder: Path, form: str) -> Result:
    good = 'ex:good a agw:Expectation ; agw:requestUrl "/plain/a" ; agw:expectsRoute ex:plain .\n'
    bad = 'ex:bad a agw:Expectation ; agw:requestUrl "/nowhere" ; agw:expectsRoute ex:plain .\n'
    file = folder / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.replace("@one@", "1").replace("@two@", "2") + good + bad))
    return CliRunner().invoke(agw, ["test", str(file), "--format", form], standalone_mode=False, catch_exceptions=False)


def test_it_is_told_to_people_programs_and_build_servers(tmp_path: Path) -> None:
    human = run(tmp_path, "human")
    assert human.return_value == 1
    assert "ok   ex:good: GET /plain/a  " in human.stdout and human.stdout.endswith("1 passed, 1 failed\n")
    assert "FAIL ex:bad: GET /nowhere  " in human.stdout and "gateway.ttl:32:1" in human.stdout
    assert "     expected the route ex:plain, and no route takes it" in human.stdout
    shown = json.loads(run(tmp_path, "json").stdout)
    assert (shown["passed"], shown["failed"]) == (1, 1)
    assert shown["expectations"][1]["outcome"]["refusal"] == "no-route"
    suite = ElementTree.fromstring(run(tmp_path, "junit").stdout)
    assert suite.tag == "testsuites" and suite.attrib == {"tests": "2", "failures": "1", "errors": "0"}
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "expected the route ex:plain, and no route takes it"
    assert [case.attrib["file"] for case in suite.iter("testcase")] == [str(tmp_path / "gateway.ttl")] * 2


def test_nothing_expected_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.replace("@one@", "1").replace("@two@", "2")))
    result = CliRunner().invoke(agw, ["test", str(file)], standalone_mode=False, catch_exceptions=False)
    assert result.return_value == 1 and "nothing is expected" in result.output
