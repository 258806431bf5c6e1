"""Open-loop load: requests are due at random times of a fixed rate (a Poisson process), whether or not earlier ones were
answered, and an answer's time counts from when its request was due. So a program that stalls is charged for everybody
who would have waited (no coordinated omission).

    python -m tests.benchmarks.paced PORT PATH RATE SECONDS CONNECTIONS

A plain epoll loop; a timerfd wakes it, because epoll itself counts in milliseconds. Prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from .client import WrongAnswer
from .machine import LOAD_CORE

__all__ = ["Latencies", "main", "run"]

_MONOTONIC, _ABSOLUTE, _NONBLOCK = 1, 1, 0o4000
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from when a request was due to the last byte of its answer."""

    requests: int
    rate: float
    p50: float
    p99: float
    p999: float


class _Alarm:
    """A timerfd; Python itself has them from 3.13 on."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.timerfd_create(_MONOTONIC, _NONBLOCK)
        self._setting = (ctypes.c_long * 4)()
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def at(self, moment: float) -> None:
        """Become readable at `moment` (time.monotonic)."""
        self._setting[2], self._setting[3] = int(moment), int(moment % 1 * 1e9) or 1
        self._libc.timerfd_settime(self.fd, _ABSOLUTE, self._setting, None)


def _learn(sock: socket.socket, asked: bytes) -> tuple[int, bytes]:
    """The length of an answer and its body: every later one must have the same body."""
    sock.sendall(asked)
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += sock.recv(65536)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not 200: {head[:40]!r}")
    return length, body


def measure(port: int, path: str, rate: float, seconds: float, connections: int) -> dict[str, float]:
    """Run the load; times in microseconds."""
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    socks = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(connections)]
    bodies = {_learn(sock, asked)[1] for sock in socks}
    if len(bodies) != 1:
        raise SystemExit("answers differ")
    ending = bodies.pop()
    epoll, alarm = select.epoll(), _Alarm()
    epoll.register(alarm.fd, select.EPOLLIN)
    by_fd = {sock.fileno(): sock for sock in socks}
    for sock in socks:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        epoll.register(sock.fileno(), select.EPOLLIN)
    idle, waiting = deque(socks), deque[float]()
    due_of: dict[int, float] = {}
    chance, now, monotonic = random.Random(20), time.monotonic(), time.monotonic
    due, end = now + chance.expovariate(rate), now + seconds
    found: list[float] = []
    late = 0
    while due < end or due_of or waiting:
        now = monotonic()
        if now > end + _GRACE:
            raise SystemExit(f"{len(due_of) + len(waiting)} requests are not answered {_GRACE:g} s after the end")
        while due <= now and due < end:
            waiting.append(due)
            due += chance.expovariate(rate)
        while waiting and idle:
            sock = idle.popleft()
            due_of[sock.fileno()] = waiting.popleft()
            sock.send(asked)
        late = max(late, len(waiting))
        if due < end:
            alarm.at(due)
        for fd, _ in epoll.poll(0.5):
            if fd == alarm.fd:
                try:
                    os.read(fd, 8)
                except BlockingIOError:
                    pass
                continue
            sock = by_fd[fd]
            data = sock.recv(65536)
            arrived = monotonic()
            if not (data.startswith(b"HTTP/1.1 200") and data.endswith(ending)):
                raise SystemExit(f"a wrong answer: {data[:60]!r}")
            found.append(arrived - due_of.pop(fd))
            idle.append(sock)
    found.sort()
    count = len(found)
    at = {name: found[min(count - 1, int(count * share))] * 1e6 for name, share in _SHARES}
    return {"requests": count, "rate": count / seconds, "queued": late, **at}


_SHARES = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))


def run(port: int, path: str, rate: float, seconds: float, *, connections: int = 64) -> Latencies:
    """The same in a process of its own on the load's core.

    Raises:
        WrongAnswer: an answer was wrong, or did not come.
    """
    command = [sys.executable, "-m", __name__, str(port), path, f"{rate:.0f}", f"{seconds:g}", str(connections)]
    ran = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), *command],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if ran.returncode:
        raise WrongAnswer(ran.stderr[-400:].strip())
    told = json.loads(ran.stdout)
    return Latencies(told["requests"], told["rate"], told["p50"] / 1e6, told["p99"] / 1e6, told["p999"] / 1e6)


def main() -> None:
    """See the module."""
    port, path, rate, seconds, connections = sys.argv[1:]
    print(json.dumps(measure(int(port), path, float(rate), float(seconds), int(connections))))


if __name__ == "__main__":
    main()
