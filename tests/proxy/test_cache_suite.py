"""The public HTTP caching tests against the cache, on real sockets: all that a cache must do and all that a good one does,
but for what stands in `NOT_HERE`, with the reason."""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.model import Cache
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

from .cache_suite import CASES, CaseFailed, Origin, run_case

COOKIES = "answers with Set-Cookie are not kept: whoever came first would be everybody"
PARTS = "parts are not kept: the backend is asked"
FRAMING = "agw refuses an answer with a transfer coding that it does not know"
TARGETED = "CDN-Cache-Control (RFC 9213) is for the network before the gateway, and goes on as it is"
LANGUAGES = "of Accept-Language only white space is taken for the same"
NOT_HERE = {
    "headers-store-Set-Cookie": COOKIES,
    "other-set-cookie": COOKIES,
    "headers-store-Transfer-Encoding": FRAMING,
    "method-POST": "answers to POST are not kept",
    "conditional-lm-fresh-no-lm": "without Last-Modified nothing is said of when it was modified",
    "vary-normalise-lang-order": LANGUAGES,
    "vary-normalise-lang-case": LANGUAGES,
    "vary-normalise-lang-select": LANGUAGES,
    "partial-store-partial-reuse-partial": PARTS,
    "partial-store-partial-reuse-partial-byterange": PARTS,
    "partial-store-partial-reuse-partial-absent": PARTS,
    "partial-store-partial-reuse-partial-suffix": PARTS,
    "partial-store-partial-complete": PARTS,
    "partial-use-headers": PARTS,
    "partial-use-stored-headers": PARTS,
}
TOGETHER = 60
TRIES = 4
"""The cases take times of two seconds for granted; on a busy machine one is tried again."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """One is enough: the cases are about HTTP."""
    return asyncio.DefaultEventLoopPolicy()


async def test_the_public_cases() -> None:
    cases = [
        case
        for case in CASES
        if case.get("kind") != "check" and case["suite"] != "cdn-cache-control" and case["id"] not in NOT_HERE
    ]
    assert len(cases) > 210
    assert set(NOT_HERE) <= {case["id"] for case in CASES}
    failures: dict[str, str] = {}
    places = asyncio.Semaphore(TOGETHER)
    async with Origin.open() as origin:
        policy = Cache("urn:c", heuristic=True)
        async with running(mesh_of(route(cache=policy), upstream(endpoint(origin.port)))) as gateway:

            async def hold(case: dict[str, object]) -> None:
                async with places:
                    for _ in range(TRIES):
                        try:
                            await run_case(case, origin, gateway.port)
                        except CaseFailed as failure:
                            failures[str(case["id"])] = str(failure)
                        else:
                            failures.pop(str(case["id"]), None)
                            return

            await asyncio.gather(*map(hold, cases))
    assert not failures
