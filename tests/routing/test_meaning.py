"""Differences in words: of every member of the model, none where the meaning is the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import ApiKey, Authentication, Endpoint, Mesh, RateLimit, Route, Timeout, Upstream
from api_gateway_service_mesh.routing.meaning import changes, same
from tests.support.edits import BASE, edited, triples
from tests.support.routes import EX, header, mesh, route


def said(old: Mesh, new: Mesh) -> dict[str, list[str]]:
    return {f"{item.kind} {item.name} {item.how}": list(map(str, item.statements)) for item in changes(old, new)}


def pay(**more: object) -> Route:
    return route("pay", "/pay", **more)  # type: ignore[arg-type]


LIMIT = RateLimit(EX + "strict", 5, 10)


def test_what_a_route_gained_and_lost() -> None:
    old = mesh(pay(rate_limits=(LIMIT,), timeout=Timeout(EX + "t", 5)))
    new = mesh(pay(hosts=("pay.example.com",), timeout=Timeout(EX + "t", 2.5)))
    assert said(old, new) == {
        "route ex:pay changed": [
            "gained host pay.example.com",
            "lost its rate limit 5 requests/s, burst 10",
            "timeout seconds in all changed from 5 to 2.5",
        ]
    }


def test_what_a_service_was_and_is() -> None:
    def users(host: str) -> Upstream:
        return Upstream(EX + "users", "users", (Endpoint(EX + "users", host, 80),))

    assert said(mesh(upstreams=(users("a"),)), mesh(upstreams=(users("b"),))) == {
        "service users changed": ["address changed from a:80 to b:80"]
    }
    two = replace(users("a"), endpoints=(Endpoint(EX + "users", "a", 80), Endpoint(EX + "more", "b", 80)))
    assert said(mesh(upstreams=(users("a"),)), mesh(upstreams=(two,))) == {
        "service users changed": ["gained endpoint b:80"]
    }


def test_routes_that_come_and_go() -> None:
    sale = route("sale", "/sale/*", headers=(header("x-a", "1"),), upstream=EX + "s", rate_limits=(LIMIT,))
    assert said(mesh(pay()), mesh(sale)) == {
        "route ex:pay removed": [],
        "route ex:sale added": [
            "gained path /sale/*",
            "gained header predicate x-a=1",
            "gained service s",
            "gained rate limit 5 requests/s, burst 10",
        ],
    }


def test_whom_a_limit_counts_together() -> None:
    other = replace(LIMIT, iri=EX + "own")
    orders = route("orders", "/orders", rate_limits=(LIMIT,))
    told = said(mesh(pay(rate_limits=(LIMIT,)), orders), mesh(pay(rate_limits=(other,)), orders))
    assert told["route ex:pay changed"] == [
        "lost its rate limit 5 requests/s, burst 10",
        "gained rate limit 5 requests/s, burst 10",
    ]
    assert told["route ex:orders changed"] == [
        "rate limit strict: counted together with changed from pay to no other route"
    ]


def test_blank_nodes_are_known_by_what_they_say() -> None:
    def by(name: str) -> Mesh:
        return mesh(pay(timeout=Timeout(f"urn:agw:genid:{name}", 5)))

    assert said(by("a.1"), by("b.2")) == {}
    assert same(by("a.1"), by("b.2"))
    named = said(by("a.1"), mesh(pay(timeout=Timeout(EX + "t", 5))))
    assert named == {"route ex:pay changed": ["timeout stated as changed from a.1 to t"]}


def test_the_hash_of_a_key_is_not_told() -> None:
    def by(text: str) -> Mesh:
        return mesh(pay(authentication=Authentication(EX + "pay", api_keys=(ApiKey(EX + "k", (text,)),))))

    told = str(said(by("a" * 64), by("b" * 64)))
    assert "hash" in told
    assert "aaaa" not in told
    assert "aaaa" not in str(said(mesh(pay()), by("a" * 64)))


def test_what_the_gateway_does_for_all() -> None:
    assert said(mesh(), mesh(trusted_proxies=("10.0.0.0/8",), access_log=True)) == {
        "gateway ex:gateway changed": ["gained trusted proxy 10.0.0.0/8", "access log changed from no to yes"]
    }


@pytest.fixture(scope="module")
def base() -> Build:
    return build(SourceGraph.parse(BASE))


def test_random_edits_are_told_exactly_when_the_model_differs(base: Build) -> None:
    rng = random.Random(11)
    told = silent = 0
    for _ in range(250):
        rows, names = edited(base.source.rows, rng)
        try:
            made = build(SourceGraph.of(triples(rows)), previous=base)
        except ConfigError:
            continue
        found = changes(base.mesh, made.mesh)
        assert bool(found) == (not same(base.mesh, made.mesh)), names
        assert bool(changes(made.mesh, base.mesh)) == bool(found), names
        told, silent = told + bool(found), silent + (not found)
        assert all(str(statement).strip() for item in found for statement in item.statements)
    assert told > 30
    assert silent > 10


def test_order_and_labels_make_no_difference(base: Build) -> None:
    rows = list(base.source.rows)
    random.Random(3).shuffle(rows)
    assert changes(base.mesh, build(SourceGraph.of(triples(rows))).mesh) == ()
    text = BASE.replace("ex:", "other:")
    assert changes(base.mesh, build(SourceGraph.parse(text)).mesh) == ()
