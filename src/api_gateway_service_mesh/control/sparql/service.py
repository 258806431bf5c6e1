"""The children that evaluate queries: started, fed, bounded and killed from here.

Two children by default: two queries at a time, and while one is being replaced the other answers. A child that passes
its deadline or dies is killed and replaced at once; whoever waited for it gets 503 with Retry-After. Nothing of a
query is parsed in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.graph.nesting import TooDeep, check_depth
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG

from .answers import Answer, Changes, Dataset, QueryUnavailable, SparqlLimits, failed, judged
from .clause import dataset_clause
from .guard import QueryRefused, check_query
from .operations import check_update, operations
from .process import ProcessGone, QueryProcess
from .trail import Trail

__all__ = ["Answer", "Changes", "Dataset", "QueryUnavailable", "SparqlLimits", "SparqlService"]

_RUNTIME_SECONDS = 0.2
_EDITOR_NICE = "5"
"""Queries give way to everything; an update is the gateway's own work, and gives way to requests only."""
_log = logging.getLogger("agw.sparql")
Result = TypeVar("Result")


class SparqlService:
    """Answers queries over the dataset in force and the live state."""

    def __init__(self, limits: SparqlLimits | None = None) -> None:
        self.limits = limits or SparqlLimits()
        self.killed_total = 0
        self.queries_total = 0
        self.refused_total = 0
        self._idle: asyncio.Queue[QueryProcess] = asyncio.Queue()
        self._children: set[QueryProcess] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting = 0
        self._taking_in = 0
        self._dataset: Dataset | None = None
        self._editor: QueryProcess | None = None
        self._editing = asyncio.Lock()
        self._readying: asyncio.Task[QueryProcess] | None = None
        self._trail = Trail()
        self._runtime: Callable[[], bytes] = bytes
        self._runtime_text: tuple[float, bytes] = (0.0, b"")
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
        editor = (self._editor,) if self._editor is not None else ()
        await asyncio.gather(*(child.kill() for child in (*self._children, *editor)))
        self._children.clear()

    def use(self, dataset: Dataset, runtime: Callable[[], bytes], *, edited: bool = False) -> None:
        """Answer from `dataset` from now on; ``runtime`` makes the live state as N-Triples (called in a thread).
        ``edited``: updates may come, so the process for them is made ready before one does."""
        self._dataset = dataset
        self._trail.follow(dataset)
        self._runtime = runtime
        self._runtime_text = (0.0, b"")
        self._spawn(self._preload(edited))

    def refresh(self) -> None:
        """The live state is another one now: no query that comes from here on is answered from what was known."""
        self._runtime_text = (0.0, b"")
        for child in self._children:
            child.refreshed = 0.0

    async def query(
        self,
        text: str,
        formats: Mapping[str, str | None],
        *,
        default_graphs: Sequence[str] | None = None,
        named_graphs: Sequence[str] = (),
        base: str | None = None,
    ) -> Answer:
        """Evaluate `text`. ``formats`` names the format for each kind of result, None where the caller takes none;
        ``default_graphs`` and ``named_graphs`` are the protocol's, and override the text's FROM clauses; ``base`` is
        what relative IRIs are resolved by, where the text has no BASE (None: they are errors).

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
        prologue, graphs, named = dataset_clause(text)
        head = {
            "op": "query",
            "formats": dict(formats),
            "default_graphs": None if default_graphs is None else list(default_graphs),
            "named_graphs": list(named_graphs),
            "from": [graphs, named] if default_graphs is None and len(graphs) > 1 else None,
            "prologue": prologue,
            "base": base,
        }
        return judged(*await self._evaluated(head, text.encode()), self.limits)

    async def graph(self, name: str | None, form: str) -> Answer:
        """A graph of the dataset (None: the default graph; ``*``: the whole dataset) in the format `form`.

        Raises:
            QueryRefused: it is too large.
            QueryUnavailable: as for `query`.
        """
        head = {"op": "graph", "graph": name, "format": form, "bytes": self.limits.graph_bytes}
        return judged(*await self._evaluated({**head, "seconds": self.limits.load_seconds}, b""), self.limits)

    async def parse(self, body: bytes, form: str, base: str) -> bytes:
        """A document that somebody sent, as N-Triples.

        Raises:
            QueryRefused: it is not well formed, or nests too deep.
            QueryUnavailable: as for `query`.
        """
        try:
            check_depth(body.decode(), json=form == "jsonld")
        except UnicodeDecodeError as error:
            raise QueryRefused(f"the body is not UTF-8 (byte {error.start})") from None
        except TooDeep:
            raise QueryRefused("more than 100 brackets are open in one place", problem="too-deep") from None
        longer = {"seconds": self.limits.load_seconds}
        answer, text = await self._evaluated({"op": "parse", "format": form, "base": base, **longer}, body)
        if answer["status"] == "refused":
            raise QueryRefused(f"the body is not what it says it is: {answer['message']}", problem="rdf-syntax")
        failed(answer)
        return text

    async def update(
        self,
        text: str,
        *,
        using: Sequence[str] | None = None,
        named: Sequence[str] | None = None,
        base: str | None = None,
    ) -> Changes:
        """What the update `text` would change in the configuration of the dataset in force. Nothing is changed.

        Raises:
            QueryRefused: the text is not run, or asks for what updates may not do.
            QueryUnavailable: as for `query`.
        """
        parts = operations(text)
        check_update(text, parts, self.limits.guard)
        head = {
            "op": "update",
            "operations": parts,
            "config": GRAPH_CONFIG,
            "limit": self.limits.changes,
            "using": None if using is None else list(using),
            "using_named": None if named is None else list(named),
            "base": base,
        }
        async with self._editing:
            child = await self._editor_ready()
            done = False
            try:
                answer, body = await self._asked(child, head, text.encode())
                done = True
            finally:
                if not done:
                    self._editor = None
                    await child.kill()
        if answer["status"] == "refused":
            status = 403 if answer["problem"] == "other-graph" else 400
            raise QueryRefused(answer["message"], status=status, problem=answer["problem"])
        failed(answer)
        return Changes(body[: answer["added"]], body[answer["added"] :])

    async def _editor_ready(self) -> QueryProcess:
        """The process for updates: apart from those for queries, so that neither waits for the other. Whoever does not
        wait until it is ready leaves it to those who come later: it goes on getting ready.

        Raises:
            QueryUnavailable: it takes longer than a caller should wait.
        """
        if self._dataset is None:
            raise QueryUnavailable("the gateway is still loading its configuration", problem="not-ready")
        child, readying = self._editor, self._readying
        if readying is None or readying.done():
            if child is not None and child.revision == self._dataset.revision and not child.gone:
                return child
            readying = self._readying = self._spawn(self._editor_made())
        return await self._waited(readying)

    async def _editor_made(self) -> QueryProcess:
        while True:
            child = self._editor
            try:
                if child is None or child.gone:
                    child = self._editor = await QueryProcess.start(_EDITOR_NICE)
                await self._trail.lead(child, (GRAPH_CONFIG,))
                return child
            except ProcessGone:
                self._editor = None

    async def _waited(self, readying: asyncio.Task[Result]) -> Result:
        """What comes of it, for a caller who waits only so long.

        Raises:
            QueryUnavailable: the caller waits no longer. What was begun goes on.
        """
        try:
            async with asyncio.timeout(self.limits.load_seconds):
                return await asyncio.shield(readying)
        except (TimeoutError, OSError):
            raise QueryUnavailable(
                "the processes for queries and updates are still taking in the configuration",
                problem="not-ready",
                remedy="ask again: it goes on meanwhile, and what is served is not held up by it",
                retry_after=5,
            ) from None

    async def _evaluated(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One question to a free child."""
        child = await self._take_alive()
        returned = False
        try:
            answer = await self._asked(child, head, body)
            returned = True
        finally:
            if returned:
                self._idle.put_nowait(child)
            else:
                self._replace(child)
        return answer

    async def _asked(self, child: QueryProcess, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One question within the bounds. Whoever gets an exception has to replace the child."""
        bounds = {
            "bytes": self.limits.answer_bytes,
            "memory": self.limits.memory_bytes,
            "seconds": self.limits.seconds,
        }
        try:
            async with asyncio.timeout(head.get("seconds", self.limits.seconds)):
                return await child.ask({**bounds, **head}, body)
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

    async def _take_alive(self) -> QueryProcess:
        """A child up to date. One that died while nobody asked it anything is replaced: that is no query's fault."""
        while True:
            child = await self._take()
            if child.gone:
                self._replace(child)
                continue
            preparing = self._spawn(self._prepare(child))
            try:
                await self._waited(preparing)
                return child
            except ProcessGone:
                self._replace(child)
            except BaseException:
                # Whoever asked is gone, or waits no longer: the next one finds what was begun.
                self._spawn(self._left(preparing, child))
                raise

    async def _left(self, preparing: asyncio.Task[None], child: QueryProcess) -> None:
        """Put a child back when it is prepared."""
        try:
            await preparing
        except BaseException:
            self._replace(child)
            raise
        self._idle.put_nowait(child)

    async def _take(self) -> QueryProcess:
        if self._dataset is None:
            raise QueryUnavailable("the gateway is still loading its configuration", problem="not-ready")
        if self._waiting >= self.limits.waiting:
            raise QueryUnavailable("too many queries wait already", problem="query-queue-full")
        self._waiting += 1
        try:
            # For others' queries a caller waits less long than for children that are brought to what is in force.
            seconds = self.limits.load_seconds if self._taking_in else self.limits.queue_seconds
            async with asyncio.timeout(seconds):
                return await self._idle.get()
        except TimeoutError:
            raise QueryUnavailable("all query processes are busy", problem="query-busy") from None
        finally:
            self._waiting -= 1

    async def _prepare(self, child: QueryProcess, *, live: bool = True) -> None:
        """Bring the child to the dataset in force and (`live`) the live state. Not on the query's time: this is our own
        work."""
        assert self._dataset is not None
        await self._trail.lead(child, self._dataset.default)
        if live and time.monotonic() - child.refreshed > _RUNTIME_SECONDS:
            made, text = self._runtime_text
            if time.monotonic() - made > _RUNTIME_SECONDS:
                made = time.monotonic()
                text = await asyncio.to_thread(self._runtime)
                self._runtime_text = (made, text)
            await child.ask({"op": "runtime"}, text)
            child.refreshed = made

    async def _preload(self, edited: bool) -> None:
        """Load idle children before anyone asks, and the process for updates before them: it has nobody to stand in."""
        await self._trail.settle()
        if edited and not self._editing.locked():  # else whoever has it makes it ready
            with contextlib.suppress(AgwError):
                await self._editor_ready()
        for _ in range(self._idle.qsize()):
            try:
                child = self._idle.get_nowait()
            except asyncio.QueueEmpty:
                return
            self._taking_in += 1
            try:
                await self._ready(child)
            finally:
                self._taking_in -= 1

    async def _ready(self, child: QueryProcess) -> None:
        try:
            if self._dataset is not None:
                await self._prepare(child, live=False)  # the live state is asked for when a query comes
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

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("a query process could not be made ready", exc_info=error)
