"""What should become of a request (``agw:Expectation``); for ``agw test``, no part of what is served."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A request (``authority`` "": for any host), and what is expected; None and () where nothing is.

    ``policies`` and ``without`` are IRIs of policies, or of properties that stand for a kind of policy. ``path`` is
    what the service sees, with the query; ``services`` are all that it may be sent to.
    """

    iri: str
    method: str
    authority: str
    request_path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    scheme: str = "http"
    client: str | None = None
    route: str | None = None
    not_routes: tuple[str, ...] = ()
    status: int | None = None
    refusal: str | None = None
    services: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    path: str | None = None
    location: str | None = None
