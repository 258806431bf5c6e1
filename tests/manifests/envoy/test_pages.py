"""CORS and compression by a real Envoy, for the routes that say so."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from api_gateway_service_mesh.manifests.envoy.compression import media_types
from api_gateway_service_mesh.model import Compression, Cors, RouteMatch
from api_gateway_service_mesh.model.match import PathKind, PathMatch
from tests.parity.running import ENVOY, envoy_of
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import endpoint, mesh_of, route, upstream

needs_envoy = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
ORIGIN = "https://a.shop.example"


async def asked(port: int, method: str, path: str, **fields: str) -> Received:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    found = await read_answer(reader)
    writer.close()
    return found


@needs_envoy
async def test_preflights_belong_to_the_route_they_ask_about(tmp_path: Path) -> None:
    said = answer(b"yes", fields="Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: x-mine\r\n")
    async with backend(says(said)) as behind:
        cors = Cors("urn:test:cors", ("https://*.shop.example",), (), ("x-a",), ("x-b",), True, 600)
        match = RouteMatch(PathMatch(PathKind.PREFIX, "/api"), methods=("PUT",))
        pages, others = route("/api", "pages", cors=cors, match=match), route("/api", "others")
        async with envoy_of(mesh_of((pages, others), upstream(endpoint(behind.port))), tmp_path) as port:
            told = await asked(port, "OPTIONS", "/api/x", origin=ORIGIN, access_control_request_method="PUT")
            assert told.line.split()[1] == "200"
            assert told.get("access-control-allow-origin") == ORIGIN
            assert told.get("access-control-allow-methods") == "PUT"
            assert told.get("access-control-max-age") == "600"
            assert behind.requests == []
            foreign = await asked(
                port, "OPTIONS", "/api/x", origin="https://shop.example", access_control_request_method="PUT"
            )
            assert foreign.all("access-control-allow-origin") == []
            assert behind.requests == []
            served = await asked(port, "PUT", "/api/x", origin=ORIGIN, content_length="0")
            assert (served.all("access-control-allow-origin"), served.body) == ([ORIGIN], b"yes")
            assert served.all("access-control-expose-headers") == ["x-b"]
            assert served.get("access-control-allow-credentials") == "true"
            assert (await asked(port, "GET", "/api/x", origin=ORIGIN)).get("access-control-allow-origin") == "*"


@needs_envoy
async def test_answers_are_compressed_where_a_route_says_so(tmp_path: Path) -> None:
    text = b"a long answer " * 200
    async with backend(says(answer(text, fields="Content-Type: text/plain\r\n"))) as behind:
        small = route("/small", "small", compression=Compression("urn:test:small", ("br", "gzip")))
        plain = route("/plain", "plain")
        async with envoy_of(mesh_of((small, plain), upstream(endpoint(behind.port))), tmp_path) as port:
            packed = await asked(port, "GET", "/small", accept_encoding="gzip")
            assert (packed.get("content-encoding"), gzip.decompress(packed.body)) == ("gzip", text)
            assert (await asked(port, "GET", "/small", accept_encoding="gzip, br")).get("content-encoding") == "br"
            assert (await asked(port, "GET", "/small", accept_encoding="zstd")).body == text
            assert (await asked(port, "GET", "/plain", accept_encoding="gzip")).body == text


def test_stars_are_written_out() -> None:
    found, unknown = media_types(Compression("urn:test:c", types=("text/*", "image/*", "application/json")))
    assert "text/html" in found and "application/json" in found
    assert unknown == ["image/*"]
