"""The corpus of hostile requests against the engine: each is judged right, and none poisons what comes after it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.support.strict_backend import Answer, SeenRequest, StrictBackend, read_answer

from .hostile_cases import REQUESTS
from .hostile_gateway import MUTATIONS, SEED, Gateway
from .hostile_mutations import mutated
from .hostile_request import RequestCase, Seen


@pytest.fixture
async def backend() -> AsyncIterator[StrictBackend]:
    one = StrictBackend()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def gateway(backend: StrictBackend) -> AsyncIterator[Gateway]:
    one = Gateway(backend.port)
    await one.start()
    yield one
    await one.engine.drain(0)


@pytest.fixture(autouse=True)
async def silence(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """No error is logged, and none reaches the loop, whatever comes in."""
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    yield
    assert not trouble
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def judge(gateway: Gateway, backend: StrictBackend, case: RequestCase, pieces: tuple[bytes, ...]) -> str | None:
    """What was judged wrong in `case`, sent in `pieces`; None when all is well."""
    backend.requests.clear()
    reader, writer = connection = await gateway.connect()
    try:
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(0.002)
            writer.write(piece)
        for expected in case.answers:
            method = expected.method if isinstance(expected, Seen) else "GET"
            try:
                async with asyncio.timeout(20):
                    answer = await read_answer(reader, method)
            except TimeoutError:
                return "no answer"
            except (ValueError, OSError) as fault:
                return f"{type(fault).__name__}: {fault}"
            if answer is None:
                return f"closed without an answer, expected {expected}"
            refused = not isinstance(expected, Seen) or (case.either and 400 <= answer.status < 500)
            fault = _refusal_fault(answer, expected) if refused else _passage_fault(answer, expected, backend.requests)
            if fault is not None:
                return fault
            if answer.status == 404:
                continue  # nothing wrong with the request but that no route takes it
            if refused or case.closes:
                async with asyncio.timeout(20):
                    left = await reader.read()
                if left:
                    return f"more after the last answer: {left[:200]!r}"
                break
        else:
            trouble = await gateway.canary(connection)
            if trouble is not None:
                return f"same connection: {trouble}"
        expected_targets = [one.target for one in case.answers if isinstance(one, Seen)]
        seen_targets = [one.target for one in backend.requests if not one.target.startswith("/canary/")]
        if seen_targets != expected_targets and not (case.either and len(seen_targets) <= 1):
            return f"the backend saw {seen_targets}"
    finally:
        writer.close()
    if backend.faults:
        return f"the backend objects: {backend.faults.pop()}"
    return await gateway.canary()


def _refusal_fault(answer: Answer, expected: Seen | frozenset[int]) -> str | None:
    if isinstance(expected, frozenset) and answer.status not in expected:
        return f"answered {answer.status} {answer.body[:80]!r}, expected one of {sorted(expected)}"
    if answer.status != 404 and answer.fields.get(b"connection") != b"close":
        return f"{answer.status} without Connection: close"
    return None if answer.fields.get(b"content-type") == b"application/problem+json" else "no problem+json"


def _passage_fault(answer: Answer, expected: Seen | frozenset[int], requests: list[SeenRequest]) -> str | None:
    assert isinstance(expected, Seen)
    if answer.status != 200:
        return f"answered {answer.status} {answer.body[:80]!r}, expected to pass"
    text = f"{expected.method} {expected.target} {len(expected.body)}".encode()
    if answer.body != (b"" if expected.method == "HEAD" else text):
        return f"answered {answer.body!r}"
    found = [one for one in requests if (one.method, one.target) == (expected.method, expected.target)]
    if not found:
        return f"the backend saw {[(one.method, one.target) for one in requests]}"
    seen = found[-1]
    if seen.body != expected.body:
        return f"the backend got {seen.body[:80]!r}"
    if seen.values(b"host") != [expected.host]:
        return f"the backend got Host {seen.values(b'host')}"
    lines = {b"%b: %b" % pair for pair in seen.fields}
    if missing := set(expected.has) - lines:
        return f"the backend misses {missing}"
    names = {name for name, _ in seen.fields}
    return f"the backend got {names & set(expected.lacks)}" if names & set(expected.lacks) else None


def _split(wire: bytes, random: Random) -> tuple[bytes, ...]:
    cuts = sorted(random.sample(range(1, len(wire)), min(2, len(wire) - 1)))
    return tuple(wire[start:end] for start, end in zip((0, *cuts), (*cuts, len(wire)), strict=True))


@pytest.mark.parametrize("group", REQUESTS)
async def test_requests_are_judged_right(group: str, gateway: Gateway, backend: StrictBackend) -> None:
    wrong = []
    for case in REQUESTS[group]:
        fault = await judge(gateway, backend, case, (case.wire,))
        if fault is not None:
            wrong.append(f"{case.name}: {fault}")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("group", REQUESTS)
async def test_requests_in_pieces_are_judged_the_same(group: str, gateway: Gateway, backend: StrictBackend) -> None:
    random = Random(SEED)
    wrong = []
    for case in REQUESTS[group]:
        pieces = _split(case.wire, random)
        fault = await judge(gateway, backend, case, pieces)
        if fault is not None:
            wrong.append(f"{case.name}, cut after {[len(piece) for piece in pieces[:-1]]}: {fault}")
    assert not wrong, "\n" + "\n".join(wrong)


async def test_mutations_never_reach_the_backend_ambiguous(gateway: Gateway, backend: StrictBackend) -> None:
    """`AGW_HOSTILE_MUTATIONS` and `AGW_HOSTILE_SEED` choose another run."""
    cases = [case.wire for group in REQUESTS.values() for case in group if len(case.wire) < 4096]
    random = Random(SEED)
    wrong: list[str] = []

    async def one(number: int) -> None:
        wire = mutated(cases, random)
        fault = await _survives(gateway, wire)
        if number % 8 == 0 and fault is None:
            fault = await gateway.canary()
        if fault is not None:
            wrong.append(f"{fault}: {wire[:600]!r}")

    for start in range(0, MUTATIONS, 64):
        await asyncio.gather(*(one(number) for number in range(start, min(start + 64, MUTATIONS))))
        wrong.extend(backend.faults)
        backend.faults.clear()
        backend.requests.clear()
        assert not wrong, "\n" + "\n".join(wrong[:10])
    assert await gateway.canary() is None


async def _survives(gateway: Gateway, wire: bytes) -> str | None:
    """Sends whatever `wire` is; what comes back must be whole answers, one after the other."""
    reader, writer = await gateway.connect()
    try:
        writer.write(wire)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.06):
                while await read_answer(reader, "HEAD" if wire.lstrip().startswith(b"HEAD") else "GET") is not None:
                    pass
    except ValueError as fault:
        # After pipelined HEADs and tunnels a client that did not count cannot tell bodies from heads.
        return None if b"HEAD" in wire or b"websocket" in wire.lower() else str(fault)
    except OSError:
        pass
    finally:
        writer.close()
    return None
