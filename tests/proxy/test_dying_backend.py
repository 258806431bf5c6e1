"""A backend process that is killed under load costs no client an error, when retries are allowed."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import Counter

from api_gateway_service_mesh.model import Algorithm, Balancer, OutlierDetection, Retry, RetryCondition
from api_gateway_service_mesh.policies import read_ejection
from tests.support.backend import read_answer
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

SERVER = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            await asyncio.sleep(0.002)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
RETRY = Retry(
    "urn:test:retry",
    attempts=3,
    initial_delay_seconds=0.002,
    conditions=frozenset({RetryCondition.RESET, RetryCondition.CONNECT_FAILURE}),
)
EJECTS = OutlierDetection("urn:test:detection", consecutive_errors=3, base_ejection_seconds=0.5)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def start(port: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def client(gateway: Running, seen: Counter[str], stop: asyncio.Event) -> None:
    reader, writer = await gateway.connect()
    while not stop.is_set():
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        seen[(await read_answer(reader)).line.split(" ")[1]] += 1
    writer.close()


async def test_a_backend_killed_under_load_costs_no_client_an_error() -> None:
    ports = [free_port() for _ in range(3)]
    backends = [await start(port) for port in ports]
    ends = [endpoint(port, f"e{number}") for number, port in enumerate(ports)]
    mesh = mesh_of(
        route(retry=RETRY, balancer=Balancer("urn:test:balancer", Algorithm.POWER_OF_TWO)),
        upstream(*ends, outlier=EJECTS),
    )
    seen: Counter[str] = Counter()
    stop = asyncio.Event()
    try:
        async with running(mesh) as gateway:
            view, base = gateway.store.view, gateway.layout.slots["health", ends[1].iri]
            clients = [asyncio.create_task(client(gateway, seen, stop)) for _ in range(12)]
            async with asyncio.timeout(30):
                while seen["200"] < 200:
                    await asyncio.sleep(0.01)
                backends[1].send_signal(signal.SIGKILL)
                await backends[1].wait()
                while not read_ejection(view, base)[1]:  # noticed by its answers alone
                    await asyncio.sleep(0.01)
                at_ejection = seen["200"]
                while seen["200"] < at_ejection + 400:
                    await asyncio.sleep(0.01)
                backends[1] = await start(ports[1])  # and it comes back by itself
                while read_active(gateway, ends[1].iri) == 0:
                    await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*clients)
    finally:
        for process in backends:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert set(seen) == {"200"}


def read_active(gateway: Running, iri: str) -> float:
    """Requests under way to an endpoint."""
    return gateway.store.view[gateway.layout.slots["endpoint", iri]]
