"""Changes to header fields, as targets that keep one value a name take them.

What answers of a withdrawn version say, and security headers, are fields like others there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation, Route
from api_gateway_service_mesh.routing.security_headers import header_fields
from api_gateway_service_mesh.routing.version import deprecation_fields

__all__ = ["HeaderChanges", "answer_changes", "request_changes"]


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """What is set, added and removed. Several values of one name are one, joined by commas (RFC 9110 §5.3)."""

    sets: dict[str, str]
    adds: dict[str, str]
    removes: tuple[str, ...]

    @property
    def for_envoy(self) -> HeaderChanges:
        """The same for proxies that are Envoys behind their own words: a percent sign begins a command there."""
        sets, adds = (
            {name: value.replace("%", "%%") for name, value in each.items()} for each in (self.sets, self.adds)
        )
        return HeaderChanges(sets, adds, self.removes)

    def named(
        self, sets: str = "set", adds: str = "add", removes: str = "remove"
    ) -> dict[str, dict[str, str] | list[str]]:
        """What there is of it, under the names that a target has for it."""
        made: dict[str, dict[str, str] | list[str]] = {}
        if self.sets:
            made[sets] = dict(self.sets)
        if self.adds:
            made[adds] = dict(self.adds)
        if self.removes:
            made[removes] = list(self.removes)
        return made


def request_changes(route: Route) -> HeaderChanges | None:
    """What happens to the header fields of requests; None: nothing."""
    return _changes(route.request_transformation)


def answer_changes(route: Route) -> HeaderChanges | None:
    """What happens to the header fields of answers; None: nothing."""
    policy = route.response_transformation or ResponseTransformation("")
    told = () if route.deprecation is None else deprecation_fields(route.deprecation)
    safe = () if route.security_headers is None else header_fields(route.security_headers, secure=True)
    own = {name.lower() for name, _ in policy.sets}
    sets = tuple(field for field in (*safe, *told) if field[0] != "Link" and field[0].lower() not in own)
    links = tuple(field for field in told if field[0] == "Link" and "link" not in own)
    removes = () if route.security_headers is None else route.security_headers.removes
    changed = {name.lower() for name, _ in (*policy.sets, *policy.adds, *sets)}
    return _changes(
        ResponseTransformation(
            policy.iri,
            (*sets, *policy.sets),
            (*links, *policy.adds),
            (*(name for name in removes if name not in changed and name not in policy.removes), *policy.removes),
        )
    )


def _changes(policy: RequestTransformation | ResponseTransformation | None) -> HeaderChanges | None:
    if policy is None or not (policy.sets or policy.adds or policy.removes):
        return None
    return HeaderChanges(_joined(policy.sets), _joined(policy.adds), policy.removes)


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    made: dict[str, tuple[str, str]] = {}
    for name, value in fields:
        first = made.get(name.lower())
        made[name.lower()] = (name, value) if first is None else (first[0], f"{first[1]}, {value}")
    return dict(made.values())
