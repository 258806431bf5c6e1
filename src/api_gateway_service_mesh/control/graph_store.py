"""The SPARQL 1.1 Graph Store HTTP Protocol at ``/data`` (https://www.w3.org/TR/sparql11-http-rdf-update/).

Indirect (``?graph=IRI``, ``?default``) and direct (``/data/config`` stands for ``urn:agw:graph:config``). The default
graph is the configuration, as it is for updates. All graphs can be read; only the configuration can be written, and
what is written goes through the gate of every change. Without a graph, a GET answers with the whole dataset.
"""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG

from .build import Build
from .delta import Delta, between, fresh, parse_ntriples
from .history import Revision
from .sparql.dataset import NAMED_GRAPHS
from .sparql.formats import GRAPH_TYPES, choose
from .sparql.protocol import base_of, media_type_of
from .supervisor import Supervisor
from .update import delta_of, etag, matches
from .update_http import REVISION_FIELD, changed, current_etag, updated

__all__ = ["ACCEPTED", "graph_store"]

_PREFIX = GRAPH_CONFIG.removesuffix("config")
_MOST_PARTS = 64
_BODY_BYTES = 64 * 1024 * 1024
ACCEPTED = {
    "text/turtle": "turtle",
    "application/x-turtle": "turtle",
    "application/n-triples": "ntriples",
    "text/plain": "ntriples",
    "application/ld+json": "jsonld",
}
_DATASET_TYPES = (("trig", "application/trig"), ("nquads", "application/n-quads"))
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class _Refused(ClientError):
    def __init__(self, message: str, status: int, problem: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.problem = problem


async def graph_store(request: web.Request, supervisor: Supervisor) -> web.Response:
    """Answer one request to ``/data`` or ``/data/NAME``.

    Raises:
        AgwError: with the status that the protocol names (400, 403, 404, 406, 409, 412, 413, 415, 422, 503, 507).
    """
    if request.method == "OPTIONS":
        return web.Response(status=204, headers={"Allow": _METHODS})
    graph = _graph(request)
    if request.method in ("GET", "HEAD"):
        return await _read(request, supervisor, graph)
    if graph is None:
        raise _Refused("say which graph", 400, "bad-request", "add ?default, or ?graph=" + GRAPH_CONFIG)
    if graph not in NAMED_GRAPHS and request.method == "DELETE":
        raise _Refused(f"there is no graph <{graph[:200]}>", 404, "no-such-graph")
    if graph != GRAPH_CONFIG:
        raise _Refused(
            f"<{graph[:200]}> is not written: of all graphs only <{GRAPH_CONFIG}> is",
            403,
            "other-graph",
            "write to ?default",
        )
    return changed(await _written(request, supervisor), status=204 if request.method != "PATCH" else 200)


def _graph(request: web.Request) -> str | None:
    """The graph that a request names; None: none."""
    direct = request.match_info.get("name")
    if direct is not None:
        if "graph" in request.query or "default" in request.query:
            raise ClientError("the path names a graph already")
        return _PREFIX + direct
    named = request.query.getall("graph", [])
    if len(named) + ("default" in request.query) > 1:
        raise ClientError("?graph and ?default may be given once, and not together")
    if "default" in request.query:
        return GRAPH_CONFIG
    if named and ":" not in named[0]:
        raise ClientError(f"{named[0][:200]!r} is not an absolute IRI, so it names no graph")
    return named[0] if named else None


async def _read(request: web.Request, supervisor: Supervisor, graph: str | None) -> web.Response:
    if graph is not None and graph not in NAMED_GRAPHS:
        raise _Refused(f"there is no graph <{graph[:200]}>", 404, "no-such-graph")
    types = GRAPH_TYPES if graph is not None else _DATASET_TYPES
    form = choose(request.headers.get("Accept", "*/*"), types)
    if form is None:
        known = ", ".join(dict.fromkeys(media_type for _, media_type in types))
        raise _Refused(f"it comes as {known}", 406, "not-acceptable")
    fields = {"Vary": "Accept", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    build, latest = supervisor.build, supervisor.history.latest
    if graph == GRAPH_CONFIG:
        fields["ETag"] = current_etag(supervisor, form)
        if build is not None and latest is not None:
            fields[REVISION_FIELD] = str(latest.number)
            if any(tag.strip() in ("*", etag(build.source.digest, form)) for tag in _tags(request, "If-None-Match")):
                return web.Response(status=304, headers=fields)
            wanted = request.headers.get("If-Match")
            if wanted is not None and not matches(wanted, build.source.digest):
                raise _Refused("the graph is another one than If-Match names", 412, "precondition-failed")
    answer = await supervisor.sparql.graph(graph if graph is not None else "*", form)
    media_type, charset = media_type_of("graph", form) if graph is not None else (dict(_DATASET_TYPES)[form], "utf-8")
    return web.Response(body=answer.body, content_type=media_type, charset=charset, headers=fields)


def _tags(request: web.Request, field: str) -> list[str]:
    return request.headers.get(field, "").split(",")


async def _written(request: web.Request, supervisor: Supervisor) -> Revision:
    method = request.method
    if method == "DELETE":

        async def emptied(made: Build) -> Delta:
            return Delta((), made.source.triples)

        return await updated(request, supervisor, emptied)
    body = await _body(request)
    if method == "PATCH":
        if request.content_type != "application/sparql-update":
            raise _Refused(
                f"a graph is not patched with {request.content_type}", 415, "unsupported-media-type",
                "send application/sparql-update",
            )  # fmt: skip
        text = body.decode("utf-8", "replace")

        async def patched(made: Build) -> Delta:
            return delta_of(await supervisor.sparql.update(text, base=base_of(request)), made)

        return await updated(request, supervisor, patched)
    triples = [
        triple
        for media_type, part in _parts(request, body)
        for triple in parse_ntriples(await supervisor.sparql.parse(part, _form(media_type), base_of(request)))
    ]

    async def replaced(made: Build) -> Delta:
        if method == "POST":
            held = set(made.source.triples)
            return fresh(made.source, [triple for triple in triples if triple not in held])
        return between(made.source, type(made.source).of(triples))

    return await updated(request, supervisor, replaced)


def _form(media_type: str) -> str:
    form = ACCEPTED.get(media_type)
    if form is None:
        raise _Refused(
            f"a graph does not come as {media_type}",
            415,
            "unsupported-media-type",
            "send text/turtle, application/n-triples or application/ld+json",
        )
    return form


def _parts(request: web.Request, body: bytes) -> list[tuple[str, bytes]]:
    """The documents in a body, with their media types: of a form with files (RFC 7578) each, whose merge is what is
    sent (Graph Store Protocol §5.5); else the body."""
    if request.content_type != "multipart/form-data":
        return [(request.content_type, body)]
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode("latin-1", "replace")
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    found = []
    for part in form.iter_parts() if form.is_multipart() else ():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            found.append((part.get_content_type(), content))
    if not found or len(found) > _MOST_PARTS:
        raise ClientError(f"a form holds 1 to {_MOST_PARTS} files; this one holds {len(found)}")
    return found


async def _body(request: web.Request) -> bytes:
    """The body, at most 64 MiB: a graph may be larger than what else is sent to the admin port."""
    parts, size = [], 0
    async for part in request.content.iter_chunked(1 << 16):
        size += len(part)
        if size > _BODY_BYTES:
            raise _Refused(f"the body has more than {_BODY_BYTES} bytes", 413, "too-large")
        parts.append(part)
    return b"".join(parts)
