from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.control.build import STAGES, build, inspect, render_stage
from api_gateway_service_mesh.errors import ConfigError, Report, Severity
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.configuration import EX, parse

GOOD = """
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "s:80" .
"""


def refused(text: str, base_dir: Path | None = None) -> Report:
    with pytest.raises(ConfigError) as error:
        build(parse(text, base_dir))
    return error.value.report


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.violations}


def test_every_stage_is_kept() -> None:
    made = build(parse(GOOD))
    assert made.validated.inferred is made.inferred or made.validated.store is not None
    assert [row.route for row in made.rows.route] == [EX + "r"]
    assert made.table.mesh is made.mesh
    assert made.report.findings == ()
    entry = made.table.find("", "GET", "/a", "", {})
    assert entry and entry.route.iri == EX + "r"


def test_all_stages_speak_in_one_report(tmp_path: Path) -> None:
    """SHACL, the closed vocabulary, the files and the routing table: one run finds what is wrong in all of them."""
    report = refused(
        """
        ex:a a agw:Route ; agw:routePath "/a(" ; agw:pathMatchType "RegularExpression" ; agw:hasBackendService ex:s .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s ;
          agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond -1 ] .
        ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "STRICT" ;
          agw:hasCertificate [ a agw:Certificate ; agw:certificateFile "gone.pem" ; agw:privateKeyRef "env:AGW_UNSET" ] ] .
        """,
        tmp_path,
    )
    places = {finding.location.line for finding in report.violations if finding.location}
    assert places >= {3, 5, 7}
    assert {"invalid-regular-expression", "certificate-file", "key-missing"} <= codes(report)


def test_what_shapes_said_of_a_property_is_not_said_again() -> None:
    report = refused(GOOD + 'ex:t a agw:BackendService ; agw:address "nowhere" .')
    about = [finding for finding in report.findings if finding.subject == EX + "t"]
    assert len(about) == 1


@pytest.mark.parametrize("match", ["ex:s", "[ a agw:HeaderMatch ]", "[ a agw:QueryParameterMatch ]"])
def test_nor_what_they_said_of_a_node_or_of_a_reference_to_it(match: str) -> None:
    fault = f"ex:r agw:hasFaultInjection [ a agw:FaultInjection ; agw:abortStatus 503 ; agw:triggeredBy {match} ] ."
    report = refused(GOOD + fault)
    assert "condition-without-name" not in codes(report)
    assert [finding.subject for finding in report.violations if finding.subject == EX + "s"] == []


def test_warnings_are_said_once_too() -> None:
    made = build(
        parse('ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s . ex:s a agw:BackendService .')
    )
    assert [finding.severity for finding in made.report.findings] == [Severity.WARNING]


def test_findings_of_every_stage_show_their_line() -> None:
    report = refused(
        GOOD
        + 'ex:x a agw:Route ; agw:routePath "/a[" ; agw:pathMatchType "RegularExpression" ; agw:hasBackendService ex:s .'
    )
    (finding,) = report.violations
    details = dict(finding.details)
    assert '"/a["' in details["source"]
    assert finding.definition


def test_shadowed_and_tied_routes_are_warnings() -> None:
    """The order is total: something always decides, so nothing is refused."""
    made = build(parse(GOOD + 'ex:z a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .'))
    (finding,) = made.report.findings
    assert finding.severity is Severity.WARNING
    assert "witness" in dict(finding.details)
    assert finding.location is not None


def test_nothing_to_serve_is_a_warning() -> None:
    (finding,) = build(parse('ex:s a agw:BackendService ; agw:address "s:80" .')).report.findings
    assert finding.code == "no-routes"


@pytest.mark.parametrize(
    "text",
    [
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:routPath "/b" .',
        'ex:r a agw:Route ; agw:routePath 5 .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:nobody .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond -5 ] .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasTrafficSplit [ a agw:TrafficSplit ; agw:weight 40 ; agw:targetService ex:s ] .'
        ' ex:s a agw:BackendService ; agw:address "s:80" .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasAuthentication [ a agw:JWTAuthentication ; agw:issuer "https://i" ] .',
        'ex:r a agw:Route ; agw:routePath "/a/{x" .',
        'ex:g a agw:ApiGateway . ex:h a agw:ApiGateway . ex:r a agw:Route ; agw:routePath "/a" .',
        'ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate '
        '[ a agw:Certificate ; agw:certificateFile "gone.pem" ; agw:privateKeyRef "file:gone.key" ] ] .',
        'ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasMutualTLS '
        '[ a agw:MutualTLS ; agw:mtlsMode "STRICT" ] ] .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutDuration "P1M"^^xsd:duration ] .',
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 1 ; agw:limitKey "api-key" ] .',
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_place_and_remedy(text: str, tmp_path: Path) -> None:
    report = refused(text, tmp_path)
    for finding in report.violations:
        assert finding.location is not None, finding
        assert finding.remedy or finding.allowed or finding.suggestion, finding
    assert "Traceback" not in render_stage(inspect(parse(text, tmp_path)), "report")


def test_a_gateway_is_chosen_by_name() -> None:
    text = GOOD + "ex:g a agw:ApiGateway ; agw:hasRoute ex:r . ex:h a agw:ApiGateway ."
    assert build(parse(text), EX + "g").mesh.iri == EX + "g"


def test_the_queries_are_the_front_end(tmp_path: Path) -> None:
    """Edit a query, and the table changes."""
    queries = Path(shutil.copytree(resources.queries("project"), tmp_path / "project"))
    method = queries / "route_method.rq"
    method.write_text(
        method.read_text().replace("agw:httpMethod ?method", 'agw:routePath ?path . BIND("PATCH" AS ?method)')
    )
    table = build(parse(GOOD), queries=queries).table
    assert table.find("", "GET", "/a", "", {}) is None
    assert table.find("", "PATCH", "/a", "", {}) is not None


def test_stages_are_text_that_does_not_depend_on_the_order_of_the_source() -> None:
    source = parse(
        GOOD
        + 'ex:Mine <http://www.w3.org/2000/01/rdf-schema#subClassOf> agw:Route . ex:m a ex:Mine ; agw:routePath "/m" .'
    )
    backwards = SourceGraph.of(source.triples[::-1], source.prefixes)
    for stage in STAGES:
        if stage != "report":
            assert render_stage(build(source), stage) == render_stage(build(backwards), stage), stage
    assert render_stage(build(source), "inferred") == (
        "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n"
        "@prefix ex: <https://example.org/shop#> .\n\nex:m a agw:Route .\n"
    )
    assert json.loads(render_stage(build(source), "model"))["name"] == "gateway"


def test_the_source_stage_is_turtle_of_the_same_triples() -> None:
    source = parse(GOOD)
    assert SourceGraph.parse(render_stage(build(source), "source")).digest == source.digest


def test_stages_of_a_refused_configuration() -> None:
    found = inspect(parse('ex:r a agw:Route ; agw:routePath "/{" .'))
    assert render_stage(found, "source")
    assert "error[" in render_stage(found, "report")
    assert found.validated is None or found.table is None
    with pytest.raises(ValueError, match="there is no stage tabel"):
        render_stage(found, "tabel")


def test_a_secret_written_by_mistake_is_never_printed(tmp_path: Path) -> None:
    found = inspect(parse('ex:c a agw:Certificate ; agw:privateKeyRef "hunter2-hunter2" .', tmp_path))
    for stage in ("source", "inferred", "report", "model"):
        assert "hunter2" not in render_stage(found, stage), stage
    assert codes(found.report)


@pytest.mark.parametrize("axiom", ["rdfs:subPropertyOf agw:secretRef", "rdfs:subPropertyOf agw:privateKeyRef"])
def test_nor_is_one_in_a_property_of_the_users_own(axiom: str) -> None:
    found = inspect(parse(f'ex:password {axiom} . ex:c a agw:Certificate ; ex:password "hunter2-hunter2" .'))
    for stage in ("source", "inferred", "report", "model"):
        assert "hunter2" not in render_stage(found, stage), stage


def test_a_chosen_gateway_that_is_no_iri_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="there is no agw:ApiGateway edge"):
        build(parse(GOOD), "edge")
