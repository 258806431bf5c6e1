"""The chain of revisions: any graph of it, any difference, the way back; over HTTP too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.control.delta import Delta, applied, between, fresh, without_names
from api_gateway_service_mesh.control.history import Author, History, Revision, UnknownRevision
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.serving import serve_process

from .test_serve import get, json_of, shop
from .test_update import ADD, send, update

START = datetime(2026, 1, 1, tzinfo=UTC)


def source(numbers: set[int]) -> SourceGraph:
    nodes = [ox.NamedNode(f"urn:n{number}") for number in sorted(numbers)]
    return SourceGraph.of(ox.Triple(node, ox.NamedNode("urn:p"), ox.Literal(node.value)) for node in nodes)


def history(states: list[set[int]]) -> tuple[History, list[SourceGraph]]:
    made, old = History(), None
    sources = [source(state) for state in states]
    for number, new in enumerate(sources, 1):
        delta = between(old, new)
        at = START + timedelta(minutes=number)
        item = Revision(number, at, new.digest, 1, 0.0, parent=number - 1 or None, delta=delta, author=Author("me"))
        made.record(item, new)
        made.record(Revision(None, at, None, 0, 0.0), None)
        old = new
    return made, sources


@given(st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=7))
@settings(max_examples=60, deadline=None)
def test_every_graph_and_every_difference(states: list[set[int]]) -> None:
    made, sources = history(states)
    for number, wanted in enumerate(sources, 1):
        assert made.graph_at(number).digest == wanted.digest
        assert made.graph_at(START + timedelta(minutes=number, seconds=30)).digest == wanted.digest
        for other, target in enumerate(sources, 1):
            delta = made.delta(number, other)
            assert set(delta.added) == set(target.triples) - set(wanted.triples)
            assert set(delta.removed) == set(wanted.triples) - set(target.triples)
            assert applied(wanted, delta).digest == target.digest


def test_what_is_not_known() -> None:
    made, _ = history([{1}, {2}])
    with pytest.raises(UnknownRevision, match="no revision 7; known are 1 to 2"):
        made.graph_at(7)
    with pytest.raises(UnknownRevision):
        made.graph_at(START)


def test_old_triples_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.control.history._KEPT_TRIPLES", 6)
    made, sources = history([{n, n + 1} for n in range(8)])
    assert made.graph_at(7).digest == sources[6].digest
    with pytest.raises(UnknownRevision, match="not kept any more"):
        made.graph_at(1)
    kept = History(lambda number: between(sources[number - 2] if number > 1 else None, sources[number - 1]))
    kept.restore(item for item in made.revisions())
    kept.serve(sources[-1])
    assert kept.graph_at(1).digest == sources[0].digest


def test_blank_nodes_that_come_are_new_nodes() -> None:
    text = "<urn:s> <urn:p> [ <urn:q> {} ] ."
    old = SourceGraph.parse(text.format(1))
    more = [quad.triple for quad in ox.parse(text.format(2).encode(), format=ox.RdfFormat.TURTLE)]
    delta = fresh(old, more)
    new = applied(old, delta)
    assert len(new.rows) == 4
    assert len({row[2] for row in new.rows if row[1] == ox.NamedNode("urn:p")}) == 2
    assert applied(new, delta.reverse).digest == old.digest
    both = SourceGraph.parse("<urn:s> <urn:p> [ <urn:q> 1 ] , [ <urn:q> 2 ] .")
    assert without_names(new.triples).digest == without_names(both.triples).digest
    assert without_names(new.triples).digest != without_names(old.triples).digest


def test_new_triples_stand_with_their_subject() -> None:
    old = SourceGraph.parse("<urn:a> <urn:p> 1 , 2 . <urn:b> <urn:p> 1 . <urn:c> <urn:p> 1 .")
    new = SourceGraph.parse("<urn:a> <urn:p> 2 , 3 . <urn:b> <urn:p> 1 . <urn:c> <urn:p> 1 . <urn:d> <urn:p> 1 .")
    made = applied(old, between(old, new))
    assert [str(row[0]) for row in made.rows] == [f"<urn:{name}>" for name in "aabcd"]
    assert made.digest == new.digest
    assert not Delta()


async def test_revisions_over_http(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process("--store", tmp_path / "store", file, "--workers", "1") as gateway:
        for number in (1, 2):
            assert (await update(gateway, ADD.format(number), Agw_Message=f"n{number}"))[0] == 200
        listed = await json_of(gateway.admin + "/revisions")
        assert [(item["revision"], item["why"]) for item in listed] == [(3, "n2"), (2, "n1"), (1, "loaded")]  # type: ignore[attr-defined]
        newest = await json_of(gateway.admin + "/revisions?limit=2")
        assert newest == listed[:2]  # type: ignore[index]
        assert len(await json_of(gateway.admin + "/revisions?limit=99")) == 3  # type: ignore[arg-type]
        for wrong in ("0", "-1", "many"):
            assert (await send(gateway, "GET", f"/revisions?limit={wrong}"))[0] == 400
        assert (await json_of(gateway.admin + "/revisions/2"))["added"] == 4  # type: ignore[index]
        delta = await json_of(gateway.admin + "/revisions/3/delta?from=1")
        assert (len(delta["added"]), delta["removed"]) == (8, [])  # type: ignore[index]
        text = (await send(gateway, "GET", "/revisions/1/delta?from=3", Accept="application/sparql-update"))[1]
        assert text.startswith("DELETE DATA {")
        assert (await send(gateway, "GET", "/revisions/9"))[0] == 404
        assert (await send(gateway, "GET", "/revisions/x"))[0] == 400
        turtle = (await send(gateway, "GET", "/revisions/2/graph", Accept="text/turtle"))[1]
        assert "/n1/*" in turtle and "/n2/*" not in turtle
        status, body, _ = await send(gateway, "POST", "/revisions/2/rollback?message=too+much")
        assert (status, json.loads(body)["revision"]) == (200, 4)
        assert (await get(gateway.url + "/n2/x"))[0] == 404
        assert (await get(gateway.url + "/n1/x"))[0] == 200
        latest = await json_of(gateway.admin + "/revisions/4")
        assert (latest["rolled_back_to"], latest["why"]) == (2, "too much")  # type: ignore[index]
        moment = latest["at"].replace("+", "%2B")  # type: ignore[index]
        assert (await json_of(f"{gateway.admin}/revisions/{moment}"))["revision"] == 4  # type: ignore[index]
        # what was asked for leads back to where it was
        assert (await send(gateway, "POST", "/sparql", text, Content_Type="application/sparql-update"))[0] == 200
        gateway.process.kill()
        gateway.process.wait()
    with serve_process("--store", tmp_path / "store", "--workers", "1") as gateway:
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        assert (await get(gateway.url + "/n1/x"))[0] == 404
        listed = await json_of(gateway.admin + "/revisions")
        assert [item["revision"] for item in listed] == [5, 4, 3, 2, 1]  # type: ignore[attr-defined]
        assert (await send(gateway, "POST", "/revisions/3/rollback"))[0] == 200
        assert (await get(gateway.url + "/n2/x"))[0] == 200
