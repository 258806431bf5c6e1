"""Policy packs: every rule catches what breaks it, and only it does; what a pack may not do is refused."""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import Build, build, inspect
from api_gateway_service_mesh.control.gate import Gate, compiled
from api_gateway_service_mesh.control.packs import Packs, load_packs, shipped_packs
from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.certs import new_authority
from tests.support.edits import BASE, edited, triples
from tests.support.examples import copied

HEAD = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
SHAPES = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/house#> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
"""
GOOD = (
    HEAD
    + """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:pay , ex:refund , ex:old , ex:down .
ex:Payments rdfs:subClassOf agw:PaymentRoute ; agw:hasAuthentication ex:key .
ex:key a agw:ApiKey ; agw:keyOwner "shop" ;
    agw:keyHash "sha256:16f58893393bbf7eca5bb3dfa948a0ecea79edea03b0901b90c77f1cf3ed9854" .
ex:pay a ex:Payments ; agw:routePath "/pay" ; agw:owner "payments" ; agw:hasRetryPolicy ex:retry ;
    agw:hasHedging ex:hedge ; agw:hasBackendService ex:bank .
ex:refund a agw:PaymentRoute ; agw:routePath "/refund" ; dcterms:creator "payments" ; agw:hasAuthentication ex:key ;
    agw:hasTrafficSplit [ a agw:TrafficSplit ; agw:targetService ex:bank ; agw:weight 50 ] ,
        [ a agw:TrafficSplit ; agw:targetService ex:bank2 ; agw:weight 50 ] ;
    agw:hasTrafficMirroring [ a agw:TrafficMirroring ; agw:targetService ex:bank3 ] .
ex:old a agw:Route ; agw:routePath "/old" ; agw:owner "web" ;
    agw:hasRedirect [ a agw:Redirect ; agw:replaceFullPath "/pay" ] .
ex:down a agw:Route ; agw:routePath "/down" ; agw:owner "web" ;
    agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseStatus 503 ] .
ex:retry a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:retryNonIdempotent false .
ex:hedge a agw:Hedging ; agw:hedgeDelay "PT0.1S"^^xsd:dayTimeDuration ; agw:hedgeNonIdempotent false .
ex:bank a agw:BackendService ; agw:address "https://127.0.0.1:9443" ; agw:hasMutualTLS ex:strict .
ex:bank2 a agw:BackendService ; agw:address "https://127.0.0.1:9444" ; agw:hasMutualTLS ex:strict .
ex:bank3 a agw:BackendService ; agw:address "https://127.0.0.1:9445" ; agw:hasMutualTLS ex:strict3 .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:certificate .
ex:strict3 a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:certificate .
ex:certificate a agw:Certificate ; agw:certificateFile "gateway.pem" ; agw:privateKeyRef "file:gateway-key.pem" ;
    agw:trustBundleFile "ca.pem" .
"""
)
BROKEN = {
    "no authentication": ("authentication", " ; agw:hasAuthentication ex:key .\nex:key", " .\nex:key", "ex:pay a"),
    "no authentication of one": ("authentication", "agw:hasAuthentication ex:key ;\n", "\n", "ex:refund a"),
    "no owner": ("owners", ' ; agw:owner "web" ;\n    agw:hasDirect', " ;\n    agw:hasDirect", "ex:down a"),
    "no creator": ("owners", 'dcterms:creator "payments" ;', "", "ex:refund a"),
    "retries": ("idempotent-retries", "retryNonIdempotent false", "retryNonIdempotent true", "ex:retry a"),
    "hedging": ("idempotent-retries", "hedgeNonIdempotent false", "hedgeNonIdempotent true", "ex:hedge a"),
    "plain service": ("payment-mtls", '9443" ; agw:hasMutualTLS ex:strict', '9443"', "agw:hasBackendService"),
    "plain split": ("payment-mtls", '9444" ; agw:hasMutualTLS ex:strict', '9444"', "agw:targetService ex:bank2"),
    "plain mirror": ("payment-mtls", '9445" ; agw:hasMutualTLS ex:strict3', '9445"', "agw:hasTrafficMirroring"),
    "half-hearted": (
        "payment-mtls",
        'ex:strict3 a agw:MutualTLS ; agw:mtlsMode "STRICT"',
        'ex:strict3 a agw:MutualTLS ; agw:mtlsMode "PERMISSIVE"',
        "agw:hasTrafficMirroring",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_certificate(tmp_path_factory.mktemp("packs"), 90)


def with_certificate(folder: Path, days: int) -> Path:
    authority = new_authority(folder)
    authority.issue("gateway", lasts=timedelta(days=days, hours=1))
    (folder / "ca.pem").write_bytes(authority.bundle.read_bytes())
    return folder


def made(folder: Path, text: str, packs: Packs | None = None, previous: Build | None = None) -> Build:
    file = folder / "gateway.ttl"
    file.write_text(text)
    return build(SourceGraph.load([file]), packs=packs, previous=previous)


def refused(folder: Path, text: str, packs: Packs | None, previous: Build | None = None) -> tuple[Finding, ...]:
    with pytest.raises(ConfigError) as caught:
        made(folder, text, packs, previous)
    return caught.value.report.violations


def pack(folder: Path, text: str, name: str = "house.ttl") -> Packs:
    (folder / name).write_text(SHAPES + text)
    packs = load_packs([str(folder / name)])
    assert packs is not None
    return packs


def test_what_keeps_all_rules_is_let_through(folder: Path) -> None:
    assert made(folder, GOOD, load_packs(shipped_packs())).report.violations == ()


@pytest.mark.parametrize("case", BROKEN)
def test_every_rule_catches_what_breaks_it_and_without_it_that_passes(folder: Path, case: str) -> None:
    name, before, after, place = BROKEN[case]
    text = GOOD.replace(before, after, 1)
    assert text != GOOD
    packs = load_packs([name])
    found = refused(folder, text, packs)
    first = found[0]
    assert f"policy pack {name}" in first.message
    assert first.remedy
    assert first.location is not None
    assert place in text.splitlines()[first.location.line - 1]
    made(folder, text)
    made(folder, text, load_packs([other for other in shipped_packs() if other != name]))
    good = made(folder, GOOD, packs)
    assert refused(folder, text, packs, good) == found
    made(folder, text, None, good)


@pytest.mark.parametrize(("days", "passes"), [(13, False), (15, True)])
def test_certificates_are_renewed_in_time(tmp_path: Path, days: int, passes: bool) -> None:
    with_certificate(tmp_path, days)
    packs = load_packs(["certificates"])
    if passes:
        made(tmp_path, GOOD, packs)
        return
    found = refused(tmp_path, GOOD, packs)
    assert [(f.subject, "within 14 days" in f.message, f.value) for f in found] == [
        ("http://example.org/certificate", True, "13")
    ]
    assert found[0].location is not None
    stated = GOOD.replace("a agw:Certificate ;", "a agw:Certificate ; agw:certificateDaysLeft 99 ;")
    assert refused(tmp_path, stated, packs)
    made(tmp_path, GOOD)


def test_a_certificate_that_comes_near_its_end_is_found_though_the_configuration_stayed(tmp_path: Path) -> None:
    packs = load_packs(["certificates"])
    with_certificate(tmp_path, 90)
    good = made(tmp_path, GOOD, packs)
    soon = (datetime.now(UTC) + timedelta(days=80)).date()
    with pytest.raises(ConfigError, match="within 14 days"):
        build(good.source, packs=packs, previous=good, today=soon)


def gated(folder: Path, before: str, after: str, packs: Packs | None) -> Build | None:
    served = made(folder, before, packs)
    file = folder / "gateway.ttl"
    file.write_text(after)
    return compiled(lambda: SourceGraph.load([file]), None, served, packs)


def test_no_change_takes_a_route_its_authentication(folder: Path) -> None:
    packs = load_packs(["keep-authentication"])
    stripped = GOOD.replace(" ; agw:hasAuthentication ex:key .\nex:key", " .\nex:key")
    with pytest.raises(ConfigError, match="loses its authentication") as caught:
        gated(folder, GOOD, stripped, packs)
    assert [(f.code, f.remedy is not None) for f in caught.value.report.violations] == [("change-gate", True)]
    assert gated(folder, GOOD, stripped, None)
    assert gated(folder, stripped, GOOD, packs)
    gone = GOOD.replace("ex:refund a agw:PaymentRoute ;", "ex:refund a agw:Nothing ;").replace(", ex:refund ", "")
    gone = gone.partition("ex:refund a")[0] + "ex:old a" + gone.partition("ex:old a")[2]
    assert gated(folder, GOOD, gone, packs)


def routes(count: int) -> str:
    named = " , ".join(f"ex:r{n}" for n in range(count))
    stated = "".join(
        f'ex:r{n} a agw:Route ; agw:routePath "/r{n}" ; agw:hasBackendService ex:b .\n' for n in range(count)
    )
    service = 'ex:b a agw:BackendService ; agw:address "http://127.0.0.1:9000" .\n'
    return f"{HEAD}ex:gateway a agw:ApiGateway ; agw:hasRoute {named} .\n{service}{stated}"


def test_no_change_removes_more_than_a_tenth_of_the_routes(tmp_path: Path) -> None:
    packs = load_packs(["keep-routes"])
    with pytest.raises(ConfigError, match="More than a tenth"):
        gated(tmp_path, routes(20), routes(17), packs)
    assert gated(tmp_path, routes(20), routes(17), None)
    assert gated(tmp_path, routes(20), routes(18), packs)
    assert gated(tmp_path, routes(20), routes(30), packs)


def test_building_on_what_was_gives_what_building_anew_gives(tmp_path: Path) -> None:
    """Pack shapes are judged where something changed, with the outcome of judging everything."""
    house = """ex:Owned a sh:NodeShape ; sh:targetClass agw:Route ; sh:severity sh:Warning ;
        sh:sparql [ sh:message "too wide {?path}. Say less." ;
            sh:select '''PREFIX agw: <https://ggen.ai/ontology/api-gateway#> SELECT $this ?path WHERE {
                $this agw:hasBackendService ?s . $this agw:routePath ?path . FILTER(STRLEN(?path) > 8) }''' ] ;
        sh:property [ sh:path agw:hasTimeout ; sh:minCount 1 ; sh:message "No timeout. Say one." ;
            sh:severity sh:Warning ] ."""
    packs = pack(tmp_path, house)
    rng = random.Random(7)
    before = SourceGraph.parse(BASE)
    served = build(before, packs=packs)
    compared = 0
    for _ in range(60):
        rows, _ = edited(list(served.source.rows), rng)
        source = SourceGraph.of(triples(rows))
        whole, step = inspect(source, packs=packs), inspect(source, packs=packs, previous=served)
        assert step.report == whole.report
        assert set(step.results) == set(whole.results)
        compared += 1
        if whole.report.conforms and whole.validated is not None and whole.table is not None:
            served = build(source, packs=packs, previous=served)
    assert compared == 60


REFUSED = {
    "js": ("ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:js [ sh:jsFunctionName 'f' ] .", "sh:js"),
    "imports": ("<> owl:imports <http://example.org/more> . ex:S a sh:NodeShape .", "owl:imports"),
    "rule": ("ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:rule [ a sh:TripleRule ] .", "sh:rule"),
    "target": ("ex:S a sh:NodeShape ; sh:target [ sh:ask 'ASK {}' ] .", "sh:target"),
    "path": (
        "ex:S a sh:PropertyShape ; sh:targetClass agw:Route ; sh:path ( agw:a agw:b ) ; sh:minCount 1 .",
        "sh:path",
    ),
    "agw's own": (
        "<https://ggen.ai/ontology/api-gateway/shapes#RetryPolicy> sh:deactivated true .",
        "a pack adds rules and changes none",
    ),
    "agw's own, by a made name": ("<urn:agw:genid:x> sh:deactivated true .", "a pack adds rules and changes none"),
    "service": (
        "ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ sh:select 'SELECT $this WHERE "
        "{ $this ?p ?o SERVICE <http://example.org/> { ?a ?b ?c } }' ] .",
        "SERVICE is off",
    ),
    "the time": (
        "ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ sh:select 'SELECT $this WHERE "
        "{ $this ?p ?o FILTER(NOW() > ?o) }' ] .",
        "judged in two ways",
    ),
    "one by one": (
        "ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ sh:select 'SELECT $this WHERE "
        "{ ?o ?p $this } LIMIT 1' ] .",
        "all nodes at once",
    ),
    "prefix": (
        "ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ sh:prefixes ex:P ; sh:select 'SELECT $this WHERE "
        "{ $this ?p ?o }' ] . ex:P sh:declare [ sh:prefix 'a: <b> SELECT' ; sh:namespace 'urn:x' ] .",
        "sh:prefix",
    ),
    "no message": ("ex:G a agw:ChangeGate ; agw:ask 'ASK {}' .", "one agw:ask and one sh:message"),
    "no question": ("ex:G a agw:ChangeGate ; agw:ask 'SELECT * {}' ; sh:message 'm' .", "no ASK"),
    "no SPARQL": ("ex:G a agw:ChangeGate ; agw:ask 'ASK {' ; sh:message 'm' .", "no SPARQL"),
    "itself": ("ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:node ex:S .", "refer to itself"),
    "too many shapes": (
        "".join(f"ex:S{n} a sh:NodeShape ; sh:nodeKind sh:IRI .\n" for n in range(300)),
        "more than 256 shapes",
    ),
    "doubling": (
        "ex:S0 a sh:NodeShape ; sh:nodeKind sh:IRI .\n"
        + "".join(
            f"ex:S{n} a sh:NodeShape ; sh:targetClass agw:Route ; sh:and ( ex:S{n - 1} ex:S{n - 1} ) .\n"
            for n in range(1, 40)
        ),
        "too many times",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_pack_may_not_do_is_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    text, why = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        pack(tmp_path, text)
    finding = caught.value.report.violations[0]
    assert why in finding.message
    assert finding.remedy


def test_a_pack_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no policy pack"):
        load_packs(["nope"])
    with pytest.raises(ConfigError):
        load_packs([str(tmp_path / "nope.ttl")])
    assert load_packs([]) is None


CROSSED = " . ".join(f"?s{n} ?p{n} ?o{n}" for n in range(8))


def test_a_question_that_never_ends_refuses_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.control.change_gates.SECONDS", 0.5)
    gates = f"""ex:Slow a agw:ChangeGate ; sh:message "never" ;
        agw:ask "ASK {{ GRAPH <urn:agw:graph:new> {{ {CROSSED} FILTER(STR(?s0) = CONCAT(STR(?o7), STR(?p3))) }} }}" .
    ex:Keep a agw:ChangeGate ; sh:message "No. Keep them." ; agw:ask "ASK {{ FILTER(false) }}" ."""
    packs = pack(tmp_path, gates)
    begun = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        gated(tmp_path, routes(20), routes(21), packs)
    assert time.monotonic() - begun < 10
    assert {f.code for f in caught.value.report.violations} == {"policy-unanswered", "change-gate"}


def test_a_query_that_never_ends_refuses_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.control.change_gates.SECONDS", 0.5)
    packs = pack(
        tmp_path,
        "ex:S a sh:NodeShape ; sh:targetClass agw:Route ; sh:sparql [ sh:select "
        f"'SELECT $this WHERE {{ $this ?p ?o . {CROSSED} FILTER(STR(?s0) = CONCAT(STR(?o7), STR(?p3))) }}' ] .",
    )
    begun = time.monotonic()
    found = refused(tmp_path, routes(20), packs)
    assert time.monotonic() - begun < 10
    assert found[0].code == "policy-unanswered"


def test_a_gate_is_asked_of_the_first_configuration_too(folder: Path) -> None:
    """As if nothing changed: what it says of the new one must hold, what it says of the change does."""
    pack = folder / "gates.ttl"
    ask = "ASK {{ GRAPH <urn:agw:graph:new> {{ ?gateway a agw:ApiGateway ; agw:hasRoute ex:{route} }} }}"
    head = HEAD + "@prefix sh: <http://www.w3.org/ns/shacl#> .\n"
    gate = head + 'ex:keep a agw:ChangeGate ; agw:ask """PREFIX ex: <%s> %s""" ; sh:message "The route goes." .'
    namespace = re.search(r"@prefix ex: <([^>]*)>", HEAD)
    assert namespace
    file = folder / "gateway.ttl"
    file.write_text(routes(2))
    for route, refused in (("r1", False), ("r7", True)):
        pack.write_text(gate % (namespace[1], ask.format(route=route)))
        gates = Gate(None, [str(pack)])
        if refused:
            with pytest.raises(ConfigError, match="The route goes"):
                gates.compiled(lambda: SourceGraph.load([file]), None)
        else:
            assert gates.compiled(lambda: SourceGraph.load([file]), None)


def test_a_pack_that_is_edited_counts_from_then_on_if_what_is_served_keeps_it(folder: Path) -> None:
    pack, file = folder / "house.ttl", folder / "gateway.ttl"
    head = HEAD + "@prefix sh: <http://www.w3.org/ns/shacl#> .\n"
    rule = (
        "ex:Rule a sh:NodeShape ; sh:targetClass agw:Route ; sh:property [ sh:path agw:%s ; sh:minCount 1 ; "
        'sh:severity sh:Violation ; sh:message "It lacks something." ] .'
    )
    pack.write_text(head + rule % "routePath")
    file.write_text(routes(2))
    gate = Gate(None, [str(pack), "owners"][:1])
    assert gate.files == (pack,)

    def read(served: SourceGraph | None = None) -> SourceGraph:
        return SourceGraph.load([file], served)

    serving = gate.compiled(read, None)
    key = gate.policies
    assert gate.reloaded(read, serving) is None and gate.policies == key
    pack.write_text(head + rule % "hostname")
    with pytest.raises(ConfigError, match="It lacks something"):
        gate.reloaded(read, serving)
    assert gate.policies == key
    pack.write_text(head + rule % "hasBackendService")
    assert gate.reloaded(read, serving) is None
    assert gate.policies != key


def test_the_promises_of_the_example_are_kept_and_without_them_broken(tmp_path: Path) -> None:
    house = copied("house", tmp_path)
    packs = load_packs([str(house / "promises.ttl")])
    text = (house / "gateway.ttl").read_text()
    gone = text.replace("ex:refund a ex:Payment", "ex:refunds a ex:Payment").replace(", ex:refund ,", ", ex:refunds ,")
    assert gone != text
    with pytest.raises(ConfigError, match="A payment's route goes"):
        gated(house, text, gone, packs)
    assert gated(house, text, gone, None)
    slow = text.replace("    agw:hasTimeout ex:patience ;\n", "").replace("    agw:hasTimeout ex:brisk .", "    .")
    slow = slow.replace("ex:Payment rdfs:subClassOf agw:Route ;", "ex:Payment rdfs:subClassOf agw:Route")
    assert "may not wait for ever" in refused(house, slow, packs)[0].message
    made(house, slow)
