"""``/shacl``: shapes are posted, and what the configuration in force comes to under them is answered.

The shapes are the caller's own, with all that SHACL allows (``sh:sparql`` too); so they are parsed and run in processes
that are bounded and killed (`sparql.child`, `graph.shapes_child`). The data is what is stated and what follows from it,
with the ontology's hierarchy of classes.
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh import graph
from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph.excerpt import secret_properties
from api_gateway_service_mesh.graph.secrets import is_reference
from api_gateway_service_mesh.vocabulary import PREFIXES, RDFS

from .access import AccessRefused
from .build import Build
from .delta import ntriples, parse_ntriples
from .graph_store import ACCEPTED
from .sparql.answers import QueryUnavailable
from .sparql.formats import GRAPH_TYPES, choose
from .sparql.process import ProcessGone, QueryProcess
from .sparql.protocol import RDF_FORMATS, media_type_of
from .supervisor import Supervisor

__all__ = ["ShapesEndpoint"]

_SCRIPT = Path(graph.__file__).with_name("shapes_child.py")
_SECONDS = 10.0
_MEMORY = 1024**3
_WAIT_SECONDS = 10.0
_SH = "http://www.w3.org/ns/shacl#"
_REFUSED = {
    _SH + "js": "sh:js runs programs, and is not run here",
    "http://www.w3.org/2002/07/owl#imports": "owl:imports is not followed",
}


class _CannotValidate(ClientError):
    status = 501
    problem = "not-installed"


class ShapesEndpoint:
    """Answers ``POST /shacl``, one at a time."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def answer(self, request: web.Request, supervisor: Supervisor) -> web.Response:
        """The ``sh:ValidationReport``, whether it conforms or not.

        Raises:
            ClientError: the body is no graph of shapes that can be run.
            QueryUnavailable: it takes too long, or others are being answered.
        """
        if find_spec("pyshacl") is None:
            raise _CannotValidate("pySHACL is not installed", remedy="pip install 'api-gateway-service-mesh[shacl]'")
        accepted = choose(request.headers.get("Accept", "*/*"), GRAPH_TYPES)
        if accepted is None:
            known = "Turtle, N-Triples, JSON-LD or RDF/XML"
            raise AccessRefused(f"the report comes as {known}", status=406, problem="not-acceptable")
        form = ACCEPTED.get(request.content_type)
        if form is None:
            raise AccessRefused(
                f"shapes do not come as {request.content_type}",
                status=415,
                problem="unsupported-media-type",
                remedy="send text/turtle, application/n-triples or application/ld+json",
            )
        base = str(request.url.with_query(None).with_fragment(None))
        shapes = await supervisor.sparql.parse(await request.read(), form, base)
        for triple in parse_ntriples(shapes):
            if triple.predicate.value in _REFUSED:
                raise ClientError(_REFUSED[triple.predicate.value], remedy="send shapes that stand by themselves")
        if supervisor.build is None:
            raise QueryUnavailable("the first configuration is still being loaded", problem="not-ready")
        data = await asyncio.to_thread(_data, supervisor.build)
        report = await self._validated(data, shapes)
        body = ox.serialize(parse_ntriples(report), format=RDF_FORMATS[accepted], prefixes=PREFIXES)
        media_type, charset = media_type_of("graph", accepted)
        return web.Response(body=body, content_type=media_type, charset=charset, headers={"Cache-Control": "no-store"})

    async def _validated(self, data: bytes, shapes: bytes) -> bytes:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise QueryUnavailable("other shapes are being run", problem="query-busy") from None
        try:
            process = await QueryProcess.start(str(Path(__file__).parent / "sparql" / "child.py"), script=_SCRIPT)
            try:
                async with asyncio.timeout(self._seconds):
                    head = {"data": len(data), "memory": _MEMORY, "seconds": self._seconds}
                    answer, report = await process.ask(head, data + shapes)
            except TimeoutError:
                stopped = f"the shapes were stopped after {self._seconds:g} s"
                raise QueryUnavailable(stopped, problem="query-deadline") from None
            except ProcessGone:
                raise QueryUnavailable("the shapes ended their process", problem="query-resources") from None
            finally:
                await process.kill()
        finally:
            self._turn.release()
        if answer["status"] != "ok":
            raise ClientError(f"these shapes cannot be run: {answer['message']}")
        return report


def _data(made: Build) -> bytes:
    inferred = made.inferred
    secrets = secret_properties(inferred)
    shown = (triple for triple in inferred.triples if triple.predicate not in secrets or _is_shown(triple.object))
    below = ox.NamedNode(RDFS.subClassOf)
    classes = (ox.Triple(s, below, o) for s, o in inferred.ontology.index.pairs(below))
    return ntriples(shown) + ntriples(classes)


def _is_shown(value: object) -> bool:
    return not isinstance(value, ox.Literal) or is_reference(value.value)
