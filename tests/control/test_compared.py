"""Two builds compared: inherited or stated makes no difference; the past is built again and asked; over HTTP too."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.control.compared import compared, comparison_json, render_comparison, triple_lines
from api_gateway_service_mesh.control.delta import between
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.serving import serve_process
from tests.support.turtle import configuration

from .test_serve import json_of, shop
from .test_update import ADD, send, update

HEAD = """
ex:pay a ex:Payments ; agw:routePath "/pay" ; agw:hasBackendService ex:s {own}.
ex:Payments rdfs:subClassOf agw:Route {inherited}.
ex:s a agw:BackendService ; agw:address "s:80" .
ex:patience a agw:Timeout ; agw:timeoutSeconds {seconds} .
"""
TIMEOUT = "; agw:hasTimeout ex:patience "


def made(own: str = "", inherited: str = "", seconds: int = 5) -> Build:
    text = HEAD.format(own=own, inherited=inherited, seconds=seconds)
    return build(SourceGraph.parse(configuration(text)))


def test_the_same_policy_stated_elsewhere_is_no_difference() -> None:
    found = compared(made(own=TIMEOUT), made(inherited=TIMEOUT))
    assert not found.different
    assert found.behaviour == ()
    assert [str(item) for item in found.moved] == [
        "pay: agw:hasTimeout is the same, stated by the class ex:Payments instead of the route"
    ]
    text = render_comparison(found)
    assert text.startswith("nothing that is served changed\n")
    assert "class ex:Payments" in text
    assert comparison_json(found)["triples"] == {"added": 1, "removed": 1}


def test_where_a_difference_comes_from() -> None:
    found = compared(made(inherited=TIMEOUT), made(inherited=TIMEOUT, seconds=9))
    (change,) = found.changes
    assert list(map(str, change.statements)) == [
        "timeout seconds in all changed from 5 to 9 (by the class ex:Payments)"
    ]
    assert [item.how for item in found.behaviour] == ["other policy"]
    lost = compared(made(inherited=TIMEOUT), made())
    assert "lost its timeout patience (seconds in all 5) (by the class ex:Payments)" in render_comparison(lost)


def test_spelling_makes_no_difference() -> None:
    text = configuration(
        'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasTimeout _:t ; agw:hasBackendService ex:s .\n'
        '_:t a agw:Timeout ; agw:timeoutSeconds 5 . ex:s a agw:BackendService ; agw:address "s:80" .'
    )
    other = text.replace("_:t", "_:other").replace("ex:", "e:")
    other = other.replace("timeoutSeconds 5", 'timeoutDuration "PT5S"^^xsd:dayTimeDuration')
    found = compared(build(SourceGraph.parse(text)), build(SourceGraph.parse(other)))
    assert not found.different
    assert found.delta
    assert compared(build(SourceGraph.parse(text)), build(SourceGraph.parse(text))).delta.added == ()


def test_a_secret_written_out_is_not_told() -> None:
    old = SourceGraph.parse(configuration("ex:c a agw:Certificate ."))
    new = SourceGraph.parse(configuration('ex:c a agw:Certificate ; agw:privateKeyRef "hunter2" .'))
    assert triple_lines(between(old, new), [old, new]) == [
        '+ <https://example.com/c> <https://ggen.ai/ontology/api-gateway#privateKeyRef> "•••" .'
    ]


async def test_the_past_over_http(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process("--store", tmp_path / "store", file, "--workers", "1") as gateway:
        first = (await json_of(gateway.admin + "/revisions/1"))["at"]  # type: ignore[index]
        assert (await update(gateway, ADD.format(1)))[0] == 200
        told = await json_of(gateway.admin + "/revisions/2/diff")
        assert isinstance(told, dict)
        assert told["different"]
        assert [(item["kind"], item["how"]) for item in told["changes"]] == [("route", "added")]
        assert "gained" in [item["how"] for item in told["behaviour"]]
        back = await json_of(gateway.admin + "/revisions/1/diff?from=2")
        assert "lost" in [item["how"] for item in back["behaviour"]]  # type: ignore[index]
        assert not (await json_of(gateway.admin + "/revisions/2/diff?from=2"))["different"]  # type: ignore[index]
        status, body, _ = await send(gateway, "GET", "/revisions/1/diff")
        assert (status, "is the first" in body) == (400, True)
        assert (await send(gateway, "GET", "/revisions/2/diff", Accept="text/plain"))[1].startswith("+ route")

        ask = quote("SELECT ?r { ?r a agw:Route }")
        counts = []
        for past in ("1", "2", quote(first)):
            status, body, _ = await send(gateway, "GET", f"/sparql?revision={past}&query={ask}")
            assert status == 200, body
            counts.append(len(json.loads(body)["results"]["bindings"]))
        assert counts[1] == counts[0] + 1
        assert counts[2] == counts[0]
        assert (await send(gateway, "GET", f"/sparql?revision=7&query={ask}"))[0] == 404
        refused = await send(
            gateway, "POST", "/sparql?revision=1", ADD.format(9), Content_Type="application/sparql-update"
        )
        assert (refused[0], "the past is only read" in refused[1]) == (400, True)

        then = await json_of(f"{gateway.admin}/explain?method=GET&url=/n1/x&revision=1")
        now = await json_of(f"{gateway.admin}/explain?method=GET&url=/n1/x")
        assert (then["status"], then["revision"], then["winner"]) == (404, 1, None)  # type: ignore[index]
        assert (now["status"], now["revision"]) == (None, 2)  # type: ignore[index]
