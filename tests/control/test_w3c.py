"""The test suites of the W3C for the SPARQL 1.1 Protocol and the Graph Store HTTP Protocol, case by case.

The cases stand in ``tests/support/w3c``: by the names of the suites' manifests, with what was adapted and why, and those
that do not apply (``docs/protocols.md`` lists them for people).
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pyoxigraph as ox
import pytest

from tests.support.serving import Serving, serve_process

from .test_serve import shop

FOLDER = Path(__file__).parents[1] / "support" / "w3c"
SUITES = {
    name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in ("protocol", "graph_store")
}
CASES = [(suite, case) for suite, found in SUITES.items() for case in found["cases"] if "steps" in case]
DOCUMENT = Path(__file__).parents[2] / "docs" / "protocols.md"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("w3c")
    file = folder / "gateway.ttl"
    file.write_text(shop(backend_port))
    with serve_process("--store", folder / "store", file, "--workers", "1", "--no-watch") as running:
        yield running


@pytest.mark.parametrize(("suite", "case"), CASES, ids=[f"{suite}/{case['name']}" for suite, case in CASES])
async def test_case(gateway: Serving, backend_port: int, suite: str, case: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        if suite == "graph_store":
            first = {"method": "PUT", "path": "/data?default", "type": "text/turtle", "body": shop(backend_port)}
            assert (await ask(session, gateway, first, backend_port))[0] in (200, 204)
        for step in case["steps"]:
            status, media, body = await ask(session, gateway, step["request"], backend_port)
            wanted = step["answer"]
            if wanted["status"].endswith("xx"):
                assert str(status)[0] == wanted["status"][0], (status, body)
            else:
                assert str(status) == wanted["status"], body
            assert media in wanted.get("types", [media]), body
            if "boolean" in wanted:
                assert truth(media, body) is wanted["boolean"], step
            if "holds" in wanted:
                subjects = {str(quad.subject.value) for quad in ox.parse(body, format=ox.RdfFormat.TURTLE)}  # type: ignore[union-attr]
                assert set(wanted["holds"]) <= subjects


async def ask(
    session: aiohttp.ClientSession, gateway: Serving, request: dict[str, Any], backend_port: int
) -> tuple[int, str, bytes]:
    fields = {"Content-Type": request["type"]} if request.get("type") else {}
    if "accept" in request:
        fields["Accept"] = request["accept"]
    body = request.get("body", "").replace("$CONFIG$", shop(backend_port))
    async with session.request(
        request["method"],
        yarl(gateway.admin + request["path"]),
        data=body.encode(request.get("encoding", "utf-8")) or None,
        headers=fields,
        skip_auto_headers=("Content-Type",),
    ) as answer:
        return answer.status, answer.content_type, await answer.read()


def yarl(url: str) -> Any:
    from yarl import URL

    return URL(url, encoded=True)  # as the case spells it


def truth(media: str, body: bytes) -> bool:
    if media.endswith("json"):
        return bool(json.loads(body)["boolean"])
    (found,) = ElementTree.fromstring(body).iter("{http://www.w3.org/2005/sparql-results#}boolean")
    return found.text == "true"


def test_the_suites_are_whole_and_what_does_not_apply_is_told() -> None:
    counts = {name: len({case["name"] for case in suite["cases"]}) for name, suite in SUITES.items()}
    assert counts == {"protocol": 34, "graph_store": 19}
    left_out = {case["name"]: case["not_applicable"] for suite in SUITES.values() for case in suite["cases"] if "steps" not in case}  # fmt: skip
    told = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in left_out if f"`{name}`" not in told] == []
    assert f"{len(CASES)} of the 53" in told
