"""Starting warm: from what the last run compiled, if it is exactly that; and never trusted blindly."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import pytest

from api_gateway_service_mesh.control import warm
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.compiled import Compiled, Unreadable, _Unpickler, seal
from api_gateway_service_mesh.control.store_files import FileStore
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.edits import BASE
from tests.support.serving import serve_process

from .test_serve import get, json_of, shop
from .test_update import ADD, update

KEY = warm.key_of("a" * 64, None)
SLOTS = {("route", "urn:r"): 8, ("epoch", ""): 0}


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    mesh = build(SourceGraph.parse(BASE)).mesh
    path = tmp_path / "c"
    warm.save_snapshot(path, KEY, mesh, SLOTS)
    found = warm.load_snapshot(path, KEY)
    assert found is not None
    assert found.read() == (mesh, SLOTS)
    assert (found.head.iri, found.routes, found.looks_up) == (mesh.iri, len(mesh.routes), False)
    assert warm.load_snapshot(path, warm.key_of("b" * 64, None)) is None
    assert warm.load_snapshot(path, warm.key_of("a" * 64, "urn:other")) is None
    assert warm.load_snapshot(path, warm.key_of("a" * 64, None, workers=2)) is None
    assert warm.load_snapshot(tmp_path / "none", KEY) is None


def test_another_program_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_program", lambda: "changed")
    assert warm.key_of("a" * 64, None) != KEY


def test_no_byte_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "c"
    warm.save_snapshot(path, KEY, build(SourceGraph.parse(BASE)).mesh, SLOTS)
    data = path.read_bytes()
    for at in (0, 20, 90, 160, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert warm.load_snapshot(path, KEY) is None
    for at in (0, 10, 100, len(data) - 1):
        path.write_bytes(data[:at])
        assert warm.load_snapshot(path, KEY) is None


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


@pytest.mark.parametrize("value", [_Evil(), os.system, "text", {"a": 1}, (1, 2, 3)])
@pytest.mark.parametrize("part", [0, 1])
def test_only_models_are_made(tmp_path: Path, value: object, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands under the right digest was written by somebody who can write there; it is not trusted all the same."""
    called = []
    monkeypatch.setattr(os, "system", called.append)
    mesh = build(SourceGraph.parse(BASE)).mesh
    right = seal(mesh, SLOTS)
    stream = io.BytesIO(right)
    _Unpickler(stream).load()
    first = right[: stream.tell()]
    body = pickle.dumps(value) if part == 0 else first + pickle.dumps(value)
    path = tmp_path / "c"
    path.write_bytes(b"agw compiled 2\n" + f"{KEY} {hashlib.sha256(body).hexdigest()}\n".encode() + body)
    found = warm.load_snapshot(path, KEY)
    if part == 0:
        assert found is None
    else:
        assert found is not None
        with pytest.raises(Unreadable):
            found.read()
    assert called == []


def test_what_routes_share_is_shared_again() -> None:
    """One limiter of two routes is one limiter when it is read, as live state tells them apart by identity."""
    shared = BASE + (
        'ex:one a agw:Route ; agw:routePath "/one" ; agw:hasBackendService ex:both ; agw:hasRateLimiter ex:limit .\n'
        'ex:two a agw:Route ; agw:routePath "/two" ; agw:hasBackendService ex:both ; agw:hasRateLimiter ex:limit .\n'
        'ex:both a agw:BackendService ; agw:address "127.0.0.1:9" .\n'
    )
    made = build(SourceGraph.parse(shared)).mesh
    mesh, _ = Compiled.of(seal(made, {})).read()
    one, two = (route for route in mesh.routes if route.match.path.text in ("/one", "/two"))
    assert one.rate_limits
    assert one.rate_limits[0] is two.rate_limits[0]


async def test_the_next_start_is_warm(tmp_path: Path, backend_port: int) -> None:
    seed, store = tmp_path / "gateway.ttl", tmp_path / "store"
    seed.write_text(shop(backend_port))
    with serve_process("--store", store, seed, "--workers", "1") as gateway:
        assert not any("last run" in line for line in gateway.lines)
        assert (await update(gateway, ADD.format(1)))[0] == 200
    with serve_process("--store", store, "--workers", "1") as gateway:
        assert any("2 routes are served as the last run compiled them" in line for line in gateway.lines)
        assert (await get(gateway.url + "/n1/x"))[0] == 200
        assert (await json_of(gateway.admin + "/revisions"))[0]["revision"] == 2  # type: ignore[index]
        assert (await update(gateway, ADD.format(2)))[0] == 200
        gateway.process.kill()
        gateway.process.wait()
    with serve_process("--store", store, "--workers", "1") as gateway:  # compiled before the last change
        assert not any("last run" in line for line in gateway.lines)
        assert (await get(gateway.url + "/n2/x"))[0] == 200


def test_large_files_have_a_private_place_for_their_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small, large = tmp_path / "small.ttl", tmp_path / "large.ttl"
    small.write_text(BASE)
    large.write_text(BASE + "# " + "x" * 300_000 + "\n")
    assert FileStore([small]).compiled is None
    store = FileStore([large])
    path = store.compiled
    assert path is not None
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path != FileStore([large, small]).compiled
    assert store.content() == store.content(store.read())
    before = store.content()
    large.write_text(large.read_text() + "\n")
    assert store.content() != before
    path.parent.chmod(0o755)
    assert store.compiled is None  # others could put something there
    monkeypatch.setenv("XDG_CACHE_HOME", str(small))
    assert store.compiled is None
    assert FileStore([large], store.read).compiled is None


async def test_files_are_served_as_compiled_while_they_are_read_again(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    file = tmp_path / "shop.ttl"
    file.write_text(shop(1) + "# " + "x" * 300_000 + "\n")
    with serve_process(file, "--workers", "1", environment=environment) as gateway:
        assert not any("last run" in line for line in gateway.lines)
    (kept,) = (tmp_path / "cache" / "agw").iterdir()
    with serve_process(file, "--workers", "1", environment=environment) as gateway:
        assert any("last run" in line for line in gateway.lines)
    kept.write_bytes(kept.read_bytes()[:-1])
    with serve_process(file, "--workers", "1", environment=environment) as gateway:
        assert not any("last run" in line for line in gateway.lines)
