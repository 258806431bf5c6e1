"""The full chain of policies, and what each layer of it costs agw."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .. import wrk
from ..arrangement import SAMPLED, Arrangement, Layer
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, Target, enter_all, requests_sample
from ..client import WrongAnswer, request
from ..figures import Bound, CaseResult, Goal, Sample
from ..peers import PEERS
from ..tokens import make_tokens

ABOUT = (
    "Policies on: token, limit per client, breaker, retries, timeout, request id, access log, metrics, 1 % traced;"
    " varied heads"
)
CHAIN, CALLERS = "full chain", 100
SPANS = 2
"""Of a traced request: its own, and its attempt's."""
_FLUSHED_SECONDS = 10.0


def run(bench: Bench) -> CaseResult:
    """100 callers in turn; the limit is too high to refuse, the access log goes to a file and its lines are counted, and so
    are the spans that reach the collector."""
    result = CaseResult("chain", ABOUT)
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        key_set, tokens = make_tokens(folder, CALLERS)
        collector = f"http://127.0.0.1:{stack.enter_context(bench.sink(folder))}"
        everything = Arrangement(folder, port, layers=frozenset(Layer), key_set=key_set, collector=f"{collector}/try")
        refusal = _refuses(bench, everything, tokens[0])
        layers = frozenset(Layer)
        if refusal is not None:
            layers -= {Layer.JWT}
            result.notes.append(f"JWT is left out for everybody, because agw does not enforce it yet: {refusal}")
        load = wrk.Load(BODY_PATH, varied=True, traced=False, tokens=tokens if Layer.JWT in layers else ())
        fields = {"Authorization": f"Bearer {tokens[0]}"}
        contestants = []
        for peer in bench.peers():
            lacking = peer.lacks & layers
            if lacking:
                result.notes.append(f"{peer.name} runs without {', '.join(sorted(lacking))}")
            spans = f"{collector}/{peer.name}"
            own = Arrangement(folder, port, layers=layers - lacking, key_set=key_set, collector=spans)
            contestants += [
                Contestant(CHAIN, target, _logged(requests_sample(load)))
                for target in enter_all(stack, bench, [peer], own, fields=fields)
            ]
        so_far: frozenset[Layer] = frozenset()
        ours = [PEERS["agw"]]
        for layer in (None, *(layer for layer in Layer if layer in layers)):
            so_far |= {layer} if layer else set()
            if so_far == layers:
                break  # that is the full chain
            own = Arrangement(folder, port, layers=so_far, key_set=key_set)
            target = enter_all(stack, bench, ours, own, fields=fields)[0]
            name = f"up to {layer}" if layer else "no policy"
            contestants.append(Contestant(name, target, requests_sample(load), judged=False))
        answered = _Counted(contestants)
        result.series = bench.alternate(answered.contestants)
        for one in answered.contestants:
            if Layer.TRACING in one.target.arrangement.layers:
                _check_spans(result, one.target, answered.requests[one.target.port])
    _tell_layers(result, [layer for layer in Layer if layer in layers])
    rates = (Bound(CHAIN, "agw", "rate"), Bound(CHAIN, "envoy", "rate"))
    result.goals.append(Goal("full chain: at least 2.0 times Envoy", rates[0], 2.0, rates[1]))
    return result


def _refuses(bench: Bench, arrangement: Arrangement, token: str) -> str | None:
    """Why agw cannot be given tokens to check; None when it checks them."""
    try:
        with bench.up(PEERS["agw"], arrangement, fields={"Authorization": f"Bearer {token}"}) as target:
            without = request(target.port, BODY_PATH).status
            with_one = request(target.port, BODY_PATH, fields={"Authorization": f"Bearer {token}"}).status
    except WrongAnswer as error:
        return next(
            (line for line in str(error).splitlines() if "JWT" in line or "hasAuthentication" in line), str(error)[:300]
        )
    if (without, with_one) != (401, 200):
        return f"a request without a token is answered {without}, one with a good token {with_one}"
    return None


def _logged(sample: Callable[[Target, float], Sample]) -> Callable[[Target, float], Sample]:
    """The same sample, refused when fewer lines were logged than requests answered."""

    def checked(target: Target, seconds: float) -> Sample:
        if Layer.ACCESS_LOG not in target.arrangement.layers:
            return sample(target, seconds)
        target.access_log.touch()
        before = _lines(target.access_log)
        found = sample(target, seconds)
        answered = found["rate"] * seconds
        logged = _lines(target.access_log) - before
        # What the program still has in a buffer (64 kB at most) comes later.
        if logged < 0.98 * answered - 1000:
            raise WrongAnswer(f"{answered:.0f} requests answered and {logged} lines logged")
        return found

    return checked


class _Counted:
    """Contestants whose answered requests are counted, warming up included, by port."""

    def __init__(self, contestants: list[Contestant]) -> None:
        self.requests: Counter[int] = Counter()
        self.contestants = [dataclasses.replace(one, sample=self._counting(one.sample)) for one in contestants]

    def _counting(self, sample: Callable[[Target, float], Sample]) -> Callable[[Target, float], Sample]:
        def counted(target: Target, seconds: float) -> Sample:
            found = sample(target, seconds)
            self.requests[target.port] += round(found["rate"] * max(1, round(seconds)))
            return found

        return counted


def _check_spans(result: CaseResult, target: Target, requests: int) -> None:
    """Whether as many spans reached the collector as a hundredth of all requests has, by chance's measure."""
    expected = requests * SAMPLED * SPANS
    allowed = 0.1 * expected + 6 * SPANS * (requests * SAMPLED) ** 0.5
    where = urlsplit(target.arrangement.collector or "")
    end = time.monotonic() + _FLUSHED_SECONDS
    while True:
        told = json.loads(request(where.port or 0, where.path).body)
        if abs(told["spans"] - expected) <= allowed:
            result.notes.append(
                f"{target.peer} sent {told['spans']:,} spans in {told['requests']:,} requests to the collector, of"
                f" {requests:,} requests answered"
            )
            return
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    series = result.one(CHAIN, target.peer)
    if series is not None:
        series.failed = f"{told['spans']} spans reached the collector instead of {expected:.0f} ± {allowed:.0f}"


def _lines(log: Path) -> int:
    with log.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _tell_layers(result: CaseResult, layers: list[Layer]) -> None:
    """Each layer's own cost: the step in processor time from the arrangement before."""
    names = ["no policy", *(f"up to {layer}" for layer in layers[:-1]), CHAIN]
    costs = [found.median("cpu_us") if (found := result.one(name, "agw")) else None for name in names]
    steps = []
    for layer, before, after in zip(layers, costs, costs[1:], strict=False):
        if before is not None and after is not None:
            steps.append(f"{layer} {after - before:+.1f} µs")
    if steps:
        result.notes.append("what each layer adds to agw's processor time for a request: " + ", ".join(steps))
