"""HTTP/2 from clients: many requests at once over few connections."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess

from ..arrangement import Arrangement
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, Target, enter_all, measured
from ..client import WrongAnswer
from ..figures import Bound, CaseResult, Goal, Sample
from ..machine import LOAD_CORE

ABOUT = "HTTP/2 (prior knowledge), 64 streams over 4 connections, a body of 60 bytes, a backend of HTTP/1.1"
VARIANT, CONNECTIONS, STREAMS = "64 streams", 4, 16


def run(bench: Bench) -> CaseResult:
    """h2load (nghttp2) counts what was answered 2xx; nginx 1.22 speaks either version on a port, so it is left out."""
    result = CaseResult("http2", ABOUT)
    if shutil.which("h2load") is None:
        raise SystemExit("the case http2 needs h2load (package nghttp2-client), which is not here")
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        targets = enter_all(stack, bench, bench.peers("agw", "envoy"), Arrangement(folder, port))
        result.series = bench.alternate([Contestant(VARIANT, target, sample) for target in targets])
    ours = Bound(VARIANT, "agw", "rate")
    result.goals.append(Goal("at least Envoy's", ours, 1.0, Bound(VARIANT, "envoy", "rate")))
    return result


def sample(target: Target, seconds: float) -> Sample:
    """Requests a second that were answered 2xx."""
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "h2load",
        "-c",
        str(CONNECTIONS),
        "-m",
        str(STREAMS),
        "-D",
        f"{seconds:g}",
    ]
    with measured(target.program) as cost:
        ran = subprocess.run(
            [*command, f"http://127.0.0.1:{target.port}{BODY_PATH}"], capture_output=True, text=True, check=False
        )
    told = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", ran.stdout)
    failed = re.search(r"(\d+) failed, (\d+) errored", ran.stdout)
    if told is None or failed is None or any(int(count) for count in (*told.groups()[1:], *failed.groups())):
        raise WrongAnswer(ran.stdout[-400:])
    rate = int(told[1]) / seconds
    return {"rate": rate, "cpu_us": cost.cpu / (rate * seconds) * 1e6, "busy": cost.busy}
