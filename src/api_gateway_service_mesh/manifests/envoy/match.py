"""Routes as Envoy's match trees: what a request costs does not grow with the number of routes.

A virtual host's tree asks, and when a branch comes to nothing Envoy goes on with the next question:

1. the exact path, in a hash map;
2. the longest literal beginning, in a trie; Envoy tries shorter ones when the longest leads nowhere. Templates and
   prefixes with parameters are expressions at their literal beginning;
3. regular expressions, one after the other;
4. then the same for each wider host that holds too (``agw``'s order goes on to it, Envoy's virtual hosts do not).

What Envoy knows as the path has the query in it, and its maps know no segments. So each request gets a field
`PATH_FIELD` before it is routed: its path without query, and one more slash. ``/a`` is a prefix of ``/a`` and of
``/a/b`` and not of ``/ab`` exactly when ``/a/`` is a beginning of what the field says.

The order is that of `routing.precedence`. The trie prefers the longer literal beginning, which is the better route but
in one case: a longer shape with a parameter where the other has text (``/a/{x}/c`` before ``/a/b/*``). Such shapes
stand at both places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from api_gateway_service_mesh.manifests.cors import ASKED, preflight_methods
from api_gateway_service_mesh.model import PathKind
from api_gateway_service_mesh.routing import HostGroup, Leaf, RouteEntry
from api_gateway_service_mesh.routing.index import methods_of
from api_gateway_service_mesh.routing.path import ANY_SEGMENT

from .condition import PATH_FIELD, all_of, header_input, is_in, predicate, regex_predicate
from .typed import Json, typed

__all__ = ["Variant", "Variants", "action", "shape_expression", "virtual_host_matcher"]

#: Further predicates, and the route that takes what they hold for. The last of several has none.
Variant: TypeAlias = tuple[Sequence[Json], Json]

#: What becomes of the requests that a route takes.
Variants: TypeAlias = Callable[[RouteEntry], Sequence[Variant]]

# As `proxy.request_line` refuses them: what a backend might read otherwise than the gateway did.
_REFUSED: Final = r"(?i).*(?:\\|%00|%5c|(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|;|%3b)|%(?:[^0-9a-f]|[0-9a-f][^0-9a-f])).*"


def action(route: Json) -> Json:
    """A route as the end of a branch."""
    return {"action": {"name": "route", "typed_config": {**typed("envoy.config.route.v3.Route"), **route}}}


def virtual_host_matcher(chain: Sequence[HostGroup], variants: Variants, refused: Json) -> Json:
    """The tree of a host: its own routes, then those of each wider one. `refused`: the route of paths that nobody
    should read."""
    then: Json | None = None
    for group in reversed(chain):
        then = _group(group, variants, then)
    bad = {"predicate": regex_predicate(PATH_FIELD, _REFUSED), "on_match": action(refused)}
    matcher: Json = {"matcher_list": {"matchers": [bad]}}
    if then is not None:
        matcher["on_no_match"] = then
    return matcher


def _group(group: HostGroup, variants: Variants, then: Json | None) -> Json | None:
    leaves = list(group.all_leaves())
    expressions = [leaf for leaf in leaves if _kind(leaf) is PathKind.REGULAR_EXPRESSION]
    if expressions:
        listed = [(f"(?:{leaf.entries[0].path.text})/", leaf) for leaf in expressions]
        then = _listed([_when(text, leaf, variants) for text, leaf in listed], then)
    begins = {_text(head): _beginning(head, shapes, variants) for head, shapes in _shapes(leaves).items()}
    if begins:
        then = _tree("prefix_match_map", begins, then)
    if group.exact:
        whole = {path + "/": _leaf(leaf, variants) for path, leaf in sorted(group.exact.items())}
        then = _tree("exact_match_map", whole, then)
    return then


def _kind(leaf: Leaf) -> PathKind:
    return leaf.entries[0].path.kind


def _tree(kind: str, branches: dict[str, Json], then: Json | None) -> Json:
    matcher: Json = {"matcher_tree": {"input": header_input(PATH_FIELD), kind: {"map": branches}}}
    if then is not None:
        matcher["on_no_match"] = then
    return {"matcher": matcher}


def _listed(matchers: list[Json], then: Json | None) -> Json:
    """One after the other, then something else."""
    if not matchers:
        assert then is not None
        return then
    matcher: Json = {"matcher_list": {"matchers": matchers}}
    if then is not None:
        matcher["on_no_match"] = then
    return {"matcher": matcher}


def _when(expression: str, leaf: Leaf, variants: Variants) -> Json:
    return {"predicate": regex_predicate(PATH_FIELD, expression), "on_match": _leaf(leaf, variants)}


def _text(head: tuple[str, ...]) -> str:
    return "".join(f"/{segment}" for segment in head) + "/"


_Head: TypeAlias = tuple[str, ...]


def _shapes(leaves: Sequence[Leaf]) -> dict[_Head, list[Leaf]]:
    """The templates and prefixes by literal beginning, each list in order; with them the shapes of shorter beginnings
    that are better than the last of the list and may hold for what begins so."""
    own: dict[_Head, list[Leaf]] = {}
    for leaf in leaves:
        if _kind(leaf) in (PathKind.TEMPLATE, PathKind.PREFIX):
            own.setdefault(_head(leaf), []).append(leaf)
    return {head: _better(head, mine, own) for head, mine in sorted(own.items())}


def _head(leaf: Leaf) -> _Head:
    segments = leaf.entries[0].path.segments
    return segments[: segments.index(ANY_SEGMENT)] if ANY_SEGMENT in segments else segments


def _better(head: _Head, mine: list[Leaf], own: dict[_Head, list[Leaf]]) -> list[Leaf]:
    last = mine[-1].order
    further = [
        leaf
        for length in range(len(head))
        for leaf in own.get(head[:length], ())
        if leaf.order < last and _may_hold(leaf, head)
    ]
    return sorted([*mine, *further], key=lambda leaf: leaf.order)


def _may_hold(leaf: Leaf, head: _Head) -> bool:
    path = leaf.entries[0].path
    if len(path.segments) < len(head):
        return path.open_ended
    return all(segment in (ANY_SEGMENT, wanted) for segment, wanted in zip(path.segments, head, strict=False))


def _beginning(head: _Head, shapes: Sequence[Leaf], variants: Variants) -> Json:
    last = shapes[-1]
    plain = last.entries[0].path.segments == head and last.entries[0].path.open_ended
    listed = [_when(_whole(leaf), leaf, variants) for leaf in (shapes[:-1] if plain else shapes)]
    return _listed(listed, _leaf(last, variants) if plain else None)


def _whole(leaf: Leaf) -> str:
    """The expression for the field's whole value."""
    entry = leaf.entries[0]
    return shape_expression(entry) + ("/.*" if entry.path.open_ended else "/")


def shape_expression(entry: RouteEntry, *, capture: bool = False) -> str:
    """A template or prefix as an expression for the path's beginning, without a final slash; `capture`: parameters are
    groups."""
    parameter = "([^/]+)" if capture else "[^/]+"
    return "".join(
        "/" + (parameter if segment == ANY_SEGMENT else re.escape(segment)) for segment in entry.path.segments
    )


def _leaf(leaf: Leaf, variants: Variants) -> Json:
    """What becomes of the requests of one path."""
    items: list[tuple[list[Json], Json]] = []
    by_method: dict[tuple[RouteEntry, ...], list[str]] = {}
    for method in methods_of(leaf.entries):
        by_method.setdefault(leaf[method], []).append(method)
    for candidates, methods in by_method.items():
        items += [([is_in(":method", methods), *asked], route) for asked, route in _items(candidates, variants)]
    items += _items(leaf.otherwise, variants)
    items = [*_preflights(leaf, variants), *items]
    matchers: list[Json] = []
    for asked, route in items:
        if not asked:
            return _listed(matchers, action(route))
        matchers.append({"predicate": all_of(asked), "on_match": action(route)})
    return _listed(matchers, None)


def _preflights(leaf: Leaf, variants: Variants) -> Iterator[tuple[list[Json], Json]]:
    """The preflights that ask about the routes of one path: they belong to those, whatever takes OPTIONS itself."""
    for entry in leaf.entries:
        methods = preflight_methods(entry.route, sorted(entry.methods))
        if methods:
            about = [is_in(":method", ["OPTIONS"]), is_in(ASKED, list(methods))]
            for asked, route in _items((entry,), variants):
                yield [*about, *asked], route


def _items(candidates: Sequence[RouteEntry], variants: Variants) -> Iterator[tuple[list[Json], Json]]:
    for entry in candidates:
        match = entry.route.match
        asked = [*map(predicate, match.headers), *map(predicate, match.query)]
        for further, route in variants(entry):
            yield [*asked, *further], route
