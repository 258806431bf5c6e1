"""Security headers on real sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, Cors, SecurityHeaders
from tests.support.asking import ask, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import running

POLICY = SecurityHeaders("urn:c", content="default-src *", sets=("Cache-Control: no-store",), removes=("x-made-by",))
KEYS = Authentication("urn:test:route", api_keys=(ApiKey("urn:k", ("0" * 64,)),))
OWN = "X-Made-By: hand\r\nx-frame-options: ALLOW\r\nCache-Control: public\r\nStrict-Transport-Security: max-age=1\r\nX-B: c\r\n"


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_answers_get_and_lose_what_it_says(kind: str) -> None:
    async with backend(says(answer(b"x", fields=OWN))) as behind:
        async with running(one_route(behind, security_headers=POLICY), kind=kind) as gateway:
            got = await ask(gateway)
    assert (got.body, got.get("x-b"), got.get("x-made-by")) == (b"x", "c", None)
    assert got.all("x-frame-options") == ["DENY"]
    assert got.all("cache-control") == ["no-store"]
    assert got.get("x-content-type-options") == "nosniff"
    assert got.get("referrer-policy") == "strict-origin-when-cross-origin"
    assert got.get("content-security-policy") == "default-src *"
    assert got.get("strict-transport-security") is None


async def test_over_tls_browsers_are_told_to_come_back_that_way() -> None:
    async with backend(says(answer(b"x", fields=OWN))) as behind:
        mesh = replace(one_route(behind, security_headers=POLICY), trusted_proxies=("127.0.0.0/8",))
        async with running(mesh) as gateway:
            got = await ask(gateway, fields="X-Forwarded-Proto: https\r\n")
    assert got.all("strict-transport-security") == ["max-age=31536000"]


async def test_the_gateways_own_answers_get_them_too() -> None:
    cors = Cors("urn:o", ("https://a.example",))
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, security_headers=POLICY, authentication=KEYS, cors=cors)) as gateway:
            refused = await ask(gateway, fields="Origin: https://a.example\r\n")
    assert refused.line.split()[1] == "401"
    assert refused.get("x-content-type-options") == "nosniff"
    assert refused.all("cache-control") == ["no-store"]
    assert refused.get("access-control-allow-origin") == "https://a.example"
    assert refused.get("content-type") == "application/problem+json"
