"""A real Consul, in development mode, for one test module: put together by .ci/servers/consul."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("consul")
needs_consul = pytest.mark.skipif(PROGRAM is None, reason="no consul: see .ci/servers")


class Agent:
    """Consul's HTTP interface."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._headers = {} if token is None else {"X-Consul-Token": token}

    def ask(self, path: str, body: str | None = None) -> tuple[int, str]:
        """GET, or PUT of a body; status and text."""
        data = None if body is None else body.encode()
        request = urllib.request.Request(self.url + path, data, self._headers, method="GET" if data is None else "PUT")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(self, path: str, body: object) -> int:
        """POST; its status."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self._headers, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)

    def delete(self, path: str) -> int:
        """DELETE; its status."""
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method="DELETE"), timeout=20) as answer:
            return int(answer.status)

    def chain(self, service: str) -> dict[str, Any]:
        """The discovery chain of a service."""
        found: dict[str, Any] = json.loads(self.ask(f"/v1/discovery-chain/{service}")[1])["Chain"]
        return found


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def consul_agent(folder: Path, token: str | None = None) -> Iterator[Agent]:
    """An agent that leads itself; it ends with the block. With a `token` (a UUID) nothing is allowed without it."""
    assert PROGRAM is not None
    http, grpc, server, lan, wan = _free_ports(5)
    command = [
        PROGRAM, "agent", "-dev", "-bind=127.0.0.1", f"-http-port={http}", f"-grpc-port={grpc}", "-grpc-tls-port=-1",
        "-dns-port=-1", f"-server-port={server}", f"-serf-lan-port={lan}", f"-serf-wan-port={wan}", "-log-level=warn",
    ]  # fmt: skip
    if token is not None:
        tokens = f'initial_management = "{token}" agent = "{token}"'
        command += ["-hcl", f'acl {{ enabled = true default_policy = "deny" tokens {{ {tokens} }} }}']
    log = folder / "consul.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        agent, deadline = Agent(http, token), time.monotonic() + 60
        while True:
            try:
                # A write is what tells that it leads.
                if agent.ask("/v1/kv/ready", "yes") == (200, "true\n") or agent.ask("/v1/kv/ready")[0] == 200:
                    break
            except OSError:
                pass
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)
        yield agent
    finally:
        process.terminate()
        process.wait(20)
