"""What a page of another site can make a browser send to the admin port: nothing that changes anything, and no frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from api_gateway_service_mesh.control.allowed_origins import origins_of
from api_gateway_service_mesh.errors import AgwError
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


FRIEND = "http://tools.example:8080"


@pytest.fixture(scope="module")
def friendly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    file: Path = tmp_path_factory.mktemp("friendly") / "gateway.ttl"
    file.write_text(turtle('ex:r a agw:Route ; agw:routePath "/" ; agw:hasDirectResponse [ a agw:DirectResponse ] .'))
    token = {"AGW_ADMIN_TOKEN": "a-token-of-some-length"}
    allowed = ("--allow-origin", "HTTP://tools.example:8080/")
    with serve_process(file, "--writable", "--workers", "1", *allowed, environment=token) as serving:
        yield serving


async def test_a_page_of_an_allowed_site_reads_and_changes_with_the_token(friendly: Serving) -> None:
    url, token = friendly.admin + "/sparql", {"Authorization": "Bearer a-token-of-some-length"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with aiohttp.ClientSession() as session:
        for origin, status in ((FRIEND, 204), ("http://tools.example", 401), ("null", 401)):
            async with session.options(url, headers={"Origin": origin, **asked}) as answer:
                assert answer.status == status
                told = answer.headers.get("Access-Control-Allow-Origin")
                assert told == (FRIEND if origin == FRIEND else None)
                assert "Access-Control-Allow-Credentials" not in answer.headers
                assert origin != FRIEND or "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        sent = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/sparql-update"}
        async with session.post(url, data=UPDATE, headers=sent) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, FRIEND)  # it may read why
        async with session.post(url, data=UPDATE, headers={**sent, **token}) as answer:
            assert answer.status == 200
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
            assert "Origin" in answer.headers["Vary"]
        async with session.post(url, data=UPDATE, headers={**sent, **token, "Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "wrong", ["*", "null", "tools.example", "http://a/b", "ftp://a", "http://*.example", "http://a:x"]
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    with pytest.raises(AgwError, match="is no origin"):
        origins_of([wrong])


def test_origins_are_what_browsers_send() -> None:
    assert origins_of(["HTTPS://A.Example:443", "http://[::1]:3000/"]) == {"https://a.example", "http://[::1]:3000"}
