"""Building on what was built before gives what building from nothing gives: on random edits, valid and not.

Four hundred edits by default; ``AGW_EDITS=4000`` makes more of them.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.control.build import Build, Inspection, build, inspect
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.change import reinfer
from api_gateway_service_mesh.routing import render_table
from tests.support.edits import BASE, edited, some_routes, triples

EDITS = int(os.environ.get("AGW_EDITS", "400"))
BATCHES = 8


def assert_same(made: Inspection, whole: Inspection) -> None:
    """Every stage is the same: triples, reasons, order within a subject, report, rows, model, table, stores."""
    assert dict(made.inferred.because) == dict(whole.inferred.because)
    assert dict(made.inferred.rules) == dict(whole.inferred.rules)
    assert set(made.inferred.index) == set(whole.inferred.index)
    subjects, others = made.inferred.index.by_subject(), whole.inferred.index.by_subject()
    assert {s: list(held.items()) for s, held in subjects.items()} == {s: list(h.items()) for s, h in others.items()}
    for predicate in whole.inferred.index.predicates():
        one, two = made.inferred.index.inverse(predicate), whole.inferred.index.inverse(predicate)
        assert {v: set(h) for v, h in one.items()} == {v: set(h) for v, h in two.items()}
    assert set(made.inferred.index.predicates()) == set(whole.inferred.index.predicates())
    assert made.report == whole.report
    assert made.rows == whole.rows
    assert made.mesh == whole.mesh
    assert (made.validated is None) == (whole.validated is None)
    if made.validated is not None and whole.validated is not None:
        assert made.validated.results == whole.validated.results
        assert set(made.validated.store) == set(whole.validated.store)
    assert (made.table is None) == (whole.table is None)
    if made.table is not None and whole.table is not None:
        assert render_table(made.table) == render_table(whole.table)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_edits(batch: int) -> None:
    # Without a text: what is left of one keeps its lines (`SourceGraph.spot`), and a graph made of triples has none.
    source = SourceGraph.parse(BASE if batch % 4 else some_routes(12)).restated(documents=())
    previous = build(source)
    rng = random.Random(f"edits {batch}")
    followed = accepted = partly = 0
    for number in range(EDITS // BATCHES):
        rows, names = edited(previous.source.rows, rng)
        if number % 2:
            changed = SourceGraph.of(triples(rows))
        else:  # as an update comes: a difference to the graph before
            before, after = set(previous.source.rows), set(rows)
            changed = previous.source.changed(
                (row for row in previous.source.rows if row not in after), (row for row in rows if row not in before)
            )
            assert changed.digest == SourceGraph.of(triples(rows)).digest
        followed += reinfer(changed, previous.inferred) is not None
        made, whole = inspect(changed, previous=previous), inspect(SourceGraph.of(changed.triples, changed.prefixes))
        partly += made.assembly is not None and made.assembly.links is not None
        try:
            assert_same(made, whole)
        except AssertionError as error:
            raise AssertionError(f"batch {batch}, edit {number} ({names}): {error}") from error
        if made.report.conforms:
            accepted += 1
            if len(rows) < len(source.rows) * 3:
                previous = build(changed, previous=previous)
        if number % 10 == 9:  # back to the beginning, before little is left
            previous = build(source)
    assert followed * 3 > EDITS // BATCHES, "hardly any edit went the short way"
    assert accepted
    assert partly * 8 > EDITS // BATCHES, "hardly any model was put together from the one before"


def _chain(texts: list[str]) -> Build:
    previous: Build | None = None
    for text in texts:
        source = SourceGraph.parse(text, "shop.ttl")
        made, whole = inspect(source, previous=previous), inspect(source)
        assert_same(made, whole)
        if made.report.conforms:
            previous = build(source, previous=previous)
    assert previous is not None
    return previous


EDITED_TEXTS = (
    BASE,
    BASE.replace('"/pay"', '"/payments"'),
    "\n\n# moved down\n" + BASE.replace('"/pay"', '"/payments"'),  # the same triples in other lines
    BASE.replace('agw:address "pay:8080"', 'agw:address "pay:8080/path"'),  # refused
    BASE.replace("agw:hasBackendService ex:payService", ""),  # a warning
    BASE.replace("agw:hasBackendService ex:payService", "") + "\nex:r a agw:Route ; agw:routePath '/warned' .",
    BASE.replace("ex:few a agw:CanaryDeployment ; agw:weight 10", "ex:few a agw:CanaryDeployment ; agw:weight 11"),
    BASE.replace("agw:hasRateLimiter ex:strict", "agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 1 ]"),
    BASE.replace("ex:pay a ex:Payments", "ex:pay a ex:Public , ex:Payments"),
    BASE.replace("agw:port 8081", "agw:port 8080").replace('"127.0.0.1"', '"0.0.0.0"'),  # two on one port: refused
    BASE + '\nex:users agw:hostname "shop.example.com" .',
)


def test_places_and_warnings_are_those_of_the_text_as_it_is_now() -> None:
    made = _chain([text.replace("\r", "") for text in EDITED_TEXTS])
    assert made.mesh.routes


def test_queries_of_ones_own_are_asked_anew_when_they_change(tmp_path: Path) -> None:
    queries = tmp_path / "project"
    shutil.copytree(resources.queries("project"), queries)
    source = SourceGraph.parse(BASE).restated(documents=())
    previous = build(source, queries=queries)
    file = queries / "route.rq"
    file.write_text(file.read_text().replace("agw:priority ?priority", "agw:priorities ?priority"))
    made = build(source, queries=queries, previous=previous)
    assert {route.match.priority for route in previous.mesh.routes} == {0, 3}
    assert {route.match.priority for route in made.mesh.routes} == {0}
    assert build(source, previous=made).mesh == previous.mesh
