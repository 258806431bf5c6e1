"""Envoy's match trees, walked as Envoy walks them: a branch that comes to nothing goes on with the next question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from api_gateway_service_mesh.manifests.envoy.condition import early_fields
from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.routing.condition import first_parameters
from tests.support.routes import Request

__all__ = ["found", "virtual_host"]

Json = dict[str, Any]


def virtual_host(configuration: Json, host: str) -> Json | None:
    """The virtual host that Envoy takes: exact, then the longest suffix, then any."""
    name = host.lower()
    hosts = {domain: each for each in configuration["virtual_hosts"] for domain in each["domains"]}
    if name in hosts:
        return hosts[name]
    fitting = [
        domain for domain in hosts if domain[:2] == "*." and name.endswith(domain[1:]) and len(name) > len(domain) - 1
    ]
    if fitting:
        return hosts[max(fitting, key=len)]
    return hosts.get("*")


def found(configuration: Json, routes: Sequence[Route], request: Request) -> str | None:
    """The name of the route that a request gets."""
    host = virtual_host(configuration, request.host)
    return None if host is None else _matcher(host["matcher"], _Asked(routes, request))


class _Asked:
    def __init__(self, routes: Sequence[Route], request: Request) -> None:
        target = f"{request.path}?{request.query}" if request.query else request.path
        self.fields = {**request.fields, ":method": request.method, ":path": target}
        parameters = first_parameters(request.query)
        for name, command in early_fields(routes).items():
            if command.startswith("%QUERY_PARAM("):
                self.fields[name] = parameters.get(command[13:-2], "")
            else:
                self.fields[name] = request.path + "/"

    def get(self, where: Json) -> str | None:
        return self.fields.get(where["typed_config"]["header_name"])


def _matcher(matcher: Json, asked: _Asked) -> str | None:
    for end in _ends(matcher, asked):
        if end is None:
            continue
        taken = _matcher(end["matcher"], asked) if "matcher" in end else end["action"]["typed_config"]["name"]
        if taken is not None:
            return taken
    return None


def _ends(matcher: Json, asked: _Asked) -> list[Json | None]:
    ends: list[Json | None] = []
    if "matcher_list" in matcher:
        ends += [each["on_match"] for each in matcher["matcher_list"]["matchers"] if _holds(each["predicate"], asked)]
    else:
        tree = matcher["matcher_tree"]
        value = asked.get(tree["input"])
        if value is not None and "exact_match_map" in tree:
            ends.append(tree["exact_match_map"]["map"].get(value))
        elif value is not None:
            branches = tree["prefix_match_map"]["map"]
            ends += [branches[text] for text in sorted(branches, key=len, reverse=True) if value.startswith(text)]
    return [*ends, matcher.get("on_no_match")]


def _holds(predicate: Json, asked: _Asked) -> bool:
    if "and_matcher" in predicate:
        return all(_holds(each, asked) for each in predicate["and_matcher"]["predicate"])
    if "or_matcher" in predicate:
        return any(_holds(each, asked) for each in predicate["or_matcher"]["predicate"])
    single = predicate["single_predicate"]
    value, wanted = asked.get(single["input"]), single["value_match"]
    if value is None:
        return False
    if "exact" in wanted:
        return value == wanted["exact"]
    return re2.fullmatch(wanted["safe_regex"]["regex"], value) is not None
