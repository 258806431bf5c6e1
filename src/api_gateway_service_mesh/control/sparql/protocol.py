"""The SPARQL 1.1 Protocol's query operation over HTTP, in its three request shapes, and the service description.

(https://www.w3.org/TR/sparql11-protocol/ §2.1, https://www.w3.org/TR/sparql11-service-description/). Updates are
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.vocabulary import RDF_TYPE

from .formats import GRAPH_TYPES, RESULT_TYPES, choose, formats_for
from .guard import QueryRefused
from .service import SparqlService

__all__ = ["describe_service", "sparql_endpoint"]

_SD = "http://www.w3.org/ns/sparql-service-description#"
_FORMAT = "http://www.w3.org/ns/formats/"
_UTF8 = {"csv", "tsv", "turtle", "ntriples"}
_RDF_FORMATS = {
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


async def sparql_endpoint(request: web.Request, service: SparqlService, named: Sequence[str]) -> web.Response:
    """Answer one request to ``/sparql``; ``named`` are the named graphs the description lists.

    Raises:
        QueryRefused, QueryUnavailable: see `SparqlService.query`.
        ClientError: the request has none of the protocol's shapes.
    """
    parameters = parse_qsl(request.query_string, keep_blank_values=True, max_num_fields=256)
    if request.method in ("GET", "HEAD"):  # aiohttp answers a HEAD with the GET's head
        if not parameters:
            return describe_service(request, named)
    else:
        media_type = request.content_type
        body = await request.read()
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise ClientError(f"the body is not UTF-8 (byte {error.start})") from None
        if media_type == "application/x-www-form-urlencoded":
            parameters += parse_qsl(text, keep_blank_values=True, max_num_fields=256)
        elif media_type == "application/sparql-query":
            parameters.append(("query", text))
        elif media_type == "application/sparql-update":
            raise _update_refused()
        else:
            raise _Unsupported(f"a query does not come as {media_type}")
    if any(name == "update" for name, _ in parameters):
        raise _update_refused()
    queries = [value for name, value in parameters if name == "query"]
    if len(queries) != 1:
        raise ClientError(f"the request must hold exactly one query; it holds {len(queries)}", remedy="send ?query=…")
    if not queries[0].strip():
        raise ClientError("the query is empty", remedy="send a SELECT, ASK, CONSTRUCT or DESCRIBE")
    # A default graph is a merge: naming a graph twice adds nothing (SPARQL 1.1 §13.2).
    default_graphs = list(dict.fromkeys(value for name, value in parameters if name == "default-graph-uri"))
    named_graphs = list(dict.fromkeys(value for name, value in parameters if name == "named-graph-uri"))
    for iri in (*default_graphs, *named_graphs):
        try:
            ox.NamedNode(iri)
        except ValueError:
            raise ClientError(f"{iri[:200]!r} is not an absolute IRI, so it names no graph") from None
    chosen = default_graphs or named_graphs
    answer = await service.query(
        queries[0],
        formats_for(request.headers.get("Accept", "*/*")),
        default_graphs=default_graphs if chosen else None,
        named_graphs=named_graphs,
    )
    types = GRAPH_TYPES if answer.kind == "graph" else RESULT_TYPES
    media_type = next(name for key, name in types if key == answer.form)
    return web.Response(
        body=answer.body,
        content_type=media_type,
        charset="utf-8" if answer.form in _UTF8 else None,
        headers={"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"},
    )


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
    body = ox.serialize(triples, format=_RDF_FORMATS[form], prefixes={"sd": _SD, "format": _FORMAT})
    media_type = next(name for key, name in GRAPH_TYPES if key == form)
    charset = "utf-8" if form in _UTF8 else None
    return web.Response(body=body, content_type=media_type, charset=charset, headers={"Vary": "Accept"})


def _update_refused() -> QueryRefused:
    return QueryRefused(
        "this endpoint answers queries; updates are not taken over HTTP",
        problem="update-refused",
        remedy="edit the files the gateway serves; they are reloaded when they are saved",
    )


class _Unsupported(ClientError):
    status = 415
    problem = "unsupported-media-type"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="send application/sparql-query or application/x-www-form-urlencoded")
