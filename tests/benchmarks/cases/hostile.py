"""The corpus of hostile requests, against everybody: how many each judges right."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from ..arrangement import Arrangement, RouteKind, RoutePattern
from ..bench import Bench
from ..client import WrongAnswer
from ..figures import Bound, CaseResult, Goal, Series
from ..judging import Judge, Judgement, cases
from ..peers import Peer

ABOUT = "Hostile and odd requests (tests/proxy/hostile_cases.py) before a backend that takes down all it gets"
VARIANT = "judged right"
EVERYTHING = (RoutePattern(RouteKind.PREFIX, ""),)
_T = TypeVar("_T")


def run(bench: Bench) -> CaseResult:
    """Once: nothing here is a matter of chance. Every program has a backend of its own, and all are asked at once."""
    result = CaseResult("hostile", ABOUT)
    corpus = list(cases())
    with contextlib.ExitStack() as stack:
        loop = stack.enter_context(_loop())
        under_way = []
        for peer in bench.peers():
            try:
                under_way.append((peer.name, *_start(stack, bench, peer, loop)))
            except (WrongAnswer, ValueError) as error:
                bench.say(f"  {peer.name} left out: {error}")
        result.series = [Series(VARIANT, name) for name, _, _ in under_way]
        pending = [asyncio.run_coroutine_threadsafe(_judge_all(judge, port), loop) for _, judge, port in under_way]
        found = {name: future.result() for (name, _, _), future in zip(under_way, pending, strict=True)}
    for series in result.series:
        wrong = [one for one in found[series.program] if one.fault]
        right = len(corpus) - len(wrong)
        series.samples.append({"judged": float(len(corpus)), "right": float(right), "wrong": float(len(wrong))})
        _tell(result, series.program, wrong)
        bench.say(f"  {series.program:8} {right} of {len(corpus)} right")
    return _with_goals(result, len(corpus))


def _start(stack: contextlib.ExitStack, bench: Bench, peer: Peer, loop: asyncio.AbstractEventLoop) -> tuple[Judge, int]:
    judge = Judge()
    _there(loop, judge.backend.start())
    stack.callback(lambda: _there(loop, judge.backend.stop()))
    arrangement = Arrangement(bench.room(), judge.backend.port, routes=EVERYTHING, hostile=True)
    return judge, stack.enter_context(bench.up(peer, arrangement)).port


async def _judge_all(judge: Judge, port: int) -> list[Judgement]:
    return [await judge.judge(port, group, case) for group, case in cases()]


def _tell(result: CaseResult, program: str, wrong: list[Judgement]) -> None:
    """All of agw's in the report; of the others how many in which group, and all of them in the JSON."""
    result.details[program] = [f"{one.group}: {one.case}: {one.fault}" for one in wrong]
    if program == "agw":
        result.notes += [f"agw judges otherwise: {one}" for one in result.details[program]]
        if not wrong:
            result.notes.append("there is no case that agw judges otherwise than the corpus")
    elif wrong:
        groups = Counter(one.group for one in wrong).most_common()
        result.notes.append(f"{program} wrong: " + ", ".join(f"{name} {count}" for name, count in groups))


def _with_goals(result: CaseResult, count: int) -> CaseResult:
    ours = Bound(VARIANT, "agw", "right")
    one_more = 1 + 0.5 / count
    for other, title in (("envoy", "Envoy"), ("nginx", "nginx")):
        result.goals.append(Goal(f"more judged right than by {title}", ours, one_more, Bound(VARIANT, other, "right")))
    return result


@contextlib.contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread of its own, so that programs can be started meanwhile."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _there(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(30)
