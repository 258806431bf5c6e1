"""An explanation is honest: delete a triple that it cites, and the decision is another (or the configuration is
refused); delete one that it does not cite, and the decision stays."""

from __future__ import annotations

import os
import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pyoxigraph import Triple

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.control.proof import deeds
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import lexical
from api_gateway_service_mesh.routing import ExplainRequest, Explanation, explain
from tests.support.examples import NAMES, copied, expectations

CASES = int(os.environ.get("AGW_HONEST_CASES", "40"))
"""For each example."""


def decision(found: Explanation, made: Build) -> object:
    """What becomes of a request: the route with all that it does, and the services it goes to; or the refusal."""
    if found.winner is None:
        return None, found.status, found.allow
    return deeds(made.mesh, found.winner.route)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_cited_matters_and_nothing_else_does(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    source = SourceGraph.load([folder / "gateway.ttl"])
    base = build(source)
    rng = random.Random(name)
    asked = [
        ExplainRequest(one.method, urlsplit(one.url).hostname or "", urlsplit(one.url).path, urlsplit(one.url).query,
                       dict(one.headers))
        for one in expectations(folder)
    ]  # fmt: skip
    wrong: list[str] = []
    tried = {True: 0, False: 0}
    explained: dict[int, Explanation] = {}
    for _ in range(CASES if len(source.rows) < 1_000 else CASES // 4):
        at = rng.randrange(len(asked))
        request = asked[at]
        told = explained[at] if at in explained else explained.setdefault(at, base.explain(request))
        cited = {(c.subject, c.predicate, c.object) for c in told.citations}
        near = {c.subject for c in told.citations}
        about = [triple for triple in source.triples if (_key(triple) in cited)]
        rest = [triple for triple in source.triples if _key(triple) not in cited]
        close = [triple for triple in rest if lexical(triple.subject) in near]
        chosen = rng.choice(rng.choice([about or rest, close or rest, rest]))
        after = _without(source, base, chosen)
        changed = after is None or _decided(after, request) != decision(told, base)
        if _key(chosen) in cited and not changed:
            wrong.append(f"cited, and nothing changed: {request}: {chosen}")
        if _key(chosen) not in cited and changed and after is not None:
            wrong.append(f"not cited, and it changed: {request}: {chosen}")
        tried[_key(chosen) in cited] += 1
    assert not wrong, "\n".join(sorted(set(wrong)))
    assert tried[True] and tried[False]


def _decided(made: Build, request: ExplainRequest) -> object:
    return decision(explain(made.table, request), made)


def _key(triple: Triple) -> tuple[str, str, str]:
    return lexical(triple.subject), triple.predicate.value, lexical(triple.object)


def _without(source: SourceGraph, base: Build, gone: Triple) -> Build | None:
    """The configuration without one triple; None where it is refused."""
    kept = [(row, triple) for row, triple in zip(source.rows, source.triples, strict=True) if triple != gone]
    rows, triples = zip(*kept, strict=True)
    try:
        return build(SourceGraph(rows, triples, source.documents, source.prefixes), previous=base)
    except ConfigError:
        return None
