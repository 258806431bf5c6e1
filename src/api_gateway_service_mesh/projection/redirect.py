"""Redirects (``agw:Redirect``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Redirect
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["RedirectRow", "redirects"]


@dataclass(frozen=True, slots=True)
class RedirectRow:
    """``redirect.rq``."""

    route: str
    redirect: str
    status: str | None
    scheme: str | None
    host: str | None
    port: str | None
    full_path: str | None
    prefix: str | None


def redirects(rows: Iterable[RedirectRow], reading: Reading) -> Mapping[str, Redirect]:
    """The redirect of each route, by route IRI."""
    found: dict[str, Redirect] = {}
    for row in rows:
        if row.route not in found:
            iri, standard = row.redirect, Redirect(row.redirect)
            found[row.route] = Redirect(
                iri,
                reading.integer(iri, AGW.redirectStatus, row.status, standard.status),
                row.scheme,
                row.host.lower() if row.host is not None else None,
                None if row.port is None else reading.integer(iri, AGW.redirectPort, row.port, 0),
                row.full_path,
                row.prefix,
            )
    return found
