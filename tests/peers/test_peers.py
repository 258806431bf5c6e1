"""What clients and backends see of agw and of Envoy, configured alike: the same, or a difference that is explained."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import Serving, turtle

ENVOY = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
pytestmark = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program")

CASES = ("ok", "flapping", "unavailable", "resetting", "slow", "teapot")
DIFFERENCES: dict[str, str] = {"resetting": "Envoy answers 503 when the backend breaks off, agw 502 (RFC 9110 15.6.3)"}
Seen = dict[str, tuple[int, int]]


async def _serve(attempts: dict[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    case = head.split()[1].decode().strip("/")
    attempts[case] = attempts.get(case, 0) + 1
    status = {"ok": 200, "unavailable": 503, "teapot": 418}.get(case, 200)
    if case == "flapping" and attempts[case] == 1:
        status = 503
    if case == "resetting":
        writer.transport.abort()
        return
    if case == "slow":
        await asyncio.sleep(1.0)
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi" % status)
    writer.close()


async def _status(port: int, case: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /%b HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n" % case.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split()[1])


async def _seen(port: int, attempts: dict[str, int]) -> Seen:
    found: Seen = {}
    for case in CASES:
        attempts.clear()
        status = await _status(port, case)
        found[case] = (status, attempts.get(case, 0))
    return found


def _envoy(front: int, backend: int) -> str:
    def address(port: int) -> object:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    kind = "type.googleapis.com/envoy.extensions.filters"
    retry = {"retry_on": "connect-failure,reset,gateway-error", "num_retries": 2, "per_try_timeout": "0.3s"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "b", "timeout": "2s", "retry_policy": retry}}
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "f",
        "http_filters": [{"name": "r", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(backend)}}
    members = {"cluster_name": "b", "endpoints": [{"lb_endpoints": [endpoint]}]}
    listener = {"name": "f", "address": address(front), "filter_chains": [chain]}
    cluster = {"name": "b", "type": "STATIC", "load_assignment": members}
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


async def _through_envoy(folder: Path, backend: int, attempts: dict[str, int]) -> Seen:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        front = probe.getsockname()[1]
    (folder / "envoy.json").write_text(_envoy(front, backend))
    command = [str(ENVOY), "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "off"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", front)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            return await _seen(front, attempts)
        finally:
            process.kill()


async def test_clients_and_backends_see_the_same(tmp_path: Path) -> None:
    attempts: dict[str, int] = {}
    server = await asyncio.start_server(lambda r, w: _serve(attempts, r, w), "127.0.0.1", 0)
    backend = server.sockets[0].getsockname()[1]
    file = tmp_path / "gateway.ttl"
    file.write_text(
        turtle(
            f"""@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
            ex:all a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:b ; agw:hasRetryPolicy ex:again ;
            agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 2 ; agw:perAttemptTimeout "PT0.3S"^^xsd:dayTimeDuration ] .
            ex:again a agw:RetryPolicy ; agw:retryAttempts 2 ; agw:retryOn "connect-failure" , "reset" , "gateway-error" , "timeout" .
            ex:b a agw:BackendService ; agw:address "127.0.0.1:{backend}" ."""
        )
    )
    async with server:
        theirs = await _through_envoy(tmp_path, backend, attempts)
        gateway = Serving(str(file), "--port", "0", "--admin-port", "0", "--workers", "1")
        try:
            await asyncio.to_thread(gateway.ready)
            ours = await _seen(gateway.port, attempts)
        finally:
            gateway.process.terminate()
            await asyncio.to_thread(gateway.process.wait)
    differing = {case: (ours[case], theirs[case]) for case in CASES if ours[case] != theirs[case]}
    assert differing.keys() == DIFFERENCES.keys(), differing
    assert {case: seen[1] for case, seen in ours.items()} == {case: seen[1] for case, seen in theirs.items()}
