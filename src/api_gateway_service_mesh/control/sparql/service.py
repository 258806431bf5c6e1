"""The children that evaluate queries: started, fed, bounded and killed from here.

Two children by default: two queries at a time, and while one is being replaced the other answers. A child that passes
its deadline or dies is killed and replaced at once; whoever waited for it gets 503 with Retry-After. Nothing of a
query is parsed in this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api_gateway_service_mesh.errors import AgwError, Origin

from .guard import GuardLimits, QueryRefused, check_query
from .process import ProcessGone, QueryProcess

__all__ = ["Answer", "Dataset", "QueryUnavailable", "SparqlLimits", "SparqlService"]

_RUNTIME_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SparqlLimits:
    """Bounds on one query and on how many run. ``memory_bytes`` is over what the dataset takes; ``waiting`` is how many
    may queue for a child, at most ``queue_seconds`` each."""

    seconds: float = 5.0
    answer_bytes: int = 10 * 1024 * 1024
    memory_bytes: int = 1024**3
    children: int = 2
    waiting: int = 32
    queue_seconds: float = 1.0
    load_seconds: float = 60.0
    guard: GuardLimits = field(default_factory=GuardLimits)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a child is loaded with. ``quads`` makes the N-Quads (called in a thread, once for each child and revision);
    ``default`` are the graphs whose merge, together with ``runtime``, is the default graph."""

    revision: int
    quads: Callable[[], bytes]
    default: tuple[str, ...]
    runtime: str
    prefixes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A serialised result. ``kind`` is ``solutions``, ``boolean`` or ``graph``; ``form`` the key of its format."""

    kind: str
    form: str
    body: bytes


class QueryUnavailable(AgwError):
    """No answer now: every child is busy, being replaced, or was just killed for this query."""

    origin = Origin.INTERNAL
    retryable = True
    status = 503

    def __init__(self, message: str, *, problem: str, remedy: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, remedy=remedy)
        self.problem = problem
        self.retry_after = retry_after


class SparqlService:
    """Answers queries over the dataset in force and the live state."""

    def __init__(self, limits: SparqlLimits | None = None) -> None:
        self.limits = limits or SparqlLimits()
        self.killed_total = 0
        self.queries_total = 0
        self.refused_total = 0
        self._idle: asyncio.Queue[QueryProcess] = asyncio.Queue()
        self._children: set[QueryProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._dataset: Dataset | None = None
        self._quads: tuple[int, bytes] = (-1, b"")
        self._runtime: Callable[[], bytes] = bytes
        self._runtime_text: tuple[float, bytes] = (0.0, b"")
        self._loading = asyncio.Lock()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The children's process ids."""
        return tuple(child.process.pid for child in self._children)

    async def start(self) -> None:
        """Start the children; they wait, without data, until `use`."""
        children = await asyncio.gather(*(QueryProcess.start() for _ in range(self.limits.children)))
        for child in children:
            self._children.add(child)
            self._idle.put_nowait(child)

    async def stop(self) -> None:
        """Kill all children."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(child.kill() for child in self._children))
        self._children.clear()

    def use(self, dataset: Dataset, runtime: Callable[[], bytes]) -> None:
        """Answer from `dataset` from now on; ``runtime`` makes the live state as N-Triples (called in a thread)."""
        self._dataset = dataset
        self._runtime = runtime
        self._runtime_text = (0.0, b"")
        self._spawn(self._preload())

    async def query(
        self,
        text: str,
        formats: Mapping[str, str | None],
        *,
        default_graphs: Sequence[str] | None = None,
        named_graphs: Sequence[str] = (),
    ) -> Answer:
        """Evaluate `text`. ``formats`` names the format for each kind of result, None where the caller takes none;
        ``default_graphs`` and ``named_graphs`` are the protocol's, and override the text's FROM clauses.

        Raises:
            QueryRefused: the text is not run (guard, syntax, answer too large, no format for this kind).
            QueryUnavailable: past the deadline, out of memory, or no child free; Retry-After says when to come back.
        """
        self.queries_total += 1
        try:
            check_query(text, self.limits.guard)
        except QueryRefused:
            self.refused_total += 1
            raise
        child = await self._take_alive()
        head = {
            "op": "query",
            "formats": dict(formats),
            "bytes": self.limits.answer_bytes,
            "memory": self.limits.memory_bytes,
            "seconds": self.limits.seconds,
            "default_graphs": None if default_graphs is None else list(default_graphs),
            "named_graphs": list(named_graphs),
        }
        returned = False
        try:
            async with asyncio.timeout(self.limits.seconds):
                answer, body = await child.ask(head, text.encode())
            returned = True
        except TimeoutError:
            raise QueryUnavailable(
                f"the query was stopped after {self.limits.seconds:g} s",
                problem="query-deadline",
                remedy="narrow it: fewer joins without shared variables, a LIMIT inside sub-selects",
            ) from None
        except ProcessGone:
            raise QueryUnavailable(
                "the query ended its process: it needed more memory or processor time than a query may have",
                problem="query-resources",
                remedy="narrow it, or ask in several smaller queries",
            ) from None
        finally:
            if returned:
                self._idle.put_nowait(child)
            else:
                self._replace(child)
        return _judged(answer, body, self.limits)

    async def _take_alive(self) -> QueryProcess:
        """A child up to date. One that died while nobody asked it anything is replaced: that is no query's fault."""
        while True:
            child = await self._take()
            prepared = False
            try:
                if not child.gone:
                    await self._prepare(child)
                    prepared = True
                    return child
            except ProcessGone:
                pass
            finally:
                if not prepared:
                    self._replace(child)

    async def _take(self) -> QueryProcess:
        if self._dataset is None:
            raise QueryUnavailable("the gateway is still loading its configuration", problem="not-ready")
        if self._waiting >= self.limits.waiting:
            raise QueryUnavailable("too many queries wait already", problem="query-queue-full")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limits.queue_seconds):
                return await self._idle.get()
        except TimeoutError:
            raise QueryUnavailable("all query processes are busy", problem="query-busy") from None
        finally:
            self._waiting -= 1

    async def _prepare(self, child: QueryProcess) -> None:
        """Bring the child to the dataset in force and the live state. Not on the query's time: this is our own work."""
        async with asyncio.timeout(self.limits.load_seconds):
            dataset = self._dataset
            assert dataset is not None
            if child.revision != dataset.revision:
                await self._load(child, dataset)
            if time.monotonic() - child.refreshed > _RUNTIME_SECONDS:
                made, text = self._runtime_text
                if time.monotonic() - made > _RUNTIME_SECONDS:
                    made = time.monotonic()
                    text = await asyncio.to_thread(self._runtime)
                    self._runtime_text = (made, text)
                await child.ask({"op": "runtime"}, text)
                child.refreshed = made

    async def _load(self, child: QueryProcess, dataset: Dataset) -> None:
        async with self._loading:  # serialise once, not once for each child
            if self._quads[0] != dataset.revision:
                self._quads = (dataset.revision, await asyncio.to_thread(dataset.quads))
        head = {
            "op": "load",
            "default": list(dataset.default),
            "runtime": dataset.runtime,
            "prefixes": dict(dataset.prefixes),
        }
        answer, _ = await child.ask(head, self._quads[1])
        if answer["status"] != "ok":
            raise AgwError(f"a query process could not load the dataset: {answer.get('message')}")
        child.revision = dataset.revision
        child.refreshed = 0.0

    async def _preload(self) -> None:
        """Load idle children before anyone asks."""
        for _ in range(self._idle.qsize()):
            try:
                child = self._idle.get_nowait()
            except asyncio.QueueEmpty:
                return
            await self._ready(child)

    async def _ready(self, child: QueryProcess) -> None:
        try:
            if self._dataset is not None:
                await self._prepare(child)
        except (ProcessGone, TimeoutError, AgwError):
            self._replace(child)
        except BaseException:
            self._replace(child)
            raise
        else:
            self._idle.put_nowait(child)

    def _replace(self, child: QueryProcess) -> None:
        self.killed_total += 1
        if not self._closed:
            self._spawn(self._respawn(child))

    async def _respawn(self, child: QueryProcess) -> None:
        await child.kill()
        self._children.discard(child)
        delay = 0.05
        while not self._closed:
            try:
                fresh = await QueryProcess.start()
                break
            except (ProcessGone, TimeoutError, OSError):
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
        else:
            return
        self._children.add(fresh)
        await self._ready(fresh)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _judged(answer: Mapping[str, Any], body: bytes, limits: SparqlLimits) -> Answer:
    status = answer["status"]
    if status == "ok":
        return Answer(answer["kind"], answer["format"], body)
    if status == "syntax":
        line, column = answer["line"], answer["column"]
        where = f" at line {line}, column {column}" if line else ""
        raise QueryRefused(
            f"the query is not SPARQL 1.1{where}: {answer['message']}",
            problem="query-syntax",
            place=(line, column) if line else None,
        )
    if status == "not-acceptable":
        raise QueryRefused(
            f"this query answers with {_KINDS[answer['kind']]}, and the Accept field names no format for that",
            status=406,
            problem="not-acceptable",
        )
    if status == "too-large":
        raise QueryRefused(
            f"the answer has more than {limits.answer_bytes} bytes",
            status=413,
            problem="answer-too-large",
            remedy="add a LIMIT, and page with OFFSET",
        )
    message = str(answer.get("message"))
    if message.startswith("MemoryError"):
        raise QueryUnavailable("the query needed more memory than a query may have", problem="query-resources")
    raise QueryRefused(f"the query could not be evaluated: {message}", problem="query-failed")


_KINDS = {"solutions": "a table", "boolean": "true or false", "graph": "a graph"}
