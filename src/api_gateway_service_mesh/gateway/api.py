"""`ApiGateway`: build a configuration, ask it, serve it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyoxigraph import Triple

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.control.delta import Delta, applied, fresh, parse_ntriples
from api_gateway_service_mesh.control.sparql.changes import Refused, changed
from api_gateway_service_mesh.control.sparql.child import Dataset
from api_gateway_service_mesh.control.sparql.dataset import DEFAULT_GRAPHS, dataset_quads
from api_gateway_service_mesh.control.sparql.guard import check_query
from api_gateway_service_mesh.control.sparql.operations import check_update, operations
from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_RUNTIME, IMPLIED_GATEWAY, PREFIXES

from .answer import Answer
from .config import RouteConfig, ServiceMeshConfig
from .draft import Draft, gateways_of
from .explained import Explained, explain_url
from .triples import NAMESPACE, mesh_triples

if TYPE_CHECKING:
    from aiohttp import web
    from rdflib import Graph

    from .serving import Address, Serving, State

__all__ = ["ApiGateway"]

_MOST_CHANGES = 1_000_000
_PREFIXES = {"agw": PREFIXES["agw"], "gw": NAMESPACE}


class ApiGateway:
    """A gateway in this process.

    Its configuration is triples: start with none, or with `from_turtle` or `from_graph`, and add routes at any time,
    also while it serves. Methods may be called from any thread.

    Args:
        config: the service mesh that the services of added routes live in; None: in none.
    """

    def __init__(self, config: ServiceMeshConfig | None = None) -> None:
        base = tuple(mesh_triples(config)) if config is not None else ()
        self._begin(SourceGraph.of(base, _PREFIXES), None)
        self._in_mesh = config is not None

    def _begin(self, source: SourceGraph, chosen: str | None) -> None:
        self._source = source
        self._chosen = chosen
        self._in_mesh = False
        self._built: Build | None = None
        self._last: Build | None = None
        self._asked: tuple[Build, Dataset] | None = None
        self._added: dict[tuple[str, str], str] = {}
        self._state: State | None = None
        self._servings: list[Serving] = []
        self._slots: Mapping[tuple[str, str], int] = {}
        self._installs = 0
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._lock = threading.RLock()

    @classmethod
    def from_turtle(cls, source: str | Path, *more: str | Path, gateway: str | None = None) -> ApiGateway:
        """A gateway from Turtle: files, or one text (told by holding a line break, or no such path's characters).

        Args:
            gateway: IRI of the gateway meant, where the graph holds several.

        Raises:
            ConfigError: with the whole report.
        """
        if isinstance(source, str) and not more and ("\n" in source or "{" in source or "<" in source):
            return cls._of(SourceGraph.parse(source, base_dir=Path.cwd()), gateway)
        return cls._of(SourceGraph.load([source, *more]), gateway)

    @classmethod
    def from_graph(cls, graph: Graph, *, gateway: str | None = None) -> ApiGateway:
        """A gateway from an rdflib graph, which is copied.

        Raises:
            ConfigError: with the whole report.
        """
        return cls._of(SourceGraph.from_rdflib(graph), gateway)

    @classmethod
    def _of(cls, source: SourceGraph, chosen: str | None) -> ApiGateway:
        made = cls.__new__(cls)
        made._begin(source, chosen)
        made._built = made._last = build(source, chosen)
        return made

    # -- the configuration

    def add_route(self, route: RouteConfig) -> str:
        """Write a route's triples and return its IRI. A backend that is there already is shared.

        A gateway that serves takes requests on the new route from then on.

        Raises:
            ConfigError: the route is refused; the gateway is as it was.
        """
        return self.add_routes((route,))[0]

    def add_routes(self, routes: Iterable[RouteConfig]) -> tuple[str, ...]:
        """Add several routes, all or none.

        Raises:
            ConfigError: one of them is refused; the gateway is as it was.
        """
        with self._lock:
            draft = Draft(self._source, self._added, self._gateway_iri(), in_mesh=self._in_mesh)
            iris = tuple(draft.add(route) for route in routes)
            if not self._servings:  # else all of it is built now
                build(draft.alone())
            before = self._source, self._built
            self._source = self._extended(draft.triples)
            self._built = None
            if self._servings:
                try:
                    self._install()
                except BaseException:
                    self._source, self._built = before
                    raise
            self._added = draft.added
            return iris

    def _gateway_iri(self) -> str | None:
        if self._chosen is not None:
            return self._chosen
        gateways = set(gateways_of(self._source))
        return gateways.pop() if len(gateways) == 1 else None

    def _extended(self, draft: Iterable[Triple]) -> SourceGraph:
        """The source with more triples; those it had keep their places."""
        more = SourceGraph.of(draft)
        known = set(more.rows).intersection(self._source.rows)
        fresh = [(row, triple) for row, triple in zip(more.rows, more.triples, strict=True) if row not in known]
        source = self._source
        return SourceGraph(
            (*source.rows, *(row for row, _ in fresh)),
            (*source.triples, *(triple for _, triple in fresh)),
            source.documents,
            {**_PREFIXES, **source.prefixes},
            source.findings,
        )

    @property
    def build(self) -> Build:
        """The configuration with every stage it went through, from triples to table; ``build.report`` has the warnings.

        Raises:
            ConfigError: with the whole report.
        """
        with self._lock:
            if self._built is None:
                self._built = self._last = build(self._source, self._chosen, previous=self._last)
            return self._built

    @property
    def graph(self) -> Graph:
        """The configuration as an rdflib graph: a copy, whose changes do not change the gateway (see `from_graph`)."""
        return self._source.to_rdflib()

    def query(self, sparql: str) -> Answer:
        """Ask the configuration, what follows from it, the ontology and, once it serves, the live state.

        ``for row in gateway.query("SELECT ?path WHERE { ?r agw:routePath ?path }"): print(row.path)``. The dataset is
        that of the admin port's ``/sparql``, named graphs included. The prefixes of the configuration and the usual
        ones need no declaration. Blank nodes of the source have IRIs here. Nothing leaves the process: SERVICE is
        refused, and so is what is too big for the parser to survive.

        Raises:
            ClientError: it is not a SPARQL query, or one that is refused.
        """
        check_query(sparql)
        made = self.build
        with self._lock:
            if self._asked is None or self._asked[0] is not made:
                self._asked = made, _dataset(made)
            dataset = self._asked[1]
            dataset.refresh(self._runtime())
            try:
                return Answer(dataset.store.query(sparql, prefixes=dataset.prefixes))
            except (SyntaxError, ValueError) as error:
                raise ClientError(f"the query is not SPARQL: {error}", remedy="see SPARQL 1.1 Query Language") from None

    def update(self, sparql: str) -> Delta:
        """Change the configuration with SPARQL Update, all or nothing; what came and went is returned.

        ``gateway.update('INSERT DATA { ex:r agw:priority 5 }')``. The configuration is the default graph and the only
        one that is written; the others can be read with GRAPH. A gateway that serves takes requests on the new
        configuration from then on. Nothing leaves the process: LOAD and SERVICE are refused.

        Raises:
            ConfigError: the configuration would be wrong; the gateway is as it was.
            ClientError: it is not a SPARQL update, or one that is refused.
        """
        parts = operations(sparql)
        check_update(sparql, parts)
        with self._lock:
            made = self.build
            store = Dataset()
            prefixes = {**PREFIXES, **made.source.prefixes}
            head = {"default": [GRAPH_CONFIG], "runtime": GRAPH_RUNTIME, "prefixes": prefixes}
            store.load(head, dataset_quads(made.validated))
            asked = {"operations": parts, "config": GRAPH_CONFIG, "limit": _MOST_CHANGES, "using": None}
            try:
                added, removed = changed(store.store, prefixes, {**asked, "using_named": None}, sparql)
            except SyntaxError as error:
                raise ClientError(f"the update is not SPARQL: {error}", remedy="see SPARQL 1.1 Update") from None
            except (Refused, ValueError) as error:
                raise ClientError(str(error)) from None
            delta = fresh(made.source, parse_ntriples(added), parse_ntriples(removed))
            if delta:
                self._change(applied(self._source, delta).restated(documents=self._source.documents))
            return delta

    def _change(self, source: SourceGraph) -> None:
        """Put another source in force, or leave everything as it was."""
        before = self._source, self._built
        self._source, self._built = source, None
        try:
            if self._servings:
                self._install()
            else:
                _ = self.build
        except BaseException:
            self._source, self._built = before
            raise

    def _runtime(self) -> bytes:
        if self._state is None or self._built is None or not self._slots:
            return b""
        return self._state.runtime(self._built.mesh, self._slots, self._installs)

    def explain(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, caller: Iterable[str] = ()
    ) -> Explained:
        """Which route takes a request, why, and the triples behind it with file and line; ``print`` it.

        Args:
            url: ``http://host/path?query``, or ``/path?query`` for a request that names no host.
            caller: who would be calling, for the route's rules: ``NAME=VALUE`` each, as for ``agw explain --as``.

        Raises:
            ClientError: `url` is neither, or `caller` says what no caller has.
            ConfigError: the configuration is refused.
        """
        return explain_url(self.build, method, url, headers, caller)

    # -- serving

    def run(self, host: str | None = None, port: int | None = None, *, drain_seconds: float = 10.0) -> None:
        """Serve in this process until SIGINT, SIGTERM or `stop`; then let requests in flight end, and return.

        Without `host` and `port` the gateway listens where the graph says, else on 0.0.0.0:8080. For workers on all
        cores, reload and the admin port there is ``agw serve``.

        Raises:
            ConfigError: the configuration is refused.
            AgwError: the port is in use or not allowed.
        """
        factory = None
        with contextlib.suppress(ImportError):
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve_until_stopped(host, port, drain_seconds))

    def stop(self) -> None:
        """End `run`, from whatever thread."""
        if self._stop is not None:
            loop, event = self._stop
            loop.call_soon_threadsafe(event.set)

    async def _serve_until_stopped(self, host: str | None, port: int | None, drain_seconds: float) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = (loop, stopped)
        try:
            async with self._serving(host, port, drain_seconds) as addresses:
                if threading.current_thread() is threading.main_thread():
                    for number in (signal.SIGINT, signal.SIGTERM):
                        loop.add_signal_handler(number, stopped.set)
                routes = len(self.build.mesh.routes)
                urls = ", ".join(address.url for address in addresses)
                print(
                    f"agw: {routes} route{'' if routes == 1 else 's'} on {urls}; Ctrl-C to stop",
                    file=sys.stderr,
                    flush=True,
                )
                await stopped.wait()
        finally:
            self._stop = None

    @contextlib.asynccontextmanager
    async def serving(
        self, host: str = "127.0.0.1", port: int = 0, *, drain_seconds: float = 1.0
    ) -> AsyncIterator[Address]:
        """Serve on the running loop while the block runs: ``async with gateway.serving() as address: address.url``.

        Port 0 takes a free one.

        Raises:
            ConfigError: the configuration is refused.
            AgwError: the port is in use or not allowed.
        """
        async with self._serving(host, port, drain_seconds) as addresses:
            yield addresses[0]

    @contextlib.asynccontextmanager
    async def _serving(
        self, host: str | None, port: int | None, drain_seconds: float
    ) -> AsyncIterator[tuple[Address, ...]]:
        from .serving import listeners_of

        listeners = listeners_of(self.build.mesh, host, port)
        serving = self._new_serving()
        self._start(serving)
        try:
            yield tuple([await serving.listen(listener) for listener in listeners])
        finally:
            await self._end(serving, drain_seconds)

    def app(self, *, drain_seconds: float = 1.0) -> web.Application:
        """The gateway as an aiohttp application, to be mounted or run by aiohttp.

        Whoever runs it accepts the connections: what listeners state of ports, certificates, connections and their
        timeouts has no effect. Bound connections before it.

        Raises:
            ConfigError: the configuration is refused.
        """
        _ = self.build
        return self._new_serving().app(self._start, lambda serving: self._end(serving, drain_seconds))

    def _new_serving(self) -> Serving:
        from .serving import Serving, State

        with self._lock:
            if self._state is None:
                self._state = State()
            return Serving(self._state)

    def _start(self, serving: Serving) -> None:
        serving.begin()
        with self._lock:
            self._servings.append(serving)
            try:
                self._install()
            except BaseException:
                self._servings.remove(serving)
                raise

    async def _end(self, serving: Serving, drain_seconds: float) -> None:
        with self._lock:
            self._servings.remove(serving)
        await serving.stop(drain_seconds)

    def _install(self) -> None:
        made = self.build
        assert self._state is not None
        self._slots = self._state.slots_for(made.mesh)
        self._installs += 1
        for serving in self._servings:
            serving.install(made, self._slots)

    def __repr__(self) -> str:
        state = "serving" if self._servings else "idle"
        name = self._built.table if self._built is not None else f"{self._source.count} triples"
        return f"<ApiGateway {self._gateway_iri() or IMPLIED_GATEWAY}: {name}, {state}>"


def _dataset(made: Build) -> Dataset:
    """What queries see of a build: the default graph is a merge, in which a triple stands once."""
    dataset = Dataset()
    prefixes = {**PREFIXES, **made.source.prefixes}
    head = {"default": list(DEFAULT_GRAPHS), "runtime": GRAPH_RUNTIME, "prefixes": prefixes}
    dataset.load(head, dataset_quads(made.validated))
    return dataset
