"""Kubernetes: a real API server over a real etcd, and answers that a real one gives rarely."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import (
    Discoveries,
    DiscoveryState,
    Instance,
    SourceError,
    kubernetes,
    kubernetes_watch,
)
from api_gateway_service_mesh.discovery.kubernetes import KubernetesSource
from api_gateway_service_mesh.discovery.sources import source_of
from api_gateway_service_mesh.model import Discovery, Registry, RegistryType
from tests.discovery.faulty import Registry as Told
from tests.discovery.faulty import registry
from tests.support.kube_apiserver import TOKEN, ApiServer, api_server, needs_kubernetes
from tests.support.told import answers

SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def piece(name: str, *endpoints: dict[str, Any], service: str = "users", **more: Any) -> dict[str, Any]:
    """An EndpointSlice."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8000, "protocol": "TCP"}],
        "endpoints": list(endpoints),
        **more,
    }


def at(number: int, zone: str | None = None, hint: str | None = None, **conditions: bool) -> dict[str, Any]:
    """An endpoint of one."""
    made: dict[str, Any] = {"addresses": [f"10.0.0.{number}"], "conditions": conditions}
    if zone is not None:
        made["zone"] = zone
    if hint is not None:
        made["hints"] = {"forZones": [{"name": hint}]}
    return made


def lookup(url: str | None, name: str = "users", tags: tuple[str, ...] = (), **more: Any) -> Discovery:
    of_registry = {key: more.pop(key) for key in ("token_ref", "trust_file") if key in more}
    where = Registry("urn:x:kubernetes", RegistryType.KUBERNETES, url, **of_registry)
    return Discovery("urn:x:lookup", where, name, tags=tags, **more)


def source(url: str | None, **more: Any) -> KubernetesSource:
    made = source_of(lookup(url, **more))
    assert isinstance(made, KubernetesSource)
    return made


async def until(told: AsyncIterator[tuple[Instance, ...]], *numbers: int) -> tuple[Instance, ...]:
    async with asyncio.timeout(40):
        async for found in told:
            if [one.address for one in found] == [f"10.0.0.{number}" for number in numbers]:
                return found
    raise AssertionError("no more answers")


class Cluster:
    """The real one, and how a gateway outside it is told of it."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        (folder / "token").write_text(TOKEN + "\n")
        self.token = folder / "token"
        self.known = {
            "token_ref": f"file:{self.token}",
            "trust_file": str(folder / "certs" / "apiserver.crt"),
        }

    async def put(self, method: str, path: str, body: object = None, kind: str = "application/json") -> None:
        status, said = await asyncio.to_thread(self.server.ask, method, path, body, kind)
        assert status in (200, 201), said


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("kubernetes")
    with api_server(folder) as running:
        yield Cluster(running, folder)


@needs_kubernetes
async def test_it_follows_a_service(cluster: Cluster) -> None:
    await cluster.put("POST", SLICES, piece("users-a", at(1, "a"), at(2, ready=False)))
    await cluster.put("POST", SLICES, piece("orders-a", at(9), service="orders"))
    async with answers(source(cluster.server.url, **cluster.known)) as told:
        assert await until(told, 1) == (Instance("10.0.0.1", 8000, zone="a"),)
        await cluster.put("POST", SLICES, piece("users-b", at(3), ports=[{"name": "web", "port": 9000}]))
        assert [one.port for one in await until(told, 1, 3)] == [8000, 9000]
        change = {"endpoints": [at(1, "a", ready=False, serving=True, terminating=True), at(2, ready=True)]}
        await cluster.put("PATCH", SLICES + "/users-a", change, "application/merge-patch+json")
        await until(told, 2, 3)
        await cluster.put("DELETE", SLICES + "/users-a")
        await until(told, 3)
    await cluster.put("DELETE", SLICES + "/users-b")


@needs_kubernetes
async def test_a_real_watch_ends_and_goes_on(cluster: Cluster) -> None:
    await cluster.put("POST", SLICES, piece("carts-a", at(1), service="carts"))
    async with answers(source(cluster.server.url, name="carts", empty_after_seconds=1.0, **cluster.known)) as told:
        for _ in range(4):  # one second each: watches that end
            await until(told, 1)
        await cluster.put("POST", SLICES, piece("carts-b", at(2), service="carts"))
        await until(told, 1, 2)


@needs_kubernetes
async def test_a_version_that_the_real_server_has_forgotten(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    await cluster.put("POST", SLICES, piece("old-a", at(1), service="old"))
    listed = 0
    real = kubernetes_watch.KubernetesWatch._list

    async def aged(watch: kubernetes_watch.KubernetesWatch[Any], session: Any) -> None:
        nonlocal listed
        listed += 1
        await real(watch, session)
        if listed == 1:
            watch.version = "1"

    monkeypatch.setattr(kubernetes_watch.KubernetesWatch, "_list", aged)
    async with answers(source(cluster.server.url, name="old", **cluster.known)) as told:
        await until(told, 1)
        await until(told, 1)
        await cluster.put("POST", SLICES, piece("old-b", at(2), service="old"))
        await until(told, 1, 2)


@needs_kubernetes
async def test_who_may_not_is_told(cluster: Cluster) -> None:
    wrong = {**cluster.known, "token_ref": None}
    with pytest.raises(SourceError, match=r"Kubernetes answers 40[13]"):
        async with answers(source(cluster.server.url, **wrong)) as told:
            await anext(told)
    with pytest.raises(SourceError, match="ertificate"):
        async with answers(source(cluster.server.url, token_ref=cluster.known["token_ref"])) as told:
            await anext(told)


def listed(*items: dict[str, Any], version: str = "5", further: str = "") -> web.Response:
    return web.json_response({"metadata": {"resourceVersion": version, "continue": further}, "items": list(items)})


def event(kind: str, version: str, what: dict[str, Any] | None = None) -> bytes:
    made = {**(what or {"metadata": {}})}
    made["metadata"] = {**made["metadata"], "resourceVersion": version}
    return json.dumps({"type": kind, "object": made}).encode() + b"\n"


GONE = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}).encode() + b"\n"


class Script:
    """Lists in turn (the last one again and again); watches in turn, each of pieces of a body, then silence."""

    def __init__(self, told: Told, lists: list[web.Response | dict[str, Any]], watches: list[Any] = []) -> None:  # noqa: B006
        self.lists = [json.loads(one.text or "") if isinstance(one, web.Response) else one for one in lists]
        self.watches = list(watches)
        self.asked: list[dict[str, str]] = []
        self.headers: list[str | None] = []
        told.instead = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        self.headers.append(request.headers.get("Authorization"))
        if "watch" not in request.query:
            return web.json_response(self.lists.pop(0) if len(self.lists) > 1 else self.lists[0])
        pieces = self.watches.pop(0) if self.watches else None
        if isinstance(pieces, int):
            return web.json_response({"message": "too old"}, status=pieces)
        answer = web.StreamResponse()
        await answer.prepare(request)
        for part in pieces or ():
            await answer.write(part)
            await asyncio.sleep(0.05)
        if pieces is None:
            await asyncio.sleep(60)
        return answer


async def test_events_in_pieces_bookmarks_and_the_next_watch() -> None:
    added = event("ADDED", "7", piece("b", at(2)))
    async with registry() as told:
        watches = [[added[:30], added[30:] + event("BOOKMARK", "9")], [], None]
        script = Script(told, [listed(piece("a", at(1)))], watches)
        async with answers(source(told.url)) as found:
            await until(found, 1)
            await until(found, 1, 2)
            async with asyncio.timeout(20):
                while len(script.asked) < 3:
                    await anext(found)
        assert [one.get("resourceVersion") for one in script.asked[:3]] == [None, "5", "9"]
        assert script.asked[1]["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("gone", [410, [GONE]])
async def test_what_is_forgotten_is_listed_anew(gone: Any) -> None:
    async with registry() as told:
        script = Script(told, [listed(piece("a", at(1))), listed(piece("b", at(2)), version="8")], [gone, None])
        async with answers(source(told.url)) as found:
            await until(found, 1)
            await until(found, 2)
        assert ["watch" in one for one in script.asked[:3]] == [False, True, False]


async def test_a_server_that_forgets_all_the_time_is_left_alone() -> None:
    async with registry() as told:
        script = Script(told, [listed(piece("a", at(1)))], [410] * 9)
        with pytest.raises(SourceError, match="forgets at once"):
            async with answers(source(told.url)) as found:
                async for _ in found:
                    pass
        assert len(script.asked) == 4


async def test_a_list_of_pages() -> None:
    async with registry() as told:
        script = Script(told, [listed(piece("a", at(1)), further="more"), listed(piece("b", at(2)))])
        async with answers(source(told.url, tags=("version=v2",))) as found:
            await until(found, 1, 2)
        assert script.asked[1]["continue"] == "more"
        assert script.asked[0]["labelSelector"] == "kubernetes.io/service-name=users,version=v2"


_V6 = {"addressType": "IPv6"}
_LEAVING = {"ready": False, "serving": True, "terminating": True}
_TWO = [{"name": "admin", "port": 1}, {"name": "http", "port": 2}]


@pytest.mark.parametrize(
    ("slices", "more", "wanted"),
    [
        ([piece("a", at(1), at(2, ready=False))], {}, [("10.0.0.1", 8000, "")]),
        ([piece("a", at(1, **_LEAVING), at(2, ready=True))], {}, [("10.0.0.2", 8000, "")]),
        ([piece("a", at(1, **_LEAVING), at(2, ready=False))], {}, [("10.0.0.1", 8000, "")]),
        ([piece("a", at(1, ready=False, serving=False, terminating=True))], {}, []),
        ([piece("a", at(1, "a", "b"), at(2, "b", "b"))], {}, [("10.0.0.1", 8000, "b"), ("10.0.0.2", 8000, "b")]),
        ([piece("a", at(1, "a", "b"), at(2, "b"))], {}, [("10.0.0.1", 8000, "a"), ("10.0.0.2", 8000, "b")]),
        ([piece("a", at(1)), piece("b", {"addresses": ["fd00::1"]}, **_V6)], {}, [("10.0.0.1", 8000, "")]),
        ([piece("b", {"addresses": ["fd00::1", "fd00::2"]}, **_V6)], {}, [("fd00::1", 8000, "")]),
        ([piece("a", {"addresses": ["a.example"]}, addressType="FQDN")], {}, [("a.example", 8000, "")]),
        ([piece("a", at(1), ports=_TWO)], {}, [("10.0.0.1", 2, "")]),
        ([piece("a", at(1), ports=_TWO)], {"port_name": "admin"}, [("10.0.0.1", 1, "")]),
        ([piece("a", at(1), ports=_TWO)], {"port_name": "other"}, []),
        ([piece("a", at(1), ports=[{"port": 53, "protocol": "UDP"}])], {}, []),
        ([piece("a", at(1), ports=None)], {"port": 81}, [("10.0.0.1", 81, "")]),
        ([piece("a", at(1), endpoints=None)], {}, []),
    ],
)
async def test_what_is_used(slices: list[Any], more: dict[str, Any], wanted: list[tuple[str, int, str]]) -> None:
    async with registry() as told:
        Script(told, [listed(*slices)])
        async with answers(source(told.url, **more)) as found:
            assert [(one.address, one.port, one.zone) for one in await anext(found)] == wanted


async def test_labels_are_the_services() -> None:
    one = piece("a", at(1))
    one["metadata"]["labels"] |= {"version": "v2", "endpointslice.kubernetes.io/managed-by": "x"}
    async with registry() as told:
        Script(told, [listed(one)])
        async with answers(source(told.url)) as found:
            assert (await anext(found))[0].labels == ("version=v2",)


async def test_in_a_cluster_the_service_account_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SourceError, match="runs in no cluster"):
        kubernetes._place(lookup(None))
    monkeypatch.setattr(kubernetes, "ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    with pytest.raises(SourceError, match="namespace of this pod"):
        kubernetes._place(lookup(None))
    (tmp_path / "namespace").write_text("shop\n")
    where, namespace = kubernetes._place(lookup(None))
    assert (where.address, namespace) == ("https://[fd00::1]:6443", "shop")
    assert (where.token_ref, where.trust_file) == (f"file:{tmp_path / 'token'}", str(tmp_path / "ca.crt"))
    # What is elsewhere never gets the token of this cluster.
    elsewhere, namespace = kubernetes._place(lookup("https://elsewhere"))
    assert (elsewhere.token_ref, elsewhere.trust_file, namespace) == (None, None, "default")


async def test_the_token_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    async with registry() as told:
        script = Script(told, [listed(piece("a", at(1)))], [[], None])
        async with answers(source(told.url, token_ref=f"file:{file}")) as found:
            await until(found, 1)
            file.write_text("two")
            async with asyncio.timeout(20):
                while len(script.headers) < 2:
                    await anext(found)
        assert script.headers[:2] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (
            lambda: web.json_response({"message": "endpointslices is forbidden"}, status=403),
            r"403 \(whoever asks may not list.*is forbidden",
        ),
        (lambda: web.Response(status=500, text="oh"), "Kubernetes answers 500: oh"),
        (lambda: web.Response(status=302, headers={"location": "/"}), "Kubernetes answers 302"),
        (lambda: web.Response(text="<html>"), "no answer of Kubernetes"),
        (lambda: web.Response(text='{"items": [5], "metadata": {}}'), "no answer of Kubernetes"),
        (lambda: web.Response(text="[" * 100_000), "no answer of Kubernetes"),
        (lambda: listed(piece("a", at(1), ports=[{"name": "a", "port": 1}, {"name": "b", "port": 2}])), r"\(a, b\)"),
    ],
)
async def test_a_wrong_answer_is_none(whole: Callable[[], web.StreamResponse], said: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return whole()

    async with registry() as told:
        told.instead = answer
        with pytest.raises(SourceError, match=said):
            async with answers(source(told.url)) as found:
                await anext(found)


async def test_what_could_repeat_the_token_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_TOKEN", "hunter2")
    said = json.dumps({"type": "ERROR", "object": {"code": 500, "message": "no hunter2"}}).encode() + b"\n"

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text="Bearer hunter2")

    async with registry() as told:
        for script in (echo, None):
            Script(told, [listed(piece("a", at(1)))], [[said]])
            if script is not None:
                told.instead = script
            with pytest.raises(SourceError) as refused:
                async with answers(source(told.url, token_ref="env:CLUSTER_TOKEN")) as found:
                    async for _ in found:
                        pass
            assert "hunter2" not in str(refused.value)


async def test_an_outage_keeps_the_last_instances() -> None:
    async def changed() -> None:
        pass

    async with registry() as told:
        cut = [[event("ADDED", "7", piece("b", at(2))) + b'{"type": "ERROR", "object": {"code": 500}}\n'], 503]
        script = Script(told, [listed(piece("a", at(1)))], cut)
        following = Discoveries(changed)
        following.adopt([lookup(told.url)])
        standing = following.standing("urn:x:lookup")
        assert standing is not None
        try:
            async with asyncio.timeout(40):
                while standing.state is not DiscoveryState.STALE:
                    await asyncio.sleep(0.01)
                assert [each.address for each in standing.held] == ["10.0.0.1"]
                script.lists = [{"metadata": {"resourceVersion": "9"}, "items": [piece("c", at(3))]}]
                while [each.address for each in standing.held] != ["10.0.0.3"] or standing.stale_since is not None:
                    await asyncio.sleep(0.01)
            assert standing.state is DiscoveryState.CURRENT
        finally:
            await following.stop()


async def test_ten_thousand_instances_and_a_hundred_changes() -> None:
    many = [piece(f"s{n}", *({"addresses": [f"10.{n}.{m // 250}.{m % 250}"]} for m in range(1000))) for n in range(10)]
    changes = [[event("MODIFIED", str(10 + n), piece("s0", at(n))) for n in range(100)]]
    async with registry() as told:
        Script(told, [listed(*many)], changes)
        async with answers(source(told.url)) as found, asyncio.timeout(60):
            assert len(await anext(found)) == 10_000
            while len(await anext(found)) != 9_001:
                pass
