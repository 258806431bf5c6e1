"""``/ontology``: the reference of every term, as a page for people and as RDF for programs.

The whole ontology lies at ``/ontology``, with one anchor a term; what is said of one term at ``/ontology/TERM``. By
``Accept`` both come as HTML, Turtle, N-Triples or JSON-LD. Nothing of the configuration is told here, so the pages
need no token.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Final

import pyoxigraph as ox
from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph.ontology import TermKind, agw_ontology
from api_gateway_service_mesh.graph.reference import Entry, Subject, agw_reference
from api_gateway_service_mesh.graph.terms import AGW, RDFS, XSD, local_name

from .sparql.formats import choose

__all__ = ["REFERENCE_PATH", "reference_paths", "reference_routes"]

REFERENCE_PATH: Final = "/ontology"

_FORMATS: Final = {
    "html": "text/html",
    "turtle": "text/turtle",
    "ntriples": "application/n-triples",
    "jsonld": "application/ld+json",
}
_OFFERED: Final = (*_FORMATS.items(), ("jsonld", "application/json"), ("turtle", "text/plain"))
_RDF: Final = {
    "turtle": ox.RdfFormat.TURTLE,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "jsonld": ox.RdfFormat.JSON_LD,
}
_PREFIXES: Final = {"agw": AGW, "rdfs": RDFS, "owl": "http://www.w3.org/2002/07/owl#", "xsd": XSD}
_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_TERM: Final = re.compile(r"agw:([A-Za-z][A-Za-z0-9]*)")


class UnknownTerm(ClientError):
    """There is no such term."""

    status = 404
    problem = "unknown-term"


def reference_paths() -> frozenset[str]:
    """What is given out to anyone who reaches the port."""
    return frozenset({REFERENCE_PATH, *(f"{REFERENCE_PATH}/{local_name(iri)}" for iri in agw_ontology().terms)})


def reference_routes() -> list[web.RouteDef]:
    """The routes of the reference."""
    return [web.get(REFERENCE_PATH, _give), web.get(REFERENCE_PATH + "/{term}", _give)]


async def _give(request: web.Request) -> web.Response:
    form = choose(request.headers.get("Accept", "*/*"), _OFFERED)
    if form is None:
        return web.Response(status=406, text="The ontology comes as " + ", ".join(_FORMATS.values()) + ".\n")
    body, etag = await asyncio.to_thread(_page, form, request.match_info.get("term"))
    response = web.Response(headers={"Vary": "Accept", "Cache-Control": "no-cache"})
    response.etag = etag
    if form == "html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Frame-Options"] = "DENY"
    if any(known.value in (etag, "*") for known in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.content_type, response.charset = _FORMATS[form], "utf-8"
    response.body = body
    return response


@cache
def _page(form: str, name: str | None) -> tuple[bytes, str]:
    if name is not None and AGW + name not in agw_ontology().terms:
        raise UnknownTerm(f"the ontology has no term agw:{name[:80]}", remedy=f"{REFERENCE_PATH} lists them all")
    body = _html(name).encode() if form == "html" else _rdf(form, name)
    return body, hashlib.sha256(body).hexdigest()[:32]


def _rdf(form: str, name: str | None) -> bytes:
    rows = agw_ontology().index
    about = None if name is None else ox.NamedNode(AGW + name)
    triples = (ox.Triple(*row) for row in rows if about is None or row[0] == about)
    return ox.serialize(triples, format=_RDF[form], prefixes=_PREFIXES) or b""


# --- the page ---------------------------------------------------------------------------------------------------------


def _html(name: str | None) -> str:
    subjects = agw_reference()
    if name is not None:
        found = next((entry for part in subjects for entry in part.entries if entry.name == name), None)
        if found is None:
            raise UnknownTerm(f"agw:{name} is defined outside the reference", remedy=f"see {REFERENCE_PATH}")
        main = f'<p><a href="{REFERENCE_PATH}#{found.name}">All terms</a></p>{_entry(found, REFERENCE_PATH + "#")}'
        return _document(f"agw:{name}", main)
    contents = "".join(
        f'<li><a href="#{escape(part.stem)}">{escape(part.label)}</a> <span>{len(part.entries)}</span></li>'
        for part in subjects
        if part.entries
    )
    main = f'<nav aria-label="Subjects"><ul>{contents}</ul></nav>' + "".join(
        _subject(part) for part in subjects if part.entries
    )
    return _document("The agw ontology", main)


def _document(title: str, main: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        '<link rel="stylesheet" href="/console/console.css"><link rel="stylesheet" href="/console/reference.css">'
        '<link rel="icon" href="/console/icon.svg"></head>'
        f'<body class="reference"><header><h1>{escape(title)}</h1>'
        f"<p>Namespace <code>{escape(AGW)}</code>, prefix <code>agw:</code>. Also as "
        "<code>text/turtle</code>, <code>application/n-triples</code> and <code>application/ld+json</code> "
        f"by content negotiation.</p></header><main>{main}</main></body></html>\n"
    )


def _subject(part: Subject) -> str:
    entries = "".join(_entry(entry, "#") for entry in part.entries)
    return (
        f'<section id="{escape(part.stem)}"><h2>{escape(part.label)}</h2><p>{_prose(part.comment, "#")}</p>'
        f"{entries}</section>"
    )


def _entry(entry: Entry, here: str) -> str:
    rows = (
        ("On", _links(entry.domains, here)),
        ("Value", _links(entry.ranges, here)),
        ("One of", ", ".join(f"<code>{escape(value)}</code>" for value in entry.values)),
        ("Kind of", _links(entry.above, here)),
        ("More special", _links(entry.below, here)),
        ("Properties", _links(entry.properties, here)),
        ("Handed down by", _links(entry.inherited_by, here)),
    )
    facts = "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in rows if text)
    rules = "".join(f"<li>{_prose(rule, here)}</li>" for rule in entry.rules)
    role = {"runtime": "written by the gateway", "documentation": "documentation"}.get(entry.role, "")
    return (
        f'<article id="{escape(entry.name)}"><h3><a href="{REFERENCE_PATH}/{escape(entry.name)}">agw:'
        f"{escape(entry.name)}</a> <span>{_KIND[entry.kind]}{', ' + role if role else ''}</span></h3>"
        f"<p>{_prose(entry.comment, here)}</p>"
        + (f"<pre>{escape(entry.example)}</pre>" if entry.example else "")
        + (f"<dl>{facts}</dl>" if facts else "")
        + (f"<details><summary>What is checked</summary><ul>{rules}</ul></details>" if rules else "")
        + "</article>"
    )


_KIND: Final = {TermKind.CLASS: "class", TermKind.PROPERTY: "property", TermKind.INDIVIDUAL: "individual"}


def _links(iris: Iterable[str], here: str) -> str:
    return ", ".join(_link(iri, here) for iri in iris)


def _link(iri: str, here: str) -> str:
    name = escape(local_name(iri))
    if iri.startswith(AGW):
        return f'<a href="{here}{name}">agw:{name}</a>'
    return f"<code>{'xsd:' + name if iri.startswith(XSD) else escape(iri)}</code>"


def _prose(text: str, here: str) -> str:
    """A comment's text, each term in it a link to its entry."""
    terms = agw_ontology().terms

    def linked(found: re.Match[str]) -> str:
        return _link(AGW + found[1], here) if AGW + found[1] in terms else found[0]

    return _TERM.sub(linked, escape(text, quote=False))
