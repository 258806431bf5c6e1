"""The SPARQL 1.1 Protocol over HTTP: query and update in all their request shapes, and the service description.

(https://www.w3.org/TR/sparql11-protocol/, https://www.w3.org/TR/sparql11-service-description/).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.vocabulary import RDF_TYPE

from .formats import GRAPH_TYPES, RESULT_TYPES, choose, formats_for
from .guard import QueryRefused
from .service import Answer

__all__ = ["RDF_FORMATS", "Answering", "Updating", "base_of", "describe_service", "media_type_of", "sparql_endpoint"]


class Answering(Protocol):
    """What answers queries: the dataset in force, or one of the past."""

    async def query(
        self,
        text: str,
        formats: Mapping[str, str | None],
        *,
        default_graphs: Sequence[str] | None = None,
        named_graphs: Sequence[str] = (),
        base: str | None = None,
    ) -> Answer:
        """See `SparqlService.query`."""


Updating = Callable[[str, Sequence[str] | None, Sequence[str] | None], Awaitable[web.Response]]
"""Carries out an update: its text, and the protocol's graphs for USING and USING NAMED (None: none were given)."""

_SD = "http://www.w3.org/ns/sparql-service-description#"
_FORMAT = "http://www.w3.org/ns/formats/"
_UTF8 = {"csv", "tsv", "turtle", "ntriples"}
RDF_FORMATS = {
    "turtle": ox.RdfFormat.TURTLE,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdfxml": ox.RdfFormat.RDF_XML,
}
_DESCRIBED_FORMATS = [
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "JSON-LD",
    "RDF_XML",
]


async def sparql_endpoint(
    request: web.Request, service: Answering, named: Sequence[str], updating: Updating
) -> web.Response:
    """Answer one request to ``/sparql``; ``named`` are the named graphs the description lists.

    Raises:
        QueryRefused, QueryUnavailable: see `SparqlService.query`.
        ClientError: the request has none of the protocol's shapes.
    """
    parameters = parse_qsl(request.query_string, keep_blank_values=True, max_num_fields=256)
    if request.method in ("GET", "HEAD"):  # aiohttp answers a HEAD with the GET's head
        if not parameters:
            return describe_service(request, named)
        if any(name == "update" for name, _ in parameters):
            raise ClientError("an update is not sent with GET", remedy="send it with POST")
    else:
        parameters += await _posted(request)
    kinds = {name for name, _ in parameters} & {"query", "update"}
    if kinds == {"update"}:
        text = _only(parameters, "update")
        return await updating(
            text, _graphs(parameters, "using-graph-uri"), _graphs(parameters, "using-named-graph-uri")
        )
    if len(kinds) > 1:
        raise ClientError("a request is a query or an update, not both")
    query = _only(parameters, "query")
    if not query.strip():
        raise ClientError("the query is empty", remedy="send a SELECT, ASK, CONSTRUCT or DESCRIBE")
    # A default graph is a merge: naming a graph twice adds nothing (SPARQL 1.1 §13.2).
    default_graphs, named_graphs = _graphs(parameters, "default-graph-uri"), _graphs(parameters, "named-graph-uri")
    chosen = default_graphs is not None or named_graphs is not None
    answer = await service.query(
        query,
        formats_for(request.headers.get("Accept", "*/*")),
        default_graphs=(default_graphs or []) if chosen else None,
        named_graphs=named_graphs or [],
        base=base_of(request),
    )
    media_type, charset = media_type_of(answer.kind, answer.form)
    fields = {"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=answer.body, content_type=media_type, charset=charset, headers=fields)


def base_of(request: web.Request) -> str:
    """What relative IRIs in a request's body are resolved by: the endpoint (SPARQL 1.1 Protocol §2.1.5)."""
    return str(request.url.with_query(None).with_fragment(None))


async def _posted(request: web.Request) -> list[tuple[str, str]]:
    """The parameters in a body: a form, or one operation by itself."""
    media_type = request.content_type
    body = await request.read()
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ClientError(f"the body is not UTF-8 (byte {error.start})") from None
    if media_type == "application/x-www-form-urlencoded":
        return parse_qsl(text, keep_blank_values=True, max_num_fields=256)
    if media_type == "application/sparql-query":
        return [("query", text)]
    if media_type == "application/sparql-update":
        return [("update", text)]
    raise _Unsupported(f"neither a query nor an update comes as {media_type}")


def _only(parameters: Sequence[tuple[str, str]], wanted: str) -> str:
    found = [value for name, value in parameters if name == wanted]
    if len(found) != 1:
        raise ClientError(
            f"the request must hold exactly one {wanted}; it holds {len(found)}", remedy=f"send {wanted}=…"
        )
    return found[0]


def _graphs(parameters: Sequence[tuple[str, str]], wanted: str) -> list[str] | None:
    """The graphs of one parameter, each once; None: it was not given."""
    found = list(dict.fromkeys(value for name, value in parameters if name == wanted))
    for iri in found:
        try:
            ox.NamedNode(iri)
        except ValueError:
            raise ClientError(f"{iri[:200]!r} is not an absolute IRI, so it names no graph") from None
    return found or None


def media_type_of(kind: str, form: str) -> tuple[str, str | None]:
    """Media type and charset of an answer: its kind (``solutions``, ``boolean``, ``graph``) and its format."""
    types = GRAPH_TYPES if kind == "graph" else RESULT_TYPES
    return next(name for key, name in types if key == form), "utf-8" if form in _UTF8 else None


def describe_service(request: web.Request, named: Sequence[str]) -> web.Response:
    """The service description: what a bare GET answers with."""
    form = choose(request.headers.get("Accept", "*/*"), GRAPH_TYPES)
    if form is None:
        raise QueryRefused(
            "the description comes as Turtle, N-Triples, JSON-LD or RDF/XML", status=406, problem="not-acceptable"
        )
    endpoint = ox.NamedNode(str(request.url.with_query(None).with_fragment(None)))
    service, dataset, default = (ox.BlankNode(name) for name in ("service", "dataset", "default"))

    def sd(name: str) -> ox.NamedNode:
        return ox.NamedNode(_SD + name)

    kind = ox.NamedNode(RDF_TYPE)
    triples = [
        ox.Triple(service, kind, sd("Service")),
        ox.Triple(service, sd("endpoint"), endpoint),
        ox.Triple(service, sd("supportedLanguage"), sd("SPARQL11Query")),
        ox.Triple(service, sd("supportedLanguage"), sd("SPARQL11Update")),
        ox.Triple(service, sd("defaultDataset"), dataset),
        ox.Triple(dataset, kind, sd("Dataset")),
        ox.Triple(dataset, sd("defaultGraph"), default),
        ox.Triple(default, kind, sd("Graph")),
    ]
    triples += [ox.Triple(service, sd("resultFormat"), ox.NamedNode(_FORMAT + name)) for name in _DESCRIBED_FORMATS]
    for index, iri in enumerate(named):
        graph = ox.BlankNode(f"graph{index}")
        triples.append(ox.Triple(dataset, sd("namedGraph"), graph))
        triples.append(ox.Triple(graph, kind, sd("NamedGraph")))
        triples.append(ox.Triple(graph, sd("name"), ox.NamedNode(iri)))
    body = ox.serialize(triples, format=RDF_FORMATS[form], prefixes={"sd": _SD, "format": _FORMAT})
    media_type = next(name for key, name in GRAPH_TYPES if key == form)
    charset = "utf-8" if form in _UTF8 else None
    return web.Response(body=body, content_type=media_type, charset=charset, headers={"Vary": "Accept"})


class _Unsupported(ClientError):
    status = 415
    problem = "unsupported-media-type"

    def __init__(self, message: str) -> None:
        known = "application/sparql-query, application/sparql-update or application/x-www-form-urlencoded"
        super().__init__(message, remedy=f"send {known}")
