"""What 5,000 kept connections that do nothing cost in memory."""

from __future__ import annotations

import contextlib
import resource
import socket
import time

from ..arrangement import Arrangement
from ..backend import BODY, BODY_PATH
from ..bench import Bench
from ..client import WrongAnswer
from ..figures import Bound, CaseResult, Goal, Series

ABOUT = "5,000 idle kept connections, one request on each first; a fresh program each round"
COUNT, WARM = 5_000, 200
VARIANT = "idle connections"
_ASKED = f"GET {BODY_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def run(bench: Bench) -> CaseResult:
    """Resident memory of the program and its children, before and after."""
    result = CaseResult("idle", ABOUT)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(COUNT, (hard - 200) // 2)
    if count < COUNT:
        result.notes.append(f"{count} connections: the limit of open files is {hard}")
    result.series = [Series(VARIANT, peer.name) for peer in bench.peers()]
    for _ in range(min(bench.rounds, 3)):
        with contextlib.ExitStack() as stack:
            folder = bench.room()
            arrangement = Arrangement(folder, stack.enter_context(bench.backend(folder)))
            for peer, series in zip(bench.peers(), result.series, strict=True):
                try:
                    with bench.up(peer, arrangement) as target, contextlib.ExitStack() as held:
                        _hold(held, target.port, WARM)
                        time.sleep(0.5)
                        before = target.program.resident()
                        _hold(held, target.port, count)
                        time.sleep(0.5)
                        grown = target.program.resident() - before
                except (OSError, WrongAnswer) as error:
                    series.failed = str(error)
                    continue
                series.samples.append({"kib_each": grown / count / 1024, "mib_before": before / 2**20})
                bench.say(f"  {peer.name:8} {grown / count / 1024:.2f} KiB each")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ours, theirs = Bound(VARIANT, "agw", "kib_each"), Bound(VARIANT, "envoy", "kib_each")
    result.goals.append(Goal("memory of a connection: at most Envoy's", ours, 1.0, theirs, at_most=True))
    return result


def _hold(stack: contextlib.ExitStack, port: int, count: int) -> None:
    """Open `count` connections, ask once on each, and keep them."""
    for _ in range(count):
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
        sock.sendall(_ASKED)
        data = b""
        while not data.endswith(BODY):
            more = sock.recv(65536)
            if not more:
                raise WrongAnswer(f"cut off after {data[:80]!r}")
            data += more
        if not data.startswith(b"HTTP/1.1 200"):
            raise WrongAnswer(f"not 200: {data[:80]!r}")
