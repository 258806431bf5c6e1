"""What an explanation says of a cache."""

from __future__ import annotations

from api_gateway_service_mesh.model import ApiKey, Authentication, Cache, CachePurge, RedisStore
from api_gateway_service_mesh.routing import ExplainRequest
from api_gateway_service_mesh.routing.cache import cache_part, is_guarded
from tests.support.gateway import route


def test_what_stands_there_is_said_and_cited() -> None:
    plain = cache_part(route("/x"), Cache("urn:c"), None)
    assert plain.text == "answers up to 1048576 bytes, as they allow"
    assert [citation.object for citation in plain.citations] == ["urn:c"]
    full = Cache(
        "urn:c", 100_000, 1000, 60.0, 90.0, True, 2.0, 3.0, ("x-a",), 0.5, False, False, False,
        RedisStore("urn:redis", "r"), (CachePurge("urn:p", 0.0, tag="t"),),
    )  # fmt: skip
    part = cache_part(route("/x"), full, ExplainRequest("POST", "a.example", "/x"))
    assert part.text == (
        "answers up to 1000 bytes, as they allow; for 60 s where they do not say; for 90 s at most; stale for 2 s while "
        "they are fetched anew; stale for 3 s when the backend fails; the same is waited for 0.5 s; told apart by x-a; "
        "kept together with other gateways in r:6379; POST goes to the backend"
    )
    assert [citation.predicate.rpartition("#")[2] for citation in part.citations] == [
        "hasCache", "defaultFreshness", "maximumFreshness", "staleWhileRevalidate", "staleIfError", "collapseTimeout",
        "cacheBytes", "cacheObjectBytes", "heuristicFreshness", "heedsRequestDirectives", "showsCacheStatus",
        "hidesCacheTags", "keyedField", "sharedThrough", "hasPurge", "purgesTag",
    ]  # fmt: skip
    assert part.citations[1].object == "PT60S"


def test_routes_that_know_their_callers() -> None:
    known = route("/x", authentication=Authentication("urn:r", api_keys=(ApiKey("urn:k", ("00",)),)))
    assert is_guarded(known)
    assert "callers are known" in cache_part(known, Cache("urn:c"), None).text
