"""Two workers beside one: does a request cost more when limits and breakers are shared?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from .. import wrk
from ..arrangement import Arrangement, Layer
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, Target, enter_all, requests_sample
from ..figures import Bound, CaseResult, Goal, Sample, Series
from ..machine import LOAD_CORE, PROGRAM_CORE
from ..peers import PEERS

ABOUT = (
    "The policies of the full chain (without token, access log and tracing), one worker on either core and one on each"
)
ALONE, BESIDE, TWO = "one worker, a core to itself", "one worker, beside the load", "two workers"
GAIN = 1.8
CONNECTIONS = 64
"""For each worker."""


def run(bench: Bench) -> CaseResult:
    """The second worker has to share its core with load and backend, so rates say nothing, and the same request takes more
    processor time there than on a core of one's own, whoever else works. So one worker is measured on either core. What
    two workers spent on each core, at that core's price of a request with one worker, would have bought so many
    requests; they answered so many. Two times the one by the other is what two workers carry of what one does."""
    result = CaseResult("workers", ABOUT)
    layers = frozenset({Layer.RATE_LIMIT, Layer.BREAKER, Layer.RETRY, Layer.TIMEOUT})
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        contestants = []
        for name, workers, first in ((ALONE, 1, PROGRAM_CORE), (BESIDE, 1, LOAD_CORE), (TWO, 2, PROGRAM_CORE)):
            arrangement = Arrangement(folder, port, layers=layers, workers=workers)
            load = wrk.Load(BODY_PATH, varied=True, connections=CONNECTIONS * workers)
            targets = enter_all(stack, bench, bench.peers("agw"), arrangement, first=first)
            contestants += [Contestant(name, target, _by_worker(requests_sample(load))) for target in targets]
        result.series = bench.alternate(contestants)
    alone, beside, two = (result.one(name, "agw") for name in (ALONE, BESIDE, TWO))
    if alone is not None and beside is not None and two is not None:
        _gain(alone, beside, two)
    result.goals.append(Goal(f"two workers: at least {GAIN} times one", Bound(TWO, "agw", "gain"), GAIN))
    return result


def _by_worker(sample: Callable[[Target, float], Sample]) -> Callable[[Target, float], Sample]:
    """The same sample, with the seconds of processor that each worker used for a request (of all)."""
    marker = PEERS["agw"].worker_marker
    assert marker is not None

    def taken(target: Target, seconds: float) -> Sample:
        before = target.program.usage_of(marker)
        found = sample(target, seconds)
        requests = found["rate"] * max(1, round(seconds))
        used = [(now - then).cpu for now, then in zip(target.program.usage_of(marker), before, strict=True)]
        return {**found, **{f"worker_{number}_us": spent / requests * 1e6 for number, spent in enumerate(used, 1)}}

    return taken


def _gain(alone: Series, beside: Series, two: Series) -> None:
    """Put each round's gain beside its figures, against the same round's prices; so what changed in the machine from
    round to round is not taken for it."""
    rounds = zip(alone.samples, beside.samples, two.samples, strict=False)
    for first, second, both in rounds:
        bought = both["worker_1_us"] / first["worker_1_us"] + both["worker_2_us"] / second["worker_1_us"]
        both["gain"] = 2 / bought
