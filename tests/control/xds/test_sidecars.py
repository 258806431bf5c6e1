"""The story of examples/sidecars with real Envoys: mutual TLS is the only road, and certificates change under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from api_gateway_service_mesh.model import Certificate
from api_gateway_service_mesh.security.authority import issue_pair
from tests.control.xds.test_envoys import running, until
from tests.parity.running import ENVOY, free_port, started
from tests.support.certs import new_authority
from tests.support.examples import copied
from tests.support.serving import Serving, load

pytest.importorskip("grpc")
pytest.importorskip("xds")
pytestmark = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")

_PORTS = ("8080", "9101", "9102", "9001", "9002", "15001", "15002")


@dataclass
class Warehouse:
    """The example on ports of its own; ``port`` has them by those that the example states."""

    folder: Path
    port: dict[str, int]
    agw: Serving

    @property
    def orders(self) -> str:
        return f"http://127.0.0.1:{self.port['8080']}/orders/7"

    def caller(self, name: str, folder: Path | None = None) -> ssl.SSLContext:
        """Someone with a certificate for `name`, of the warehouse's own authority unless `folder` has another."""
        context = ssl.create_default_context(cafile=str(self.folder / "certs" / "ca.pem"))
        context.check_hostname = False
        if folder is None:
            asked = Certificate("urn:test:caller", names=(f"spiffe://warehouse.example/{name}",))
            folder = self.folder.parent
            pair = issue_pair(self.folder / "certs", asked)
            (folder / f"{name}.pem").write_bytes(pair.chain + pair.key)
        context.load_cert_chain(folder / f"{name}.pem")
        return context


@contextlib.contextmanager
def services(folder: Path, port: dict[str, int]) -> Iterator[None]:
    start = runpy.run_path(str(folder / "services.py"))["start"]
    servers = start(port["9001"], port["9002"], port["15001"])
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextlib.asynccontextmanager
async def warehouse(tmp_path: Path) -> AsyncIterator[Warehouse]:
    """agw, both services, and three Envoys."""
    folder = copied("sidecars", tmp_path)
    port = {stated: free_port() for stated in _PORTS}
    file, door = folder / "gateway.ttl", free_port()
    text = file.read_text(encoding="utf-8")
    for stated in _PORTS:
        text = text.replace(f"127.0.0.1:{stated}", f"127.0.0.1:{port[stated]}").replace(
            f"ort {stated} ", f"ort {port[stated]} "
        )
    file.write_text(text, encoding="utf-8")
    with services(folder, port), running("xds", str(file), "--port", str(door)) as agw:
        await asyncio.to_thread(agw.said, "envoys are waited for")
        async with contextlib.AsyncExitStack() as stack:
            for node, opens in (
                ("edge-1", ("8080",)),
                ("sidecar/orders/1", ("9101", "15001")),
                ("sidecar/stock", ("9102", "15002")),
            ):
                bootstrap = tmp_path / node.replace("/", "-") / "envoy.json"
                bootstrap.parent.mkdir()
                made = await _printed("--bootstrap", node, "--port", str(door), "--envoy-admin", "none")
                bootstrap.write_text(made)
                await stack.enter_async_context(started(bootstrap, *(port[each] for each in opens)))
            here = Warehouse(folder, port, agw)
            await until(here.orders, 200)
            yield here


async def _printed(*arguments: str) -> str:
    one = Serving(*arguments, command="xds")
    assert await asyncio.to_thread(one.end, 0, 30) == 0
    return "\n".join(one.output)


async def asked(
    url: str, context: ssl.SSLContext | None = None, method: str = "GET", **headers: str
) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, ssl=context or True, headers=headers) as answer:
            return answer.status, await answer.text()


async def test_services_reach_each_other_by_mutual_tls_alone(tmp_path: Path) -> None:
    async with warehouse(tmp_path) as here:
        _, text = await asked(here.orders)
        told = json.loads(text)
        assert "URI=spiffe://warehouse.example/gateway" in told["caller"]
        assert "URI=spiffe://warehouse.example/orders" in told["stock"]["caller"]

        stock = f"127.0.0.1:{here.port['9102']}/items/7"
        assert (await asked(f"https://{stock}", here.caller("orders")))[0] == 200
        # In plain text, without a certificate, with one of another authority: nobody gets as far as a status.
        stranger = new_authority(tmp_path, "stranger").issue("eve", uris=["spiffe://warehouse.example/orders"])
        both = tmp_path / "eve-both.pem"
        both.write_bytes(stranger.certificate_pem + stranger.key_pem)
        nobody = ssl.create_default_context(cafile=str(here.folder / "certs" / "ca.pem"))
        nobody.check_hostname = False
        for context in (nobody, here.caller("eve-both", tmp_path)):
            with pytest.raises((aiohttp.ClientError, OSError)):
                await asked(f"https://{stock}", context)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await asked(f"http://{stock}")
        # Another identity of the same authority, and what the right one may not do.
        for name, method, path, status in (
            ("gateway", "GET", "/items/7", 403),
            ("thief", "GET", "/items/7", 403),
            ("orders", "POST", "/items/7", 403),
            ("orders", "GET", "/admin", 403),
        ):
            url = f"https://127.0.0.1:{here.port['9102']}{path}"
            assert (await asked(url, here.caller(name), method))[0] == status, (name, method, path)
        # A service calls by name, and only whom it may call.
        out = f"http://127.0.0.1:{here.port['15001']}/items/7"
        assert (await asked(out, Host="stock"))[0] == 200
        assert (await asked(out, Host="orders"))[0] == 404
        assert (await asked(f"http://127.0.0.1:{here.port['15002']}/orders/7", Host="orders"))[0] == 403


async def test_certificates_change_under_load_without_a_failed_request(tmp_path: Path) -> None:
    async with warehouse(tmp_path) as here, load(here.orders, clients=4) as traffic:
        shown = set()
        for name in ("ordersIdentity", "stockIdentity", "gatewayIdentity", "stockIdentity"):
            said = len(here.agw.lines)
            admin = await _admin(here)
            async with aiohttp.ClientSession() as session:
                url = f"{admin}/certificates/rotate?certificate=http%3A%2F%2Fexample.org%2Fwarehouse%23{name}"
                async with session.post(url, data=b"") as answer:
                    assert answer.status in (200, 202), await answer.text()
            await asyncio.to_thread(here.agw.said, f"{name} is issued", after=said)
            await traffic.more(40, seconds=60)
            shown.add(await _shown(here, "9102"))
        assert traffic.failures == [] and set(traffic.statuses) == {200}
        assert len(shown) == 3


async def _admin(here: Warehouse) -> str:
    found = await asyncio.to_thread(here.agw.said, r"admin (http://127\.0\.0\.1:\d+)")
    return found[1]


async def _shown(here: Warehouse, port: str) -> bytes:
    """The certificate that a sidecar shows."""
    _, writer = await asyncio.open_connection("127.0.0.1", here.port[port], ssl=here.caller("orders"))
    try:
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        return found
    finally:
        writer.close()
