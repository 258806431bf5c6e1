"""Why a route does not take a request: the update that is told, applied to the graph, makes it take it, and no part of
it would."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pyoxigraph as ox

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.routing import ExplainRequest
from api_gateway_service_mesh.routing.why_not import why_not
from tests.support.examples import copied, expectations
from tests.support.serving import serve_process

from .test_serve import json_of, shop
from .test_update import send


def test_the_update_makes_the_route_win(tmp_path: Path) -> None:
    folder = copied("shop", tmp_path)
    source = SourceGraph.load([folder / "gateway.ttl"])
    base = build(source)
    rng = random.Random(7)
    asked = expectations(folder)
    tried = 0
    for _ in range(40):
        one = rng.choice(asked)
        url = urlsplit(one.url)
        request = ExplainRequest(one.method, url.hostname or "", url.path, url.query, dict(one.headers))
        route = rng.choice(base.mesh.routes).iri
        found = why_not(base.table, request, route)
        if not found.steps:
            assert base.explain(request).winner is found.entry
            continue
        assert won(source, base, request, found.update) == route, found.update
        for step in found.steps:  # none of them can be left out
            rest = tuple(other for other in found.steps if other is not step)
            less = replace(found, steps=rest)
            assert won(source, base, request, less.update) != route, (step.text, found.update)
        tried += 1
    assert tried > 20


def won(source: SourceGraph, base: Build, request: ExplainRequest, update: str) -> str | None:
    """Which route takes the request after an update; None: none does, or the configuration is refused."""
    store = ox.Store()
    store.extend(ox.Quad(*triple) for triple in source.triples)
    if update:
        store.update(update)
    try:
        made = build(SourceGraph.of(quad.triple for quad in store), previous=base)
    except ConfigError:
        return None
    winner = made.table.find(request.host, request.method, request.path, request.query, request.fields)
    return winner.route.iri if winner is not None else None


async def test_asked_of_a_running_gateway(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process(file, "--workers", "1") as gateway:
        listed = await json_of(gateway.admin + "/routes")
        name = listed["routes"][0]["name"]  # type: ignore[index]
        told = await json_of(f"{gateway.admin}/explain?method=GET&url=/nowhere&why_not={name}")
        assert told["edit"] == ["let its path be /nowhere"]  # type: ignore[index]
        assert told["revision"] == 1  # type: ignore[index]
        text = (await send(gateway, "GET", f"/explain?url=/nowhere&why_not={name}", Accept="text/plain"))[1]
        assert "The smallest edit" in text
        assert (await send(gateway, "GET", "/explain?url=/nowhere&why_not=nobody"))[0] == 400
        assert (await send(gateway, "GET", "/explain?url=http://[::1/x"))[0] == 400
