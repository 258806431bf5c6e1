"""A table and an explanation as text for people, and an explanation as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.model import RateLimit, Route
from api_gateway_service_mesh.vocabulary import NAMESPACE, RDF_TYPE

from .decision import path_text
from .effect import Citation, number
from .entry import RouteEntry
from .explain import Candidate, Explanation
from .host import host_text
from .rate_limit import limit_text
from .split import share_text
from .stated import OTHER_SPELLINGS
from .table import RoutingTable

__all__ = ["Locate", "explanation_json", "locate_citation", "render_explanation", "render_table", "table_rows"]

#: Where a triple stands in the source: (subject, predicate, object or None) → place, or None when it is not there.
Locate = Callable[[str, str | None, str | None], Location | None]

_HEADER = ("#", "HOST", "PATH", "KIND", "METHOD", "PREDICATES", "PRIORITY", "TARGET", "POLICIES", "ROUTE")


def render_table(table: RoutingTable) -> str:
    """One line a route, in precedence order; what a route does not state is ``*`` or ``-``."""
    return _aligned(table_rows(table))


def table_rows(table: RoutingTable) -> list[tuple[str, ...]]:
    """The cells of `render_table`, the header first; control characters are escaped."""
    names = {upstream.iri: upstream.name for upstream in table.mesh.upstreams}
    rows = [_HEADER, *(_row(place, entry, names) for place, entry in enumerate(table.entries))]
    return [tuple(_one_line(cell) for cell in row) for row in rows]


def _row(place: int, entry: RouteEntry, names: dict[str, str]) -> tuple[str, ...]:
    route = entry.route
    match = route.match
    predicates = [
        *(f"{h.name}:{h.kind.value}" for h in match.headers),
        *(f"?{q.name}:{q.kind.value}" for q in match.query),
    ]
    if entry.conditions is not None:
        predicates = [
            *(f"{test.name}{_sign(test.kind.value, test.match.value)}" for test in entry.conditions.headers),
            *(f"?{test.name}{_sign(test.kind.value, test.match.value)}" for test in entry.conditions.query),
        ]
    targets = [f"{names.get(split.upstream, split.upstream)} {share_text(split)}" for split in route.splits]
    if route.direct is not None:
        targets = [f"answers {route.direct.status}"]
    elif route.redirect is not None and not (targets or route.upstream):
        targets = [f"redirects {route.redirect.status}"]
    if not targets:
        targets = [names.get(route.upstream, route.upstream) if route.upstream else "-"]
    return (
        str(place),
        ",".join(host_text(host) for host in entry.hosts),
        path_text(entry),
        entry.route.match.path.kind.value,
        ",".join(entry.methods) or "*",
        " ".join(predicates) or "-",
        str(match.priority) if match.priority else "-",
        " + ".join(targets),
        _policies(route),
        route.name,
    )


def _sign(kind: str, value: str) -> str:
    return {"Exact": f"={value}", "RegularExpression": f"~{value}", "Present": ""}[kind]


def _limit(limit: RateLimit) -> str:
    said = limit_text(limit).replace(" requests/s, burst", "/s burst").replace(", each ", " by ")
    return f"{'quota' if limit.quota else 'limit'} {said}" + (f" in {limit.store.host}" if limit.store else "")


def _policies(route: Route) -> str:
    found = [_limit(limit) for limit in route.rate_limits]
    if route.breaker is not None:
        found.append(f"breaker {route.breaker.failure_threshold}/{number(route.breaker.open_seconds)}s")
    if route.retry is not None:
        found.append(f"retry {route.retry.attempts}")
    if route.timeout is not None:
        bounds = (route.timeout.total_seconds, route.timeout.per_attempt_seconds)
        said = [
            f"{number(bound)}s{each}" for bound, each in zip(bounds, ("", " a try"), strict=True) if bound is not None
        ]
        found.append(f"timeout {' and '.join(said) or '-'}")
    if route.balancer is not None:
        found.append(route.balancer.algorithm.value.lower())
    return ", ".join(found) or "-"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Control characters escaped, so that a literal cannot draw on the terminal or break the line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def locate_citation(citation: Citation, locate: Locate) -> Location | None:
    """Where a cited triple stands. The model keeps values, so a value may stand there spelt otherwise."""
    exact = locate(citation.subject, citation.predicate, citation.object)
    if exact is not None:
        return exact
    for predicate in (citation.predicate, *OTHER_SPELLINGS.get(citation.predicate, ())):
        place = locate(citation.subject, predicate, None)
        if place is not None:
            return place
    return None


def render_explanation(explanation: Explanation, locate: Locate | None = None) -> str:
    """The decision, its reason, the candidates with their verdicts, the policies and the triples behind them."""
    winner = explanation.winner
    lines = [str(explanation.request)]
    if winner is not None:
        lines += [f"→ {winner.route.name} <{winner.route.iri}>", f"  {explanation.why}"]
    elif explanation.status == 405:
        lines.append(f"→ 405 Method Not Allowed; Allow: {', '.join(explanation.allow)}")
    else:
        lines.append(f"→ 404 Not Found: {explanation.why}")
    if explanation.parts:
        width = max(len(part.name) for part in explanation.parts)
        lines += ["", "What it does"]
        lines += [f"  {part.name.ljust(width)}  {part.text}" for part in explanation.parts]
    if explanation.candidates:
        lines += ["", "Candidates"]
        for candidate in explanation.candidates:
            lines += _candidate_lines(candidate, won=winner is not None and candidate.entry is winner)
        if explanation.omitted:
            lines.append(f"  … and {explanation.omitted} more that came near")
    if explanation.citations:
        lines += ["", "Because of"]
        for citation in explanation.citations:
            place = locate_citation(citation, locate) if locate is not None else None
            lines.append(f"  {_short(citation)}{f'  {place}' if place else ''}")
    return "\n".join(_one_line(line) for line in lines) + "\n"


def _candidate_lines(candidate: Candidate, *, won: bool) -> list[str]:
    mark = "✔" if won else "·" if candidate.held else "✘"
    note = "" if won or not candidate.held else " (holds, but comes later)"
    lines = [f"  {mark} {candidate.entry.route.name}{note}"]
    for verdict in candidate.verdicts:
        got = "" if verdict.held else f", got {verdict.got!r}" if verdict.got is not None else ", got nothing"
        lines.append(f"      {'✔' if verdict.held else '✘'} {verdict.predicate} {verdict.wanted}{got}")
    return lines


def _short(citation: Citation) -> str:
    term = citation.predicate.removeprefix(NAMESPACE)
    name = "a" if citation.predicate == RDF_TYPE else f"agw:{term}"
    value = citation.object
    if value.startswith(NAMESPACE):
        value = "agw:" + value.removeprefix(NAMESPACE)
    elif term.startswith(("has", "matches", "target")):  # these point at things, the others hold literals
        value = f"<{value}>"
    else:
        value = f'"{value}"'
    return f"<{citation.subject}> {name} {value}"


def explanation_json(explanation: Explanation, locate: Locate | None = None) -> dict[str, object]:
    """The explanation as JSON values."""
    winner = explanation.winner
    request = explanation.request
    return {
        "request": {
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "query": request.query,
            "headers": dict(request.headers),
        },
        "winner": {"iri": winner.route.iri, "name": winner.route.name, "index": explanation.place} if winner else None,
        "why": explanation.why,
        "status": explanation.status,
        "allow": list(explanation.allow),
        "parts": [{"name": part.name, "iri": part.iri, "text": part.text} for part in explanation.parts],
        "candidates": [
            {
                "iri": candidate.entry.route.iri,
                "name": candidate.entry.route.name,
                "index": candidate.place,
                "held": candidate.held,
                "verdicts": [
                    {
                        "predicate": verdict.predicate,
                        "wanted": verdict.wanted,
                        "got": verdict.got,
                        "held": verdict.held,
                    }
                    for verdict in candidate.verdicts
                ],
            }
            for candidate in explanation.candidates
        ],
        "omitted": explanation.omitted,
        "citations": [_citation_json(citation, locate) for citation in explanation.citations],
    }


def _citation_json(citation: Citation, locate: Locate | None) -> dict[str, object]:
    place = locate_citation(citation, locate) if locate is not None else None
    return {
        "subject": citation.subject,
        "predicate": citation.predicate,
        "object": citation.object,
        "location": {"file": place.file, "line": place.line, "column": place.column} if place else None,
    }
