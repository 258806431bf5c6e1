"""Session tokens."""

from __future__ import annotations

import random

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.sticky import STICKY_CELLS, StickyTokens, shared_key, sticky_key

IRIS = ["urn:10.0.0.1", "urn:10.0.0.2", "urn:10.0.0.3"]


def test_a_key_is_drawn_once_and_all_workers_find_it() -> None:
    view = CellStore.local(STICKY_CELLS).view
    first = sticky_key(view, 0, random.Random(1).randrange)
    assert sticky_key(view, 0, random.Random(2).randrange) == first
    assert sticky_key(CellStore.local(STICKY_CELLS).view, 0, random.Random(2).randrange) != first


def test_a_token_finds_its_endpoint_also_when_others_come_and_go() -> None:
    before, after = StickyTokens(b"k", IRIS), StickyTokens(b"k", [IRIS[2], "urn:new", IRIS[0]])
    assert [before.index(token.decode()) for token in before.tokens] == [0, 1, 2]
    assert [after.index(token.decode()) for token in before.tokens] == [2, -1, 0]
    assert after.index(None) == after.index("") == after.index("urn:10.0.0.1") == -1


def test_a_token_tells_nothing_and_is_worth_nothing_under_another_key() -> None:
    tokens = StickyTokens(b"k", IRIS).tokens
    assert not any(b"10.0" in token for token in tokens)
    assert set(tokens).isdisjoint(StickyTokens(b"other", IRIS).tokens)


def test_who_shares_a_secret_knows_the_others_tokens() -> None:
    tokens = StickyTokens(shared_key("a secret"), IRIS).tokens
    assert StickyTokens(shared_key("a secret"), IRIS).tokens == tokens
    assert set(tokens).isdisjoint(StickyTokens(shared_key("another"), IRIS).tokens)
