"""Why a request goes where it goes, down to the lines of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.control.build import Build
from api_gateway_service_mesh.control.judged import asked_by
from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.routing import (
    ExplainRequest,
    Explanation,
    locate_citation,
    render_explanation,
)

__all__ = ["Explained", "LocatedCitation", "explain_url"]


@dataclass(frozen=True, slots=True)
class LocatedCitation:
    """A triple that a decision hangs on, and where it is stated (None: by the Python API, which has no lines)."""

    subject: str
    predicate: str
    object: str
    location: Location | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision. ``route`` is the winner's IRI; without one ``status`` says what is answered (404, 405).

    ``str(explained)`` is what ``agw explain`` prints; ``explanation`` has the candidates and every predicate's verdict.
    """

    explanation: Explanation
    citations: tuple[LocatedCitation, ...]
    _build: Build

    @property
    def route(self) -> str | None:
        """IRI of the route that takes the request."""
        return self.explanation.winner.route.iri if self.explanation.winner is not None else None

    @property
    def status(self) -> int | None:
        """The status the gateway itself answers with when no route takes the request."""
        return self.explanation.status

    @property
    def why(self) -> str:
        """What decided."""
        return self.explanation.why

    def __str__(self) -> str:
        return render_explanation(self.explanation, self._build.inferred.locate)

    def __repr__(self) -> str:
        return f"<Explained {self.explanation.request}: {self.route or self.status}>"


def explain_url(
    build: Build, method: str, url: str, headers: Mapping[str, str] | None = None, caller: Iterable[str] = ()
) -> Explained:
    """Explain `method` on `url` (``http://host/path?query``, or ``/path?query`` for a request without host).

    `caller` tells who would be calling, as ``NAME=VALUE`` each (`control.judged`).

    Raises:
        ClientError: `url` is neither.
    """
    request = ExplainRequest.of(method, url, headers)
    found = build.explain(asked_by(request, caller))
    citations = tuple(
        LocatedCitation(
            citation.subject, citation.predicate, citation.object, locate_citation(citation, build.inferred.locate)
        )
        for citation in found.citations
    )
    return Explained(found, citations, build)
