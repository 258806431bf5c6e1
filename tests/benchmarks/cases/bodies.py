"""Bodies of 1 MiB, down and up."""

from __future__ import annotations

import contextlib
import hashlib

from .. import wrk
from ..arrangement import Arrangement
from ..backend import LARGE, LARGE_PATH, UPLOAD_PATH
from ..bench import Bench, Contestant, Target, enter_all, requests_sample
from ..client import expect, request
from ..figures import Bound, CaseResult, Goal, Sample

ABOUT = "Bodies of 1 MiB, 16 connections"
DOWN, UP = "1 MiB down", "1 MiB up"


def run(bench: Bench) -> CaseResult:
    """Down: a file that nginx sends. Up: an nginx that answers when it has the whole body; before each run one body goes
    through to be hashed."""
    result = CaseResult("bodies", ABOUT)
    down = requests_sample(wrk.Load(LARGE_PATH, connections=16), LARGE, unit=1.0)
    up = requests_sample(wrk.Load(UPLOAD_PATH, connections=16, method="POST", body=len(LARGE)), unit=1.0)
    digest = hashlib.sha256(LARGE).hexdigest().encode()

    def checked_up(target: Target, seconds: float) -> Sample:
        expect(request(target.port, "/api/digest", method="POST", body=LARGE), digest)
        found = up(target, seconds)
        expect(request(target.port, "/api/digest", method="POST", body=LARGE), digest)
        return found

    with contextlib.ExitStack() as stack:
        folder = bench.room()
        origin = stack.enter_context(bench.origin(folder))
        port = stack.enter_context(bench.backend(folder, origin=origin))
        targets = enter_all(stack, bench, bench.peers(), Arrangement(folder, port))
        result.series = bench.alternate(
            [Contestant(DOWN, target, down) for target in targets]
            + [Contestant(UP, target, checked_up) for target in targets]
        )
    for name in (DOWN, UP):
        ours, theirs = Bound(name, "agw", "mib_s"), Bound(name, "envoy", "mib_s")
        result.goals.append(Goal(f"{name}: at least 0.8 of Envoy's bytes a second", ours, 0.8, theirs))
    return result
