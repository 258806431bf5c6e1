"""What a change would touch, asked of a running gateway; and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.serving import serve_process, turtle

from .test_serve import get, json_of, shop
from .test_update import PREFIX, send


async def test_asked_of_a_running_gateway(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    limited = "ex:r0 agw:hasRateLimiter ex:limit . ex:limit a agw:RateLimiter ; agw:requestsPerSecond 500 ."
    file.write_text(shop(backend_port, routes=2, extra=limited))
    with serve_process(file, "--workers", "1") as gateway:
        for path in ("/r0/x", "/r0/y", "/r0/z", "/r1/x"):
            assert (await get(gateway.url + path))[0] == 200
        told = await json_of(f"{gateway.admin}/impact?iri=ex:limit")
        assert told["routes"] == ["http://example.org/r0"]  # type: ignore[index]
        assert told["share"] == 0.75  # type: ignore[index]
        assert any(item.startswith("istio/") for item in told["manifests"])  # type: ignore[index]
        text = (await send(gateway, "GET", "/impact?iri=ex:backend&manifests=false", Accept="text/plain"))[1]
        assert "2 routes" in text and "100.0% of the requests so far" in text and "manifest" not in text
        change = (
            "DELETE { ?r agw:routePath '/r1/*' } INSERT { ?r agw:routePath '/r2/*' } WHERE { ?r agw:routePath '/r1/*' }"
        )
        for body, media in ((PREFIX + change, "application/sparql-update"), (R1, "text/turtle")):
            status, text, _ = await send(gateway, "POST", "/impact", body, Content_Type=media)
            assert (status, json.loads(text)["routes"]) == (200, ["http://example.org/r1"]), text
        status, text, _ = await send(gateway, "POST", "/impact", PREFIX + "INSERT DATA { ex:r0 agw:routePth '/x' }",
                                     Content_Type="application/sparql-update")  # fmt: skip
        assert (status, json.loads(text)["report"]["conforms"]) == (422, False)
        assert (await send(gateway, "GET", "/impact?iri=ex:nobody"))[0] == 404
        assert (await send(gateway, "GET", "/impact"))[0] == 400
        assert (await send(gateway, "POST", "/impact", "x", Content_Type="image/png"))[0] == 415
        assert len(await json_of(gateway.admin + "/revisions")) == 1  # type: ignore[arg-type]
        assert (await get(gateway.url + "/r1/x"))[0] == 200


R1 = turtle('ex:r1 a agw:Route ; agw:routePath "/r2/*" ; agw:hasBackendService ex:backend ; agw:owner "web" .')
