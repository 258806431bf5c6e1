"""WebSocket through the gateway: time to the first echo, and messages a second."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..arrangement import Arrangement
from ..bench import Bench, Contestant, Target, enter_all, measured
from ..client import WrongAnswer
from ..figures import Bound, CaseResult, Goal, Sample, Series
from ..machine import LOAD_CORE
from ..origin import accept_key

ABOUT = "WebSocket echo, 64 connections, one message of 100 bytes under way on each"
VARIANT, CONNECTIONS, OPENINGS = "echo", 64, 50
FIRST_MS = 2.0
_PAYLOAD = bytes(range(32, 132))


def run(bench: Bench) -> CaseResult:
    """First echo: a new connection, the handshake, one message there and back; less the same without gateway."""
    result = CaseResult("websocket", ABOUT, carries="messages")
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.origin(folder))
        targets = enter_all(stack, bench, bench.peers(), Arrangement(folder, port, interactive=True))
        direct = Series(VARIANT, "(no gateway)")

        def sample(target: Target, seconds: float) -> Sample:
            if target is targets[0]:
                direct.samples.append(_load(port, seconds))
            with measured(target.program) as cost:
                told = _load(target.port, seconds)
            return {**told, "cpu_us": cost.cpu / (told["rate"] * seconds) * 1e6, "busy": cost.busy}

        result.series = [direct, *bench.alternate([Contestant(VARIANT, target, sample) for target in targets])]
    base = direct.median("first_ms") or 0.0
    for series in result.series[1:]:
        for one in series.samples:
            one["added_first_ms"] = max(one["first_ms"] - base, 0.0)
    ours = Bound(VARIANT, "agw", "rate")
    result.goals += [
        Goal("messages a second: at least Envoy's", ours, 1.0, Bound(VARIANT, "envoy", "rate")),
        Goal(
            f"first echo: less than {FIRST_MS:g} ms added",
            Bound(VARIANT, "agw", "added_first_ms"),
            FIRST_MS,
            at_most=True,
        ),
    ]
    return result


def _load(port: int, seconds: float) -> Sample:
    ran = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", __name__, str(port), f"{seconds:g}"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    if ran.returncode:
        raise WrongAnswer(ran.stderr[-300:])
    told: Sample = json.loads(ran.stdout)
    return told


def _open(port: int) -> socket.socket:
    """A WebSocket that has its 101 (RFC 6455 §4)."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        "GET /api/socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = sock.recv(4096)
        if not more:
            break
        head += more
    if not head.startswith(b"HTTP/1.1 101") or accept_key(key).encode() not in head:
        raise SystemExit(f"no WebSocket: {head[:200]!r}")
    return sock


def _message() -> tuple[bytes, bytes]:
    """A message as a client sends it, masked, and as it comes back."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place & 3] for place, byte in enumerate(_PAYLOAD))
    return bytes((0x82, 0x80 | len(_PAYLOAD))) + mask + masked, bytes((0x82, len(_PAYLOAD))) + _PAYLOAD


def _echo(sock: socket.socket, sent: bytes, wanted: bytes) -> None:
    sock.sendall(sent)
    got = b""
    while len(got) < len(wanted):
        more = sock.recv(4096)
        if not more:
            raise SystemExit("cut off")
        got += more
    if got != wanted:
        raise SystemExit(f"a wrong echo: {got[:40]!r}")


def main() -> None:
    """The client: ``python -m tests.benchmarks.cases.websocket PORT SECONDS``; prints its figures."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    firsts = []
    for _ in range(OPENINGS):
        sent, wanted = _message()
        began = time.monotonic()
        with _open(port) as sock:
            _echo(sock, sent, wanted)
            firsts.append(time.monotonic() - began)
    socks = [_open(port) for _ in range(CONNECTIONS)]
    # For the load the mask is zero, so that neither side spends its time on masking in Python.
    sent, wanted = bytes((0x82, 0x80 | len(_PAYLOAD))) + bytes(4) + _PAYLOAD, bytes((0x82, len(_PAYLOAD))) + _PAYLOAD
    epoll, by_fd, began_at = select.epoll(), {}, {}
    for sock in socks:
        by_fd[sock.fileno()] = sock
        epoll.register(sock.fileno(), select.EPOLLIN)
    times, partial = [], dict.fromkeys(by_fd, b"")
    start = time.monotonic()
    for fd, sock in by_fd.items():
        began_at[fd] = time.monotonic()
        sock.send(sent)
    while (now := time.monotonic()) < start + seconds:
        events = epoll.poll(5)
        if not events:
            raise SystemExit("no echo for 5 s")
        for fd, _ in events:
            sock = by_fd[fd]
            data = partial[fd] + sock.recv(4096)
            if len(data) < len(wanted):
                partial[fd] = data
                continue
            if data != wanted:
                raise SystemExit(f"a wrong echo: {data[:40]!r}")
            partial[fd] = b""
            now = time.monotonic()
            times.append(now - began_at[fd])
            began_at[fd] = now
            sock.send(sent)
    took = time.monotonic() - start
    times.sort()
    firsts.sort()
    told = {
        "rate": len(times) / took,
        "p50_us": times[len(times) // 2] * 1e6,
        "p99_us": times[int(len(times) * 0.99)] * 1e6,
        "first_ms": firsts[len(firsts) // 2] * 1e3,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
