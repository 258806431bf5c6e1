"""Every class of requests that are decided differently is shown by its witness, and none is missing."""

from __future__ import annotations

import os
import random
from dataclasses import replace

from hypothesis import given, settings

from api_gateway_service_mesh.model import RateLimit, Route, Timeout, Upstream
from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.routing.behaviour import Decision, behaviour, decided
from api_gateway_service_mesh.routing.witness import Witness
from tests.support.routes import EX, Request, mesh, oracle, random_request, random_routes, route, route_sets

CASES = int(os.environ.get("AGW_BEHAVIOUR_CASES", "60"))


def witness(request: Request) -> Witness:
    return Witness(request.method, request.host, request.path, request.query, request.headers)


def plainly(routes: tuple[Route, ...], request: Witness) -> str | None:
    """What the plain scan of the test support finds, which shares no code with the table."""
    asked = Request(request.method, request.host, request.path, request.query, request.headers)
    found = oracle(routes, asked)
    return found.iri if found is not None else None


@settings(max_examples=40, deadline=None)
@given(route_sets(max_size=5), route_sets(max_size=5))
def test_each_witness_is_decided_differently(one: tuple[Route, ...], other: tuple[Route, ...]) -> None:
    old, new = compile_table(mesh(*one)), compile_table(mesh(*other))
    for item in behaviour(old, new):
        assert decided(old, item.witness) == item.before != item.after == decided(new, item.witness)
        assert plainly(one, item.witness) == item.before.route
        assert plainly(other, item.witness) == item.after.route


@settings(max_examples=20, deadline=None)
@given(route_sets(max_size=6))
def test_the_same_routes_decide_the_same(routes: tuple[Route, ...]) -> None:
    assert behaviour(compile_table(mesh(*routes)), compile_table(mesh(*reversed(routes)))) == ()


def _edited(routes: tuple[Route, ...], rng: random.Random) -> tuple[Route, ...]:
    kept = list(routes)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(kept))
        fresh = random_routes(rng, 1)[0]
        match rng.choice(("drop", "add", "match", "policy")):
            case "drop" if len(kept) > 1:
                del kept[at]
            case "add":
                kept.append(replace(fresh, iri=f"{EX}new{rng.randrange(99)}"))
            case "match":
                kept[at] = replace(kept[at], match=fresh.match)
            case _:
                kept[at] = replace(kept[at], timeout=Timeout(EX + "t", rng.randint(1, 3)))
    return tuple({item.iri: item for item in kept}.values())


def test_random_requests_that_are_decided_differently_are_in_a_class() -> None:
    rng = random.Random(5)
    differing = 0
    for _ in range(CASES):
        one = random_routes(rng, rng.randint(1, 8))
        other = _edited(one, rng)
        old, new = compile_table(mesh(*one)), compile_table(mesh(*other))
        found = {(item.before, item.after) for item in behaviour(old, new)}
        timeouts = [{item.iri: item.timeout for item in routes} for routes in (one, other)]
        for _ in range(150):
            asked = witness(random_request(rng))
            before, after = decided(old, asked), decided(new, asked)
            if before != after or timeouts[0].get(before.route or "") != timeouts[1].get(after.route or ""):
                differing += 1
                assert (before, after) in found, f"{asked}: {before} → {after} is in no class"
    assert differing > CASES


def test_what_there_is_to_say() -> None:
    users, orders = route("users", "/users/*"), route("orders", "/orders", methods=("POST",))
    limited = replace(users, rate_limits=(RateLimit(EX + "limit", 5, 5),))
    me = route("me", "/users/me")
    old, new = compile_table(mesh(users, orders)), compile_table(mesh(limited, me))
    said = {item.how: str(item) for item in behaviour(old, new)}
    assert said["other route"] == f"GET http://example.com/users/me → {EX}me, before {EX}users"
    assert said["lost"] == f"POST http://example.com/orders → 404, before {EX}orders"
    assert said["other policy"].endswith("as before, with other policies or targets")
    assert said["other refusal"] == "GET http://example.com/orders → 404, before 405 (Allow: POST)"
    back = {item.how for item in behaviour(new, old)}
    assert back == {"other route", "gained", "other policy", "other refusal"}


def test_a_service_that_moved_is_another_effect() -> None:
    users = route("users", "/users", upstream=EX + "s")
    old = compile_table(mesh(users, upstreams=(Upstream(EX + "s", "s"),)))
    new = compile_table(mesh(users, upstreams=(Upstream(EX + "s", "s", in_mesh=True),)))
    assert [(item.how, item.before) for item in behaviour(old, new)] == [("other policy", Decision(EX + "users"))]
