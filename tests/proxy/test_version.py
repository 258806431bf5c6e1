"""Versions on real sockets: who is refused, and what answers say that are withdrawn."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import aiohttp
import pytest

from api_gateway_service_mesh.model import ApiVersion, Compression, Deprecation, HeaderMatch, VersionedBy
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Client, fields_for

SECOND = ApiVersion("urn:v2", "2", VersionedBy.HEADER, "api-version", is_default=True)
FIRST = ApiVersion("urn:v1", "1", VersionedBy.HEADER, "api-version")
LEAVING = Deprecation("urn:d", 1688169599.0, 4102444800.0, page="https://a.example/why")
GONE = replace(LEAVING, sunset_at=1700000000.0, refuses=True)


async def test_versions_by_header_over_one_path() -> None:
    async with backend(says(answer(b"one"))) as old, backend(says(answer(b"two"))) as new:
        mesh = mesh_of(
            (
                route("/o", "one", to="one", version=FIRST, match=replace(
                    route("/o").match, headers=(HeaderMatch("urn:v1", "api-version", value="1"),))),
                route("/o", "two", to="two", version=SECOND),
            ),
            upstream(endpoint(old.port), name="one"),
            upstream(endpoint(new.port, "other"), name="two"),
        )  # fmt: skip
        async with running(mesh) as gateway:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}") as session:
                got = []
                for headers in ({"API-Version": "1"}, {"API-Version": "2"}, {}, {"API-Version": "9"}):
                    async with session.get("/o", headers=headers) as answered:
                        got.append((answered.status, await answered.read(), answered.headers.get("Vary")))
    assert [one[:2] for one in got[:3]] == [(200, b"one"), (200, b"two"), (200, b"two")]
    assert {one[2] for one in got} == {"api-version"}
    assert got[3][0] == 400
    assert json.loads(got[3][1])["detail"] == "this is not served in version '9'"


async def test_by_media_type_the_answer_is_406() -> None:
    version = ApiVersion("urn:v", "2", VersionedBy.MEDIA_TYPE, "application/vnd.a.v{version}+json", is_default=True)
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, version=version)) as gateway:
            refused = await ask(gateway, fields="Accept: application/vnd.a.v9+json\r\n")
            served = await ask(gateway, fields="Accept: */*\r\n")
    assert refused.line.split()[1] == "406"
    assert (served.body, served.get("vary")) == (b"x", "Accept")


async def test_by_query() -> None:
    version = ApiVersion("urn:v", "2", VersionedBy.QUERY, "v", is_default=True)
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, version=version)) as gateway:
            refused, served = await ask(gateway, "/?v=9"), await ask(gateway, "/?v=2")
    assert refused.line.split()[1] == "400"
    assert (served.body, served.get("vary")) == (b"x", None)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_answers_of_what_is_withdrawn_say_so(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    own = "Deprecation: true\r\nSunset: never\r\nLink: </self>; rel=self\r\n"
    with caplog.at_level(logging.WARNING):
        async with backend(says(answer(b"x", fields=own))) as behind:
            async with running(one_route(behind, deprecation=LEAVING), kind=kind) as gateway:
                got = await ask(gateway)
                await ask(gateway)
                assert deeds(gateway, "urn:d")[:2] == (2, 0)
    assert got.body == b"x"
    assert got.all("deprecation") == ["@1688169599"]
    assert got.all("sunset") == ["Fri, 01 Jan 2100 00:00:00 GMT"]
    assert got.all("link") == ["</self>; rel=self", '<https://a.example/why>; rel="deprecation"; type="text/html"']
    assert json.loads(gateway.log[0])["flags"] == ["deprecated"]
    (warning,) = [record.getMessage() for record in caplog.records if "is deprecated" in record.getMessage()]
    assert warning.startswith("urn:test:route is deprecated (urn:d) and was asked 1 times")


async def test_the_same_thing_in_the_successor_is_linked() -> None:
    moved = replace(LEAVING, segments=("v1", "v2"))
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, deprecation=moved, compression=Compression("urn:c"))) as gateway:
            got, elsewhere = await ask(gateway, "/api/v1/orders/7?a=b"), await ask(gateway, "/other")
            client = await Client.connect(gateway.port)
            other = await client.fetch(fields_for("/v1"))
            client.close()
    assert got.all("link")[1] == '</api/v2/orders/7>; rel="successor-version"'
    assert len(elsewhere.all("link")) == 1
    assert ("link", '</v2>; rel="successor-version"') in other.fields


async def test_after_the_sunset_by_rule() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, deprecation=GONE)) as gateway:
            refused = await ask(gateway)
            assert deeds(gateway, "urn:d")[:2] == (0, 1)
        async with running(one_route(behind, deprecation=replace(GONE, refuses=False))) as gateway:
            served = await ask(gateway)
        async with running(one_route(behind, deprecation=replace(GONE, sunset_at=4102444800.0))) as gateway:
            early = await ask(gateway)
    assert refused.line.split()[1] == "410"
    assert json.loads(refused.body)["type"] == "urn:agw:problem:version-withdrawn"
    assert refused.get("sunset") == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert refused.get("link") == '<https://a.example/why>; rel="deprecation"; type="text/html"'
    assert (served.body, early.body) == (b"x", b"x")
