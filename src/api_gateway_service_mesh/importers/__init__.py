"""Configurations of others as Turtle that people can read, and a report of what was not taken over.

`import_texts` reads texts and gives a text: it opens no file, asks no network, and knows no RDF library. Nothing is
guessed in silence: what has no counterpart in agw is a finding with file, line and remedy (code ``not-imported``), what
works otherwise another (``imported-differently``), and a key that no importer reads is reported too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from api_gateway_service_mesh.errors import AgwError, Origin, Report, Severity
from api_gateway_service_mesh.graph.plain import Map, documents

from .draft import Draft, Joined
from .envoy import import_envoy
from .gateway_api import import_gateway_api
from .ingress import import_ingress
from .istio import import_istio
from .kong import import_kong
from .openapi import import_openapi
from .part import NOT_IMPORTED, Findings
from .turtle import is_iri, write

__all__ = ["BASE", "NOT_IMPORTED", "SOURCES", "Imported", "Joined", "UnknownSourceError", "import_texts"]

#: What the IRIs of the Turtle begin with, unless told otherwise.
BASE: Final = "https://example.org/imported#"

SOURCES: Final[Mapping[str, Callable[..., None]]] = {
    "envoy": import_envoy,
    "gateway-api": import_gateway_api,
    "ingress": import_ingress,
    "istio": import_istio,
    "kong": import_kong,
    "openapi": import_openapi,
}


class UnknownSourceError(AgwError):
    """Nothing reads this kind of file."""

    origin = Origin.CONFIG
    status = 400
    problem = "unknown-source"


@dataclass(frozen=True, slots=True)
class Imported:
    """The Turtle, and what is to be said about it."""

    turtle: str
    report: Report

    @property
    def complete(self) -> bool:
        """Whether all was taken over, and works as it did but for notes."""
        return not any(finding.severity is not Severity.INFO for finding in self.report.findings)


def import_texts(
    source: str,
    texts: Mapping[str, str],
    *,
    base: str = BASE,
    certificates: str | None = None,
    descriptions: str | None = None,
    joined: Joined | None = None,
) -> Imported:
    """What the files `texts` (name → text) say, as Turtle; `source` is one of `SOURCES`.

    `base`: what IRIs begin with. `certificates`: the folder, relative to the Turtle's, in which certificates will be
    that the source names by Secret; without it ports with TLS are not taken over. `descriptions`: likewise the folder
    of descriptions of APIs that requests are to be held against; without it they are held against none.
    `joined`: the configuration that the Turtle becomes a part of; of objects of Kubernetes.

    Raises:
        UnknownSourceError: there is no such source.
        ConfigError: a file is no YAML or JSON, or beyond the bounds; with file, line and column.
        AgwError: `base` is no absolute IRI.
    """
    if source not in SOURCES:
        raise UnknownSourceError(f"agw does not import {source!r}", remedy=f"choose one of: {', '.join(SOURCES)}")
    if not is_iri(base):
        raise AgwError(f"{base!r} is no absolute IRI", remedy="name one that ends in # or /, such as " + BASE)
    findings = Findings()
    draft = Draft(base, findings, joined)
    read: list[Map] = [document for name, text in texts.items() for document in documents(name, text)]
    if descriptions is not None and source == "openapi":
        import_openapi(draft, read, descriptions=descriptions)
    else:
        SOURCES[source](draft, read, certificates=certificates)
    subjects = draft.subjects()
    report = findings.close()
    return Imported(write(base, _heading(source, texts, report), subjects), report)


def _heading(source: str, names: Iterable[str], report: Report) -> list[str]:
    """What stands on top: where this is from, and how much is missing."""
    missing = sum(finding.code == NOT_IMPORTED for finding in report.findings)
    lines = [f"Imported by agw from {source}: {', '.join(names)}."]
    if missing:
        lines.append(f"{missing} parts were not taken over; agw import names each with its line and a remedy.")
    return lines
