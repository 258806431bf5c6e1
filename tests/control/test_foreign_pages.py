"""What a page of another site can make a browser send to the admin port: nothing that changes anything, and no frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.serving import Serving, serve_process, turtle

UPDATE = "INSERT DATA { <http://example.org/r> <https://ggen.ai/ontology/api-gateway#priority> 5 }"
TRIPLE = "<http://example.org/r> <https://ggen.ai/ontology/api-gateway#priority> 5 ."
CHANGES = (
    ("POST", "/sparql", UPDATE, "application/sparql-update"),
    ("POST", "/sparql", {"update": UPDATE}, "application/x-www-form-urlencoded"),
    ("POST", "/data?default", TRIPLE, "text/turtle"),
    ("PUT", "/data?default", TRIPLE, "text/turtle"),
    ("DELETE", "/data?default", "", "text/turtle"),
    ("POST", "/revisions/1/rollback", "", "application/json"),
)
FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "none"},
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    file: Path = tmp_path_factory.mktemp("foreign") / "gateway.ttl"
    file.write_text(turtle('ex:r a agw:Route ; agw:routePath "/" ; agw:hasDirectResponse [ a agw:DirectResponse ] .'))
    with serve_process(file, "--writable", "--workers", "1") as serving:
        yield serving


@pytest.mark.parametrize("change", CHANGES, ids=[f"{change[0]} {change[1]} {change[3]}" for change in CHANGES])
async def test_nothing_is_changed(gateway: Serving, change: tuple[str, str, object, str]) -> None:
    method, path, body, kind = change
    async with aiohttp.ClientSession() as session:
        for fields in FOREIGN:
            headers = {**fields, "Content-Type": kind}
            async with session.request(method, gateway.admin + path, data=body, headers=headers) as answer:
                assert answer.status == 403, await answer.text()
                assert (await answer.json())["type"] == "urn:agw:problem:foreign-page"
                assert "Access-Control-Allow-Origin" not in answer.headers
        async with session.get(f"{gateway.admin}/revisions") as answer:
            assert len(await answer.json()) == 1


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", None])
async def test_what_a_form_may_send_without_asking_is_no_update(gateway: Serving, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    async with aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session:
        async with session.post(f"{gateway.admin}/sparql", data=UPDATE.encode(), headers=headers) as answer:
            assert answer.status in (400, 415), await answer.text()


async def test_no_page_of_the_port_can_be_framed(gateway: Serving) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/console", "/", "/routes", "/sparql", "/reference", "/nothing"):
            async with session.get(gateway.admin + path, headers={"Accept": "text/html, */*"}) as answer:
                if answer.content_type == "text/html":
                    assert answer.headers["X-Frame-Options"] == "DENY", path
                    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
                assert answer.headers.get("X-Content-Type-Options") == "nosniff" or answer.content_type != "text/html"


async def test_another_name_for_this_machine_is_refused(gateway: Serving) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{gateway.admin}/routes", headers={"Host": "rebound.evil.example"}) as answer:
            assert answer.status == 421
