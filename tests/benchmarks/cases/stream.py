"""One body of 1 GiB, down and up, with the program's memory watched."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..arrangement import Arrangement
from ..backend import LARGE, STREAM_PATH, write_stream
from ..bench import Bench, Contestant, Target, enter_all, measured
from ..client import WrongAnswer
from ..figures import Bound, CaseResult, Goal, Sample
from ..machine import LOAD_CORE
from ..program import Program

ABOUT = "One stream of 1 GiB; memory watched every 50 ms"
DOWN, UP = "1 GiB down", "1 GiB up"
MEBIBYTES = 1024
FLAT_MIB = 32.0


def run(bench: Bench) -> CaseResult:
    """Down is compared block by block as it comes; up, the backend must count every byte before it answers."""
    result = CaseResult("stream", ABOUT)
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        write_stream(folder, MEBIBYTES)
        origin = stack.enter_context(bench.origin(folder))
        contestants = [
            Contestant(way, target, _sample(way))
            for way, behind in ((DOWN, port), (UP, origin))
            for target in enter_all(stack, bench, bench.peers(), Arrangement(folder, behind))
        ]
        result.series = bench.alternate(contestants, rounds=min(bench.rounds, 3), warm=0)
    for name in (DOWN, UP):
        ours, theirs = Bound(name, "agw", "mib_s"), Bound(name, "envoy", "mib_s")
        result.goals.append(Goal(f"{name}: at least 0.8 of Envoy's bytes a second", ours, 0.8, theirs))
        grown = Bound(name, "agw", "grown_mib")
        result.goals.append(
            Goal(f"{name}: memory flat (at most {FLAT_MIB:.0f} MiB more)", grown, FLAT_MIB, at_most=True)
        )
    return result


def _sample(way: str) -> Callable[[Target, float], Sample]:
    fresh: dict[Target, int] = {}

    def sample(target: Target, _: float) -> Sample:
        before = fresh.setdefault(target, target.program.resident())
        command = [sys.executable, "-m", __name__, "down" if way == DOWN else "up", str(target.port)]
        with _watched(target.program, before) as grown, measured(target.program) as cost:
            ran = subprocess.run(
                ["taskset", "-c", str(LOAD_CORE), *command],
                capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
            )  # fmt: skip
        if ran.returncode:
            raise WrongAnswer(ran.stderr[-300:])
        seconds = json.loads(ran.stdout)["seconds"]
        return {
            "mib_s": MEBIBYTES / seconds,
            "cpu_us": cost.cpu / MEBIBYTES * 1e6,
            "grown_mib": max(0, *grown) / 2**20,
            "busy": min(1.0, cost.busy * cost.seconds / seconds),
        }

    return sample


@contextlib.contextmanager
def _watched(program: Program, before: int) -> Iterator[list[int]]:
    """Bytes of memory above `before`, seen so far."""
    seen, done = [program.resident() - before], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(program.resident() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _down(sock: socket.socket) -> None:
    sock.sendall(f"GET {STREAM_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    with io.BufferedReader(socket.SocketIO(sock, "r"), 1 << 18) as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        if not head.startswith(b"HTTP/1.1 200") or b"content-length: %d" % (MEBIBYTES << 20) not in head.lower():
            raise SystemExit(f"a wrong head: {head[:200]!r}")
        block = bytearray(len(LARGE))
        for number in range(MEBIBYTES):
            if stream.readinto(block) != len(block) or block[:8] != number.to_bytes(8, "big") or block[8:] != LARGE[8:]:
                raise SystemExit(f"block {number} is not what was sent")


def _up(sock: socket.socket) -> None:
    sock.sendall(f"POST /api/count HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {MEBIBYTES << 20}\r\n\r\n".encode())
    for _ in range(MEBIBYTES):
        sock.sendall(LARGE)
    with sock.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n")).lower()
        if not head.startswith(b"http/1.1 200") or stream.read(2) != b"ok":
            raise SystemExit(f"a wrong answer: {head[:200]!r}")
        counted = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"x-received")), 0)
        if counted < MEBIBYTES << 20:
            raise SystemExit(f"the backend counted {counted} bytes")


def main() -> None:
    """The client: ``python -m tests.benchmarks.cases.stream down|up PORT``; prints its seconds."""
    way, port = sys.argv[1:]
    with socket.create_connection(("127.0.0.1", int(port)), 60) as sock:
        sock.settimeout(120)
        began = time.monotonic()
        (_down if way == "down" else _up)(sock)
    print(json.dumps({"seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
