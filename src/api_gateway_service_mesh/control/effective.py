"""Every policy that acts on a route, the way it came, and what it overrode (``agw effective``)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pyoxigraph import NamedNode

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph.inheritance import Places, Said, Standing

if TYPE_CHECKING:
    from .build import Build

__all__ = ["effective", "render_effective", "route_named"]


def route_named(build: Build, name: str) -> str:
    """The IRI of a served route by its IRI, ``<IRI>``, prefixed name or bare name.

    Raises:
        ClientError: no route, or several, are called so.
    """
    places = Places(build.inferred)
    wanted = name.removeprefix("<").removesuffix(">")
    routes = {route.iri: (route.iri, places.short(route.iri), route.name) for route in build.mesh.routes}
    found = [iri for iri, names in routes.items() if wanted in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise ClientError(f"several routes are called {name!r}: {', '.join(found)}", remedy="give the IRI")
    near = get_close_matches(wanted, [each for names in routes.values() for each in names], n=1)
    hint = f"did you mean {near[0]}?" if near else "agw routes lists them"
    raise ClientError(f"no route is called {name[:200]!r}", remedy=hint)


def effective(build: Build, route: str) -> dict[str, Any]:
    """The policies of a route, and those of each service it sends to, as plain data.

    Of each kind: ``policies`` that count (none where the kind is declined), ``deciding`` places, nearest first the
    ``overridden`` ones; a place has its ``rank``, IRI, what it states, and where.

    Args:
        route: the IRI of a route that is served; see `route_named`.
    """
    places = Places(build.inferred)
    served = next(each for each in build.mesh.routes if each.iri == route)
    services = dict.fromkeys(target for target in (served.upstream, *(s.upstream for s in served.splits)) if target)
    return {
        "route": route,
        "policies": [_standing(places, standing) for standing in places.standings(route)],
        "services": [
            {"service": iri, "policies": [_standing(places, standing) for standing in places.standings(iri)]}
            for iri in services
        ],
    }


def _standing(places: Places, standing: Standing) -> dict[str, Any]:
    return {
        "kind": places.short(standing.policy),
        "policies": [_shown(value) for value in standing.values],
        "deciding": [_said(places, said) for said in standing.deciding],
        "overridden": [_said(places, said) for said in standing.overridden],
    }


def _said(places: Places, said: Said) -> dict[str, Any]:
    located = [places.locate(said, value) for value in said.values] or [places.locate(said)]
    return {
        "rank": said.rank,
        "place": said.place,
        "states": [_shown(value) for value in said.values],
        "declines": not said.values,
        "at": [str(location) for location in located if location is not None],
    }


def _shown(value: str) -> str:
    """A policy that stands in brackets has an IRI that says nothing."""
    return "(without a name)" if value.startswith("urn:agw:genid:") else value


def render_effective(found: dict[str, Any], build: Build) -> str:
    """`effective` for people: a line a kind with what counts, under it the places, the deciding one first."""
    places = Places(build.inferred)
    lines = [f"route {_short(places, found['route'])}", *_lines(places, found["policies"])]
    for service in found["services"]:
        lines += ("", f"service {_short(places, service['service'])}", *_lines(places, service["policies"]))
    return "\n".join(lines) + "\n"


def _lines(places: Places, standings: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for standing in standings:
        counts = ", ".join(_short(places, value) for value in standing["policies"]) or "none: declined"
        lines.append(f"  {standing['kind']}: {counts}")
        for group, word in (("deciding", "by"), ("overridden", "overrides")):
            for said in standing[group]:
                stated = "declines it" if said["declines"] else ", ".join(_short(places, v) for v in said["states"])
                at = f" ({', '.join(said['at'])})" if said["at"] else ""
                what = "" if group == "deciding" and not said["declines"] else f": {stated}"
                lines.append(f"    {word} {said['rank']} {_short(places, said['place'])}{what}{at}")
    return lines or ["  no policy is stated"]


def _short(places: Places, value: str) -> str:
    try:
        return places.short(str(NamedNode(value).value))
    except ValueError:  # a literal's text
        return value
