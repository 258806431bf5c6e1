"""Server-sent events through the gateway: the first byte, the delay of each event, and what one costs."""

from __future__ import annotations

import contextlib
import json
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

ABOUT = "Server-sent events: 64 streams, an event every 5 ms on each; all programs carry the same events"
VARIANT, STREAMS, INTERVAL, OPENINGS = "events", 64, 0.005, 50
FIRST_MS = 2.0


def run(bench: Bench) -> CaseResult:
    """First byte: of one stream by itself, from connecting to its first event. Each event holds the time it was made, by
    the machine's own clock."""
    result = CaseResult("events", ABOUT, carries="events", paced=True)
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
        Goal("events a second: at least Envoy's", ours, 1.0, Bound(VARIANT, "envoy", "rate")),
        Goal(
            f"first byte: less than {FIRST_MS:g} ms added",
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


def _open(port: int, asked: bytes) -> socket.socket:
    """A stream that has its first event."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.sendall(asked)
    data = b""
    while b"data: " not in data:
        more = sock.recv(4096)
        if not more:
            raise SystemExit(f"no events: {data[:200]!r}")
        data += more
    if not data.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not 200: {data[:80]!r}")
    return sock


def main() -> None:
    """The client: ``python -m tests.benchmarks.cases.events PORT SECONDS``; prints its figures."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    asked = (
        f"GET /api/events?interval={INTERVAL} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    firsts = []
    for _ in range(OPENINGS):
        began = time.monotonic()
        with _open(port, asked):
            firsts.append(time.monotonic() - began)
    epoll, socks, rest = select.epoll(), {}, {}
    for _ in range(STREAMS):
        sock = _open(port, asked)
        socks[sock.fileno()], rest[sock.fileno()] = sock, b""
        epoll.register(sock.fileno(), select.EPOLLIN)
    # Opening took its time; what gathered meanwhile is nobody's delay.
    calm = time.monotonic() + 0.2
    start, delays = calm, []
    last: dict[int, int] = {}
    while (now := time.monotonic()) < start + seconds:
        for fd, _ in epoll.poll(1):
            data = rest[fd] + socks[fd].recv(65536)
            now_ns = time.monotonic_ns()
            *whole, rest[fd] = data.split(b"\n\n")
            for part in whole:
                made = int(part.rpartition(b"data: ")[2])
                if made <= last.get(fd, 0):
                    raise SystemExit("events out of order")
                last[fd] = made
                if now >= calm:
                    delays.append((now_ns - made) / 1e9)
    delays.sort()
    firsts.sort()
    told = {
        "rate": len(delays) / seconds,
        "p50_us": delays[len(delays) // 2] * 1e6,
        "p99_us": delays[int(len(delays) * 0.99)] * 1e6,
        "first_ms": firsts[len(firsts) // 2] * 1e3,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
