"""A real SPIRE: server and agent on loopback, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["TRUST_DOMAIN", "Spire", "spire"]

TRUST_DOMAIN = "harbour.example"
_AGENT = f"spiffe://{TRUST_DOMAIN}/agent"

_SERVER = """
server {{
    bind_address = "127.0.0.1"
    bind_port = "{port}"
    socket_path = "{folder}/server.sock"
    trust_domain = "{domain}"
    data_dir = "{folder}"
    log_level = "INFO"
    ca_ttl = "1h"
    default_x509_svid_ttl = "30m"
    experimental {{ cache_reload_interval = "1s" }}
}}
plugins {{
    DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/spire.sqlite3" }} }}
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    KeyManager "memory" {{ plugin_data {{}} }}
}}
"""
_CLIENT = """
agent {{
    data_dir = "{folder}/agent"
    log_level = "INFO"
    server_address = "127.0.0.1"
    server_port = "{port}"
    socket_path = "{folder}/agent.sock"
    trust_bundle_path = "{folder}/bundle.pem"
    trust_domain = "{domain}"
    join_token = "{token}"
    experimental {{ sync_interval = "1s" }}
}}
plugins {{
    NodeAttestor "join_token" {{ plugin_data {{}} }}
    KeyManager "memory" {{ plugin_data {{}} }}
    WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
"""


class Spire:
    """One server and its agent, which tells workloads apart by their user. `folder` is short: sockets have short names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.agent_socket = folder / "agent.sock"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server, and an agent that it has admitted."""
        self._run("spire-server", _SERVER, "server")
        self._until(["spire-server", "healthcheck", "-socketPath", f"{self.folder}/server.sock"], "server")
        (self.folder / "bundle.pem").write_text(self.server("bundle", "show"))
        made = json.loads(self.server("token", "generate", "-spiffeID", _AGENT, "-output", "json"))
        self._run("spire-agent", _CLIENT, "agent", token=str(made["value"]))
        self._until(["spire-agent", "healthcheck", "-socketPath", str(self.agent_socket)], "agent")

    def server(self, *arguments: str) -> str:
        """What the server answers to an operator."""
        command = ["spire-server", *arguments, "-socketPath", f"{self.folder}/server.sock"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def register(self, path: str, seconds: int) -> str:
        """Have this user's processes be known as `path`, by certificates that last so long; the SPIFFE ID."""
        identity = f"spiffe://{TRUST_DOMAIN}{path}"
        selector = ("-selector", f"unix:uid:{os.getuid()}")
        ttl = ("-x509SVIDTTL", str(seconds))
        self.server("entry", "create", "-parentID", _AGENT, "-spiffeID", identity, *selector, *ttl)
        return identity

    def stop_agent(self) -> None:
        """End the agent."""
        process = self._processes.pop()
        process.terminate()
        process.wait(20)

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, program: str, text: str, name: str, token: str = "") -> None:
        file = self.folder / f"{name}.conf"
        file.write_text(text.format(folder=self.folder, port=self._port, domain=TRUST_DOMAIN, token=token))
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen([program, "run", "-config", str(file)], stdout=log, stderr=log))

    def _until(self, command: list[str], name: str) -> None:
        end = time.monotonic() + 60
        while subprocess.run(command, capture_output=True, timeout=60).returncode:
            assert self._processes[-1].poll() is None and time.monotonic() < end, (
                self.folder / f"{name}.log"
            ).read_text()
            time.sleep(0.1)


@contextlib.contextmanager
def spire() -> Iterator[Spire]:
    """A running one; the test is skipped where there is none to be had."""
    for program in ("spire-server", "spire-agent"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (.ci/servers/README.md)")
    with tempfile.TemporaryDirectory(prefix="spire-") as folder:
        one = Spire(Path(folder))
        try:
            one.start()
            yield one
        finally:
            one.stop()
