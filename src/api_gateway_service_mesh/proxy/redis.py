"""Redis, as the place where several gateways count together, and keep answers (``agw:RedisStore``).

- One script decides a request whole, in the server, with the server's clock (``TIME``): no two gateways can both take
  the last token, and their own clocks do not matter.
- What is asked in one turn of the loop goes out as one pipeline; at most `BATCHES` are under way, each for no longer
  than the store's timeout. No request of a client is ever blocked by another's.
- A batch that fails, or does not come back in time, makes the store *away*: everyone who waits is told so, and who asks
  next is told at once. Meanwhile a probe tries again, after a growing pause, and finds the script a home before anyone
  is sent there.

The client library is ``redis`` (redis-py), an optional one: ``pip install api-gateway-service-mesh[redis]``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import RedisStore
from api_gateway_service_mesh.policies.redis import AWAY, UP

from .redis_client import CONNECT_SECONDS, client_of
from .redis_lane import Ask, Lane, Word, tell
from .redis_script import SCRIPT

__all__ = ["SharedStore", "SharedStores", "Verdict"]

BATCHES = 4
BATCH_ASKS = 256
VALUE_ASKS = 16
"""Values are larger than verdicts: a batch of them has to come back in the same time."""
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the store said: the seconds to wait (0.0: admitted), what is left, and until all is back."""

    wait: float
    remaining: int
    reset: float


Told = Callable[[Verdict | None], None]
_SHA = sha1(SCRIPT.encode("utf-8"), usedforsecurity=False).hexdigest()


class SharedStore:
    """One server, as one worker uses it. Lives on one event loop.

    Args:
        state: told `policies.redis.UP` and `AWAY` as they come.
        random: in [0, 1): spreads the probes of several gateways.
    """

    def __init__(
        self,
        config: RedisStore,
        loop: asyncio.AbstractEventLoop,
        state: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self.config = config
        self.away = False
        self.batches = 0
        """Pipelines sent so far."""
        self.on_close: list[Callable[[], None]] = []
        """Told when it is let go of."""
        self.log: Any = None
        """The purges that are told of in it (`cache_purges`), where it keeps answers."""
        self.loop = loop
        self._state = state
        self._random = random
        self._client: Any = None
        self._scripts: dict[str, str] = {_SHA: SCRIPT}
        self._prepared = False
        self._limits = Lane(loop, self._start, self._send_limits, BATCHES, BATCH_ASKS)
        self._values = Lane(loop, self._start, self._send_values, BATCHES, VALUE_ASKS)
        self._failures = 0
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._probing: asyncio.TimerHandle | None = None

    def ask(self, key: str, arguments: tuple[str | int, ...], told: Told) -> bool:
        """Have the script decide about `key`; `told` is called with the verdict, or with None when there will be none.
        False: the store is away, and nobody will be called."""
        if self.away or self._closed:
            return False

        def judged(answer: Any) -> None:
            told(None if answer is None else Verdict(answer[0] / 1e6, answer[1], answer[2] / 1e6))

        self._limits.put((("EVALSHA", _SHA, 1, key, *arguments), judged))
        return True

    def send(self, words: tuple[Word, ...], told: Callable[[Any], None]) -> bool:
        """Say a command; `told` is called with the answer, with an exception when the server refuses this command, or
        with None when there will be no answer. False: the store is away, and nobody will be called."""
        if self.away or self._closed:
            return False
        self._values.put((words, told))
        return True

    def learn(self, script: str) -> str:
        """Have it know another script; by what name EVALSHA has it."""
        name = sha1(script.encode("utf-8"), usedforsecurity=False).hexdigest()
        if name not in self._scripts:
            self._scripts[name] = script
            self._prepared = False
        return name

    def close(self) -> None:
        """Let go of the connections; who waits is told that there will be no answer."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
        for told in self.on_close:
            told()
        self._limits.give_up()
        self._values.give_up()
        if self._client is not None:
            self._start(self._let_go(self._client))
            self._client = None

    def _start(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_limits(self, batch: list[Ask]) -> None:
        await self._send(batch, every=True)

    async def _send_values(self, batch: list[Ask]) -> None:
        await self._send(batch, every=False)

    async def _send(self, batch: list[Ask], *, every: bool) -> None:
        """`every`: what is refused is a failure of the store, since the rest of the batch would be as well."""
        answers: list[Any] | None = None
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                answers = await self._say(batch)
            for answer in answers:
                if isinstance(answer, Exception) and (every or not _is_refusal(answer)):
                    answers = None
                    raise answer
        except Exception as error:
            if not _is_outage(error):
                raise
            self._failed()
        finally:
            if answers is None:
                tell(batch, None)
        if answers is not None:
            self._succeeded()
            for (_, told), answer in zip(batch, answers, strict=True):
                told(answer)

    async def _say(self, batch: list[Ask]) -> list[Any]:
        from redis.exceptions import NoScriptError

        client = await self._connected()
        answers: list[Any] = [None] * len(batch)
        left = list(range(len(batch)))
        for _ in range(2):
            pipeline = client.pipeline(transaction=False)
            for at in left:
                pipeline.execute_command(*batch[at][0])
            self.batches += 1
            for at, answer in zip(left, await pipeline.execute(raise_on_error=False), strict=True):
                answers[at] = answer
            left = [at for at in left if isinstance(answers[at], NoScriptError)]
            if not left:
                break
            # The server was restarted, and has forgotten the scripts.
            await self._prepare(client)
        return answers

    async def _connected(self) -> Any:
        if self._client is None:
            self._client = client_of(self.config)
        if not self._prepared:
            await self._prepare(self._client)
        return self._client

    async def _prepare(self, client: Any) -> None:
        for script in list(self._scripts.values()):
            await client.script_load(script)
        self._prepared = True

    def _succeeded(self) -> None:
        if not self.away:
            self._failures = 0
            self._state(UP)

    def _failed(self) -> None:
        if self._closed or self.away:
            return
        self.away = True
        self._state(AWAY)
        self._limits.give_up()
        self._values.give_up()
        self._probe_later()

    def _probe_later(self) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._probing = self.loop.call_later(pause * (0.5 + self._random() / 2), lambda: self._start(self._probe()))

    async def _probe(self) -> None:
        client, self._client, self._prepared = self._client, None, False
        if client is not None:
            await self._let_go(client)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                client = await self._connected()
            # Who connects, and then takes longer than anybody would wait, is not back.
            async with asyncio.timeout(self.config.timeout_seconds):
                await client.ping()
        except Exception as error:
            if not _is_outage(error):
                raise
            if not self._closed:
                self._probe_later()
            return
        self.away = False
        self._state(UP)

    async def _let_go(self, client: Any) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.aclose()
        except Exception as error:
            if not _is_outage(error):
                raise


class SharedStores:
    """The stores of one worker, by their configuration."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, random: Callable[[], float], state: Callable[[str, float], None]
    ) -> None:
        self._loop = loop
        self._random = random
        self._state = state
        self._stores: dict[RedisStore, SharedStore] = {}

    def of(self, config: RedisStore) -> SharedStore:
        """The store of `config`, made when it is first asked for."""
        found = self._stores.get(config)
        if found is None:
            iri = config.iri
            found = SharedStore(config, self._loop, lambda state: self._state(iri, state), self._random)
            self._stores[config] = found
        return found

    def adopt(self, wanted: Iterable[RedisStore]) -> None:
        """Let go of the stores that a new table does not use any more."""
        keep = set(wanted)
        for config in [config for config in self._stores if config not in keep]:
            self._stores.pop(config).close()

    def close(self) -> None:
        """Let go of all."""
        self.adopt(())


def _is_refusal(error: Exception) -> bool:
    """Whether the server has answered, and refuses this one command (no memory left, no such right)."""
    from redis.exceptions import ResponseError

    return isinstance(error, ResponseError)


def _is_outage(error: Exception) -> bool:
    """Whether the store, rather than agw, is at fault."""
    from redis.exceptions import RedisError

    return isinstance(error, RedisError | OSError | TimeoutError | AgwError)
