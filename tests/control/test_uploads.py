"""What is sent to the admin port has a bound, unpacked or not, on every path that takes a body; the gateway goes on."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.serving import Serving, serve_process, turtle

MEBIBYTE = 1024 * 1024
TURTLE = "text/turtle"
PLACES = (
    ("POST", "/data?default", TURTLE, 64),
    ("PUT", "/data?default", TURTLE, 64),
    ("POST", "/shacl", TURTLE, 1),
    ("POST", "/sparql", "application/sparql-update", 1),
    ("POST", "/sparql", "application/sparql-query", 1),
    ("POST", "/sparql", "application/x-www-form-urlencoded", 1),
    ("POST", "/data?default", "multipart/form-data; boundary=b", 64),
)
"""Method, path, type, and how many MiB are taken at most."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    file: Path = tmp_path_factory.mktemp("uploads") / "gateway.ttl"
    file.write_text(turtle('ex:r a agw:Route ; agw:routePath "/" ; agw:hasDirectResponse [ a agw:DirectResponse ] .'))
    with serve_process(file, "--writable", "--workers", "1") as serving:
        yield serving


def resident(gateway: Serving) -> int:
    """What the control process has held at most, in MiB."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) // 1024


async def much(mebibytes: int) -> AsyncIterator[bytes]:
    for _ in range(mebibytes):
        yield b"# " + b"x" * (MEBIBYTE - 3) + b"\n"


@pytest.mark.parametrize("place", PLACES, ids=[f"{place[0]} {place[1]} {place[2][:25]}" for place in PLACES])
async def test_too_much_is_refused(gateway: Serving, place: tuple[str, str, str, int]) -> None:
    method, path, kind, most = place
    before = resident(gateway)
    bomb = gzip.compress(b"# " + b" " * ((most + 60) * MEBIBYTE))
    assert len(bomb) < MEBIBYTE
    said = []
    async with aiohttp.ClientSession() as session:
        for body, fields in ((much(most + 2), {}), (bomb, {"Content-Encoding": "gzip"})):
            try:
                async with session.request(
                    method, gateway.admin + path, data=body, headers={"Content-Type": kind, **fields}
                ) as answer:
                    said.append(answer.status)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                pass  # it was refused while it was still being sent
        assert set(said) <= {400, 413, 415} and said, said
        assert 413 in said or "multipart" in kind, said
        async with session.get(f"{gateway.admin}/readyz") as answer:
            assert answer.status == 200
        async with session.get(f"{gateway.admin}/revisions") as answer:
            assert len(await answer.json()) == 1, "nothing of it counts"
    assert resident(gateway) - before < 4 * most + 64, "MiB that the control process grew by"
