"""Redis, as the place where several gateways count together (``agw:RedisStore``).

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
from typing import TYPE_CHECKING, Any

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import RedisStore
from api_gateway_service_mesh.policies.redis import AWAY, UP
from api_gateway_service_mesh.security.secret import read_secret

from .redis_script import SCRIPT

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["SharedStore", "SharedStores", "Verdict"]

BATCHES = 4
BATCH_ASKS = 256
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the store said: the seconds to wait (0.0: admitted), what is left, and until all is back."""

    wait: float
    remaining: int
    reset: float


Told = Callable[[Verdict | None], None]
_Ask = tuple[str, tuple[str | int, ...], Told]


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
        self._loop = loop
        self._state = state
        self._random = random
        self._client: Redis | None = None
        self._sha = ""
        self._waiting: list[_Ask] = []
        self._scheduled = False
        self._under_way = 0
        self._failures = 0
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._probing: asyncio.TimerHandle | None = None

    def ask(self, key: str, arguments: tuple[str | int, ...], told: Told) -> bool:
        """Have the script decide about `key`; `told` is called with the verdict, or with None when there will be none.
        False: the store is away, and nobody will be called."""
        if self.away or self._closed:
            return False
        self._waiting.append((key, arguments, told))
        self._schedule()
        return True

    def close(self) -> None:
        """Let go of the connections; who waits is told that there will be no verdict."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
        waiting, self._waiting = self._waiting, []
        _tell(waiting, None)
        if self._client is not None:
            self._start(self._let_go(self._client))
            self._client = None

    def _schedule(self) -> None:
        if not self._scheduled and self._waiting and self._under_way < BATCHES:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        batch, self._waiting = self._waiting[:BATCH_ASKS], self._waiting[BATCH_ASKS:]
        if batch:
            self._under_way += 1
            self._start(self._send(batch))
            self._schedule()

    def _start(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[_Ask]) -> None:
        answers: list[Any] | None = None
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                answers = await self._evaluate(batch)
        except Exception as error:
            if not _is_outage(error):
                raise
            self._failed()
        finally:
            self._under_way -= 1
            self._schedule()
            if answers is None:
                _tell(batch, None)
        if answers is not None:
            self._succeeded()
            for (_, _, told), (wait, remaining, reset) in zip(batch, answers, strict=True):
                told(Verdict(wait / 1e6, remaining, reset / 1e6))

    async def _evaluate(self, batch: list[_Ask]) -> list[Any]:
        from redis.exceptions import NoScriptError

        client = await self._connected()
        answers: list[Any] = []
        for _ in range(2):
            pipeline = client.pipeline(transaction=False)
            for key, arguments, _told in batch:
                pipeline.evalsha(self._sha, 1, key, *arguments)
            self.batches += 1
            answers = await pipeline.execute(raise_on_error=False)
            if not any(isinstance(answer, NoScriptError) for answer in answers):
                break
            # The server was restarted, and has forgotten the script; it runs none of those that went before.
            self._sha = str(await client.script_load(SCRIPT))
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _connected(self) -> Redis:
        if self._client is None:
            self._client = _client(self.config)
        if not self._sha:
            self._sha = str(await self._client.script_load(SCRIPT))
        return self._client

    def _succeeded(self) -> None:
        if not self.away:
            self._state(UP)

    def _failed(self) -> None:
        if self._closed or self.away:
            return
        self.away = True
        self._state(AWAY)
        waiting, self._waiting = self._waiting, []
        _tell(waiting, None)
        self._probe_later()

    def _probe_later(self) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._probing = self._loop.call_later(pause * (0.5 + self._random() / 2), lambda: self._start(self._probe()))

    async def _probe(self) -> None:
        client, self._client, self._sha = self._client, None, ""
        if client is not None:
            await self._let_go(client)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connected()
        except Exception as error:
            if not _is_outage(error):
                raise
            if not self._closed:
                self._probe_later()
            return
        self.away = False
        self._failures = 0
        self._state(UP)

    async def _let_go(self, client: Redis) -> None:
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


def _client(config: RedisStore) -> Redis:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    secured: dict[str, Any] = {}
    if config.tls:
        secured = {"ssl": True, "ssl_ca_certs": config.trust_bundle_file, "ssl_check_hostname": True}
    return Redis(
        host=config.host,
        port=config.port,
        db=config.database,
        username=config.user_name,
        password=read_secret(config.password_ref) if config.password_ref is not None else None,
        socket_connect_timeout=CONNECT_SECONDS,
        max_connections=BATCHES + 1,
        retry=Retry(NoBackoff(), 0),
        **secured,
    )


def _is_outage(error: Exception) -> bool:
    """Whether the store, rather than agw, is at fault."""
    from redis.exceptions import RedisError

    return isinstance(error, RedisError | OSError | TimeoutError | AgwError)


def _tell(asks: Iterable[_Ask], verdict: Verdict | None) -> None:
    for _, _, told in asks:
        told(verdict)
