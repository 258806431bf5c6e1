"""The corpus of hostile answers: the client sees an error or a visible cut, and the next answer is never poisoned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.support.strict_backend import read_answer

from .hostile_answers import ANSWERS, AnswerCase
from .hostile_gateway import MUTATIONS, SEED, Gateway
from .hostile_mutations import mutated

_LATE_SECONDS = 0.02


class RudeBackend:
    """Answers `/case` with the bytes of `case`, everything else properly, on the same connection if it is let."""

    def __init__(self) -> None:
        self.case = AnswerCase("", b"")
        self.port = 0
        self.done = asyncio.Event()
        self.mutants: dict[int, bytes] = {}
        self.reused = False
        """A request came on a connection whose answer had been wrong."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        spoilt = False
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
                if spoilt:
                    self.reused = True
                if target == b"/case":
                    spoilt = self.case.spoils or self.case.expected is None
                    writer.write(self.case.wire)
                    if self.case.late:
                        await asyncio.sleep(_LATE_SECONDS)
                        writer.write(self.case.late)
                    self.done.set()
                    if self.case.closes:
                        return
                elif target.startswith(b"/mutant/"):
                    writer.write(self.mutants[int(target[8:])])
                    await asyncio.sleep(_LATE_SECONDS)  # long enough for a wrong gateway to pool the connection
                    return
                else:
                    body = b"%b %b 0" % (method, target)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            self.done.set()
            writer.close()


@pytest.fixture
async def backend() -> AsyncIterator[RudeBackend]:
    one = RudeBackend()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def gateway(backend: RudeBackend) -> AsyncIterator[Gateway]:
    one = Gateway(backend.port)
    await one.start()
    yield one
    await one.engine.drain(0)


async def judge(gateway: Gateway, backend: RudeBackend, case: AnswerCase) -> str | None:
    """What was judged wrong in `case`; None when all is well."""
    backend.case = case
    backend.done.clear()
    backend.reused = False
    reader, writer = await gateway.connect()
    try:
        writer.write(f"{case.method} /case HTTP/1.1\r\nHost: h.example\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = await read_answer(reader, case.method)
            await backend.done.wait()
    except TimeoutError:
        return "no answer"
    except (ValueError, OSError) as fault:
        return f"{type(fault).__name__}: {fault}"
    finally:
        writer.close()
    if answer is None:
        return "closed without an answer"
    expected = case.expected
    bad = answer.status == 502 or not answer.whole
    if expected is None or (case.either and bad):
        if not bad:
            return f"passed as {answer.status} {answer.body[:80]!r}"
        if answer.status == 502 and answer.fields.get(b"content-type") != b"application/problem+json":
            return "502 without problem+json"
    elif (answer.status, answer.body, answer.whole) != (expected.status, expected.body, True):
        return f"seen as {answer.status} {answer.body[:80]!r}{'' if answer.whole else ', cut'}"
    elif unwanted := set(expected.lacks) & set(answer.fields):
        return f"the client got {unwanted}"
    for _ in range(2):
        trouble = await gateway.canary()
        if trouble is not None:
            return trouble
    return "the connection was used again" if backend.reused else None


@pytest.mark.parametrize("group", ANSWERS)
async def test_answers_are_judged_right(
    group: str, gateway: Gateway, backend: RudeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    wrong = []
    for case in ANSWERS[group]:
        fault = await judge(gateway, backend, case)
        if fault is not None:
            wrong.append(f"{case.name}: {fault}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert not trouble
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_mutated_answers_are_whole_refused_or_cut(gateway: Gateway, backend: RudeBackend) -> None:
    """`AGW_HOSTILE_MUTATIONS` and `AGW_HOSTILE_SEED` choose another run."""
    random = Random(SEED)
    wires = [case.wire + case.late for group in ANSWERS.values() for case in group if len(case.wire) < 4096]
    wrong: list[str] = []

    async def one(number: int) -> None:
        wire = backend.mutants[number] = mutated(wires, random)
        reader, writer = await gateway.connect()
        try:
            writer.write(b"GET /mutant/%d HTTP/1.1\r\nHost: h.example\r\n\r\n" % number)
            async with asyncio.timeout(20):
                answer = await read_answer(reader)
        except (TimeoutError, ValueError, OSError) as fault:
            wrong.append(f"{type(fault).__name__} {fault}: {wire[:600]!r}")
            return
        finally:
            writer.close()
        if answer is None:
            wrong.append(f"closed without an answer: {wire[:600]!r}")
        trouble = await gateway.canary()
        if trouble is not None:
            wrong.append(f"{trouble}: {wire[:600]!r}")

    for start in range(0, MUTATIONS, 64):
        await asyncio.gather(*(one(number) for number in range(start, min(start + 64, MUTATIONS))))
        assert not wrong, "\n" + "\n".join(wrong[:10])
