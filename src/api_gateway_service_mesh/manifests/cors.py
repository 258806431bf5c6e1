"""CORS as other data planes have it: which origins, and where a preflight finds the route that it asks about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import re2

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.model import Cors, Route
from api_gateway_service_mesh.routing.cors import CorsRules
from api_gateway_service_mesh.vocabulary import AGW

from .gap import differs

__all__ = ["ASKED", "Allowed", "allowed", "origin_matchers", "preflight_methods", "report_preflights"]

#: The field by which a preflight says what it is about.
ASKED: Final = "access-control-request-method"

_LABELS: Final = r"([0-9a-z_-]+\.)+"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A policy as it holds for one route."""

    cors: Cors
    methods: tuple[str, ...]


def allowed(route: Route) -> Allowed | None:
    """The policy of `route`, with the methods that pages may use; None: it has none."""
    if route.cors is None:
        return None
    return Allowed(route.cors, CorsRules(route.cors, route.match.methods).methods)


def preflight_methods(route: Route, methods: Iterable[str]) -> tuple[str, ...]:
    """The methods of a place in a list that preflights ask about, where the place would not take OPTIONS itself."""
    stated = tuple(methods)
    return stated if route.cors is not None and stated and "OPTIONS" not in stated else ()


def origin_matchers(cors: Cors) -> list[dict[str, str]]:
    """The origins as texts and expressions, of which one must hold: ``exact`` and ``regex``."""
    made: list[dict[str, str]] = []
    for origin in cors.origins:
        scheme, below, domain = origin.partition("://*.")
        if below:
            made.append({"regex": f"{re2.escape(scheme)}://{_LABELS}{re2.escape(domain)}"})
        else:
            made.append({"exact": origin})
    return made


def report_preflights(route: Route, cors: Cors, target: str) -> list[Finding]:
    """What is otherwise where Envoy's filter answers."""
    message = (
        f"{route.name}: {target} answers every preflight 200, and leaves it to the browser to see that it says no; agw "
        "refuses it"
    )
    return [differs(cors.iri, AGW.hasCors, message)]
