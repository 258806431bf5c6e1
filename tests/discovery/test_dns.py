"""A real name server: dnsmasq."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import pytest

from api_gateway_service_mesh.discovery import Instance, Instances, SourceError
from api_gateway_service_mesh.discovery.dns import DnsSource
from api_gateway_service_mesh.model import Discovery, RecordType, Registry, RegistryType

PROGRAM = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no dnsmasq: see .ci/servers")


def _free_port() -> int:
    """Free for both, UDP and TCP: a name server wants both."""
    while True:
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class NameServer:
    """dnsmasq with a hosts file that may change."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        self.port = _free_port()
        self.hosts = folder / "hosts"
        self.hosts.write_text("10.0.0.1 users.test\n10.0.0.2 users.test\n2001:db8::1 users.test\n")
        records = ["_api._tcp.users.test,one.test,8001,10,5", "_api._tcp.users.test,two.test,8002,20,0"]
        self.process = subprocess.Popen(
            [
                PROGRAM, "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--addn-hosts={self.hosts}",
                "--conf-file=/dev/null", f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces",
                "--local-ttl=1", "--auth-ttl=1", "--local=/test/", "--pid-file=", "--user=", "--log-facility=-",
                *(f"--srv-host={record}" for record in records),
            ],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def change(self, text: str) -> None:
        self.hosts.write_text(text)
        self.process.send_signal(1)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    running = NameServer(tmp_path)
    try:
        deadline = time.monotonic() + 20
        question = dns.message.make_query("users.test", "A")
        while True:
            try:
                if dns.query.udp(question, "127.0.0.1", timeout=0.5, port=running.port).answer:
                    break
            except (dns.exception.Timeout, OSError):
                assert running.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield running
    finally:
        running.end()


def watch(port: int, record: str, name: str = "users.test", **more: Any) -> AsyncIterator[Instances]:
    registry = Registry("urn:x:dns", RegistryType.DNS, f"127.0.0.1:{port}")
    return DnsSource(Discovery("urn:x:lookup", registry, name, RecordType(record), 80, **more)).watch()


async def _next(answers: AsyncIterator[Instances]) -> tuple[Instance, ...]:
    async with asyncio.timeout(20):
        return tuple(sorted((await anext(answers)).endpoints))


@pytest.mark.parametrize(
    ("record", "name", "expected"),
    [
        ("A", "users.test", (Instance("10.0.0.1", 80), Instance("10.0.0.2", 80))),
        ("AAAA", "users.test", (Instance("2001:db8::1", 80),)),
        (
            "SRV",
            "_api._tcp.users.test",
            (Instance("one.test", 8001, 5, priority=10), Instance("two.test", 8002, 1, priority=20)),
        ),
        ("A", "nobody.test", ()),
        ("SRV", "users.test", ()),
    ],
)
async def test_records(server: NameServer, record: str, name: str, expected: tuple[Instance, ...]) -> None:
    assert await _next(watch(server.port, record, name)) == expected


async def test_an_answer_outlives_its_time_no_longer_than_the_ceiling_and_no_shorter_than_the_floor(
    server: NameServer,
) -> None:
    answers = watch(server.port, "A", min_ttl_seconds=0.2, max_ttl_seconds=0.3)
    assert len(await _next(answers)) == 2
    server.change("10.0.0.3 users.test\n")
    async with asyncio.timeout(20):
        while await _next(answers) != (Instance("10.0.0.3", 80),):
            pass
    slow = watch(server.port, "A", min_ttl_seconds=1.5)
    await _next(slow)
    began = time.monotonic()
    await _next(slow)
    assert time.monotonic() - began >= 1.4


async def test_a_server_that_is_gone_is_no_answer(server: NameServer) -> None:
    answers = watch(server.port, "A", min_ttl_seconds=0.05, max_ttl_seconds=0.05)
    assert len(await _next(answers)) == 2
    server.end()
    with pytest.raises((SourceError, OSError)):
        while True:
            await _next(answers)


async def test_a_server_that_refuses_is_no_answer(server: NameServer) -> None:
    with pytest.raises(SourceError):
        await _next(watch(server.port, "A", "elsewhere.example"))
