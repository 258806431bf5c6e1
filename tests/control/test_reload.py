"""Edits of a served configuration: good ones go live under traffic, bad ones change nothing."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from api_gateway_service_mesh.security.authority import create_authority, issue, rotate
from tests.support.serving import Serving, load, serve_process, turtle

from .test_serve import get, json_of, shop


@pytest.fixture
def config(tmp_path: Path, backend_port: int) -> Path:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    return file


def edit(file: Path, text: str) -> None:
    """As editors save: write beside, then replace."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


async def metric(gateway: Serving, name: str) -> float:
    text = (await get(gateway.admin + "/metrics"))[1]
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def test_good_edits_go_live_without_a_failed_request(config: Path, backend_port: int) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        async with load(gateway.url + "/r0/x") as traffic:
            await traffic.more(50)
            for revision in range(2, 7):
                seen = len(gateway.lines)
                edit(config, shop(backend_port, routes=revision))
                gateway.said(rf"revision {revision} is live", after=seen)
                assert (await get(f"{gateway.url}/r{revision - 1}/x"))[0] == 200
                await traffic.more(50)
        assert traffic.failures == []
        assert set(traffic.statuses) == {200}
        gateway.said("routes: 1 added")
        assert await metric(gateway, "agw_config_reloads_total") == 5
        requests = (await json_of(gateway.admin + "/routes"))["routes"][0]["requests"]  # type: ignore[index]
        assert requests == traffic.total  # counted over all revisions


async def test_a_bad_edit_leaves_the_old_table_serving(config: Path, backend_port: int) -> None:
    with serve_process(config) as gateway:
        good = config.read_text()
        edit(config, good.replace("agw:routePath", "agw:routePth"))
        gateway.said("the new configuration is refused")
        gateway.said(r"gateway\.ttl:4:")
        gateway.said("1 error")
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        assert (await get(gateway.admin + "/readyz"))[0] == 200
        assert await metric(gateway, "agw_config_rejected_total") == 1
        revisions = await json_of(gateway.admin + "/revisions")
        assert revisions[0]["revision"] is None  # type: ignore[index]
        assert revisions[0]["refused"]["findings"][0]["suggestion"]  # type: ignore[index]
        assert (await json_of(gateway.admin + "/config"))["refused"]["violations"] >= 1  # type: ignore[index]
        edit(config, good)
        gateway.said("again the one in force")
        assert (await json_of(gateway.admin + "/config"))["refused"] is None  # type: ignore[index]
        edit(config, shop(backend_port, routes=2))
        gateway.said("revision 2 is live")


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "@prefix ex: <urn:> . ex:a ex:b ex:c .", "@prefix a: <urn:> . a:b a:c " + "[ a:d " * 50_000],
    ids=["empty", "comment", "no routes", "deep"],
)
async def test_nothing_replaces_a_good_configuration(config: Path, text: str) -> None:
    with serve_process(config, "--workers", "1") as gateway:
        edit(config, text)
        gateway.said("the new configuration is refused")
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        assert gateway.process.poll() is None


async def test_a_removed_file_is_refused_and_its_return_taken(config: Path, backend_port: int) -> None:
    with serve_process(config, "--workers", "1") as gateway:
        config.unlink()
        gateway.said("the new configuration is refused")
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        config.write_text(shop(backend_port, routes=3))
        gateway.said("revision 2 is live")


async def test_a_config_map_swap_is_seen(tmp_path: Path, backend_port: int) -> None:
    """Kubernetes: gateway.ttl → ..data/gateway.ttl, ..data → a dated folder, swapped by rename."""
    for name, routes in (("..one", 1), ("..two", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gateway.ttl").write_text(shop(backend_port, routes=routes))
    (tmp_path / "..data").symlink_to("..one")
    file = tmp_path / "gateway.ttl"
    file.symlink_to("..data/gateway.ttl")
    with serve_process(file, "--workers", "1") as gateway:
        (tmp_path / "..data_tmp").symlink_to("..two")
        os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
        gateway.said("revision 2 is live")
        assert (await get(gateway.url + "/r1/x"))[0] == 200


async def test_a_hangup_loads_again_without_watching(config: Path, backend_port: int) -> None:
    with serve_process(config, "--workers", "1", "--no-watch") as gateway:
        edit(config, shop(backend_port, routes=2))
        gateway.process.send_signal(signal.SIGHUP)
        gateway.said("revision 2 is live")


async def test_listeners_change_at_reload_and_a_taken_port_keeps_the_old(tmp_path: Path, backend_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        first, second = one.getsockname()[1], two.getsockname()[1]
    taken = socket.create_server(("127.0.0.1", 0))

    def listening(*ports: int) -> str:
        stated = "".join(
            f'ex:gateway agw:hasListener ex:l{port} . ex:l{port} a agw:Listener ; agw:port {port} ; agw:bindAddress "127.0.0.1" .\n'
            for port in ports
        )
        return shop(backend_port, extra=stated)

    file = tmp_path / "gateway.ttl"
    file.write_text(listening(first))
    gateway = Serving("--admin-port", "0", "--workers", "2", str(file))
    try:
        gateway.ready()
        assert gateway.port == first
        edit(file, listening(first, second))
        gateway.said("revision 2 is live")
        assert (await get(f"http://127.0.0.1:{second}/r0/x"))[0] == 200
        edit(file, listening(second))
        gateway.said("revision 3 is live")
        assert (await get(f"http://127.0.0.1:{second}/r0/x"))[0] == 200
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", first), timeout=1)
        edit(file, listening(second, taken.getsockname()[1]))
        gateway.said("is refused; the one before stays in force: port")
        assert (await get(f"http://127.0.0.1:{second}/r0/x"))[0] == 200
        assert gateway.end() == 0
    finally:
        gateway.process.kill()
        taken.close()


def test_rotated_certificates_are_taken_up_while_connections_live_on(tmp_path: Path, backend_port: int) -> None:
    """The Turtle stays as it is; the files it names change (`agw cert rotate`, cert-manager, a mounted Secret)."""
    authority = tmp_path / "certs"
    create_authority(authority, "test")
    issued = issue(authority, ["localhost"])
    file = tmp_path / "g.ttl"
    file.write_text(
        turtle(
            f"""ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:c ] .
            ex:c a agw:Certificate ; agw:certificateFile "certs/{issued.certificate_file.name}" ;
                agw:privateKeyRef "file:certs/{issued.key_file.name}" .
            ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
            ex:s a agw:BackendService ; agw:address "127.0.0.1:{backend_port}" ."""
        )
    )
    trust = ssl.create_default_context(cafile=str(issued.trust_bundle_file))

    def connect(port: int) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection("localhost", port, context=trust, timeout=10)
        connection.connect()
        return connection

    def serial(connection: http.client.HTTPSConnection) -> str:
        return str(connection.sock.getpeercert()["serialNumber"])

    with serve_process(file, "--workers", "2") as gateway:
        held = connect(gateway.port)
        before = serial(held)
        seen = len(gateway.lines)
        rotate(authority, "localhost")
        gateway.said("certificates are loaded again", after=seen)
        assert serial(connect(gateway.port)) != before
        held.request("GET", "/x")
        assert held.getresponse().status == 200
        assert serial(held) == before
