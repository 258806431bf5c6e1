"""Tokens and keys together, and what outlives a reload."""

from __future__ import annotations

import asyncio
import json
import time
from hashlib import sha256
from pathlib import Path

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    JwtAuthentication,
    PathKind,
    PathMatch,
    Route,
    RouteMatch,
)
from api_gateway_service_mesh.security.api_key import ApiKeys, new_key
from api_gateway_service_mesh.security.authentication import Authenticators
from api_gateway_service_mesh.security.identity import Denial, Denied, Identity
from tests.support.tokens import ISSUER, claims, signer

ONE, STRANGER = signer("RS256", "one"), signer("RS256", "stranger")


def route(demand: Authentication | None, name: str = "r") -> Route:
    return Route(f"urn:{name}", name, RouteMatch(PathMatch(PathKind.PREFIX, "")), authentication=demand)


def jwks_file(folder: Path, *issuers: object) -> str:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": [ONE.jwk()]}))
    return f"file:{file}"


async def ready(authenticators: Authenticators, demand: Authentication, bearer: bytes) -> None:
    over = asyncio.Event()
    if authenticators.of(demand).keys_wanted(bearer, over.set):
        await asyncio.wait_for(over.wait(), 20)


async def test_verifiers_outlive_a_reload_where_nothing_changed(tmp_path: Path) -> None:
    jwt = JwtAuthentication("urn:jwt", ISSUER, ("shop",), jwks_file(tmp_path))
    demand, token = Authentication("urn:r", (jwt,)), ONE.token(claims(time.time()))
    authenticators = Authenticators(asyncio.get_running_loop())
    authenticators.adopt([route(demand)])
    await ready(authenticators, demand, token)
    first = authenticators.of(demand).judge(token, {})
    assert isinstance(first, Identity)
    again = Authentication("urn:other", (JwtAuthentication("urn:jwt", ISSUER, ("shop",), jwt.jwks_uri),))
    authenticators.adopt([route(again), route(None, "open")])
    assert authenticators.of(again).judge(token, {}) is first, "remembered"
    stricter = Authentication("urn:r", (JwtAuthentication("urn:jwt", ISSUER, ("bank",), jwt.jwks_uri),))
    authenticators.adopt([route(stricter)])
    said = authenticators.of(stricter).judge(token, {})
    assert isinstance(said, Denied) and said.denial is Denial.INVALID
    authenticators.close()


async def test_the_refusal_that_came_furthest_is_told(tmp_path: Path) -> None:
    uri = jwks_file(tmp_path)
    demand = Authentication(
        "urn:r",
        (
            JwtAuthentication("urn:a", ISSUER, ("bank",), uri),
            JwtAuthentication("urn:b", ISSUER, ("shop",), uri, required_scopes=("x",)),
            JwtAuthentication("urn:c", "https://other.example/", ("shop",), uri),
        ),
        (ApiKey("urn:k", ("00" * 32,)),),
    )
    authenticators = Authenticators(asyncio.get_running_loop())
    authenticators.adopt([route(demand)])
    token = ONE.token(claims(time.time()))
    await ready(authenticators, demand, token)
    ask = authenticators.of(demand)
    said = ask.judge(token, {"h:x-api-key": b"wrong"})
    assert isinstance(said, Denied)
    assert (said.denial, said.by, said.scopes) == (Denial.SCOPE, "urn:b", ("x",))
    said = ask.judge(None, {})
    assert isinstance(said, Denied) and said.denial is Denial.ABSENT
    said = ask.judge(STRANGER.token(claims(time.time())), {})
    assert isinstance(said, Denied) and said.denial is Denial.PENDING
    assert ask.has_keys(token)
    assert not ask.keys_wanted(b"a.b.c", lambda: None)
    authenticators.close()


def test_a_new_key_is_random_and_its_hash_is_of_all_of_it() -> None:
    made = {new_key() for _ in range(50)}
    assert len({key for key, _ in made}) == 50
    for key, hashed in made:
        assert len(key) == 47
        assert hashed == f"sha256:{sha256(key.encode()).hexdigest()}"


def test_keys_overlap_while_one_is_replaced() -> None:
    (old, old_hash), (new, new_hash) = new_key(), new_key()
    hashes = tuple(hashed.removeprefix("sha256:") for hashed in (old_hash, new_hash))
    keys = ApiKeys([ApiKey("urn:acme", hashes, owner="acme")])
    said = [keys.judge({"h:x-api-key": key.encode()}) for key in (old, new)]
    assert [one.api_key for one in said if isinstance(one, Identity)] == ["urn:acme", "urn:acme"]


def test_a_key_counts_only_where_it_may_be_shown() -> None:
    key, hashed = new_key()
    digest = hashed.removeprefix("sha256:")
    keys = ApiKeys([ApiKey("urn:a", (digest,), "x-a"), ApiKey("urn:b", ("11" * 32,), "x-b", "k")])
    assert keys.headers == ("x-a", "x-b") and keys.parameters == ("k",)
    assert isinstance(keys.judge({"h:x-a": key.encode()}), Identity)
    for place in ("h:x-b", "q:k", "h:x-api-key", "q:x-a"):
        assert isinstance(keys.judge({place: key.encode()}), Denied)
    assert isinstance(keys.judge({"h:x-a": b"x" * 2000}), Denied)
    assert isinstance(keys.judge({"h:x-a": digest.encode()}), Denied)


def test_a_key_ends_at_its_moment() -> None:
    key, hashed = new_key()
    now = [1000.0]
    keys = ApiKeys([ApiKey("urn:a", (hashed.removeprefix("sha256:"),), expires=1001.0)], lambda: now[0])
    assert isinstance(keys.judge({"h:x-api-key": key.encode()}), Identity)
    now[0] = 1001.0
    said = keys.judge({"h:x-api-key": key.encode()})
    assert isinstance(said, Denied) and said.denial is Denial.EXPIRED
