"""Two workers beside one: does a request cost more when limits and breakers are shared?"""

from __future__ import annotations

import contextlib

from .. import wrk
from ..arrangement import Arrangement, Layer
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, enter_all, requests_sample
from ..figures import Bound, CaseResult, Goal

ABOUT = "The policies of the full chain (without token and access log) with one worker and with two"
ONE, TWO = "one worker", "two workers"
GAIN = 1.8


def run(bench: Bench) -> CaseResult:
    """The second worker has to share its core with load and backend, so rates say nothing: two workers carry twice the
    requests of one, times what one request costs with one worker, divided by what it costs with two."""
    result = CaseResult("workers", ABOUT)
    layers = frozenset(Layer) - {Layer.JWT, Layer.ACCESS_LOG}
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        sample = requests_sample(wrk.Load(BODY_PATH, varied=True))
        contestants = []
        for name, workers in ((ONE, 1), (TWO, 2)):
            arrangement = Arrangement(folder, port, layers=layers, workers=workers)
            targets = enter_all(stack, bench, bench.peers("agw"), arrangement)
            contestants += [Contestant(name, target, sample) for target in targets]
        result.series = bench.alternate(contestants)
    one = result.one(ONE, "agw")
    alone = one.median("cpu_us") if one else None
    two = result.one(TWO, "agw")
    if alone and two:
        for each in two.samples:
            each["gain"] = 2 * alone / each["cpu_us"]
    result.goals.append(Goal(f"two workers: at least {GAIN} times one", Bound(TWO, "agw", "gain"), GAIN))
    return result
