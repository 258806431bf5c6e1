"""Starting warm: from what the last run compiled, if it is exactly that; and never trusted blindly."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from api_gateway_service_mesh.control import warm
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.store_files import FileStore
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.edits import BASE
from tests.support.serving import serve_process

from .test_serve import get, json_of, shop
from .test_update import ADD, update

KEY = warm.key_of("a" * 64, None)


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    mesh = build(SourceGraph.parse(BASE)).mesh
    path = tmp_path / "c"
    warm.save_snapshot(path, KEY, mesh)
    assert warm.load_snapshot(path, KEY) == mesh
    assert warm.load_snapshot(path, warm.key_of("b" * 64, None)) is None
    assert warm.load_snapshot(path, warm.key_of("a" * 64, "urn:other")) is None
    assert warm.load_snapshot(tmp_path / "none", KEY) is None


def test_another_program_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_program", lambda: "changed")
    assert warm.key_of("a" * 64, None) != KEY


def test_no_byte_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "c"
    warm.save_snapshot(path, KEY, build(SourceGraph.parse(BASE)).mesh)
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


@pytest.mark.parametrize("value", [_Evil(), os.system, "text", {"a": 1}])
def test_only_models_are_made(tmp_path: Path, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(os, "system", called.append)
    path = tmp_path / "c"
    monkeypatch.setattr(warm.pickle, "dumps", lambda _, protocol: pickle._dumps(value, protocol))  # type: ignore[attr-defined]
    warm.save_snapshot(path, KEY, None)  # type: ignore[arg-type]
    assert warm.load_snapshot(path, KEY) is None
    assert called == []


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
