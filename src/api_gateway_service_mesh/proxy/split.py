"""Where a route's requests go, as a stage: to its one upstream, or to one of the targets of its split.

Of the targets of a split, the first whose conditions hold takes the request (``agw:steeredBy``); else the weights
decide: by the request's key, by a cookie that is set here, or by chance. What a target does with its requests is
counted for it, and a canary is judged by that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.policies import CanarySplitter, ShareCounters, Splitter, key_hash, weight_cell

from .condition import Holds, condition_test
from .key import cookie, request_key
from .problem import Refusal
from .target import Target, find_target

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["upstream_gates"]

MAX_COOKIE_LENGTH = 64
"""Of a cookie that is longer than agw makes them, a new one is set."""

Choice = tuple[Target | Refusal, ShareCounters]


def upstream_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """Sets the handler's target where there is one, or gives the gate that chooses among several."""
    route = handler.route
    if any(split.weight > 0 for split in route.splits):
        handler.on_end = (*handler.on_end, _count)
        return [_split(route, generation, core)]
    found = find_target(route.upstream, route, generation, core) if route.upstream is not None else handler.no_upstream
    if isinstance(found, Refusal):
        return [lambda exchange: found]
    handler.target = found
    return []


def _count(exchange: Exchange, now: float) -> None:
    share = exchange.share
    if share is not None:
        share.observe(exchange.status, now - exchange.started)


def _split(route: Route, generation: Generation, core: Core) -> Gate:
    view, slots = core.cells.view, generation.slots
    choices: list[Choice] = [
        (
            find_target(split.upstream, route, generation, core, (*route.subset, *split.subset)),
            ShareCounters(view, slots["share", split.iri], core.worker),
        )
        for split in route.splits
    ]
    steered = [
        (condition_test(split.steered_by), choice)
        for split, choice in zip(route.splits, choices, strict=True)
        if split.steered_by
    ]
    draw = _draw(route, _splitter(route, generation, core), core)

    def choose(exchange: Exchange) -> Refusal | None:
        target, exchange.share = choices[draw(exchange)]
        if isinstance(target, Refusal):
            return target
        exchange.target = target
        return None

    return _steer(steered, choose) if steered else choose


def _splitter(route: Route, generation: Generation, core: Core) -> Splitter:
    for split in route.splits:
        if split.canary is not None:
            return CanarySplitter(route.splits, core.cells.view, weight_cell(generation.slots["canary", split.iri]))
    return Splitter(route.splits)


def _draw(route: Route, splitter: Splitter, core: Core) -> Callable[[Exchange], int]:
    """The index of the target that the weights give a request."""
    random, key, name = core.random, route.split_key, route.split_cookie
    if key is not None:
        return lambda exchange: splitter.choose_sticky(key_hash(request_key(key, exchange)))
    if name is None:
        return lambda exchange: splitter.choose(random())
    field = b"Set-Cookie: " + name.encode("ascii") + b"=%013x; Path=/; HttpOnly; SameSite=Lax\r\n"

    def by_cookie(exchange: Exchange) -> int:
        shown = cookie(exchange.block, name)
        if not shown or len(shown) > MAX_COOKIE_LENGTH:
            number = int(random() * 0x10_0000_0000_0000)
            shown = f"{number:013x}"
            exchange.answer_fields += field % number
        return splitter.choose_sticky(key_hash(shown))

    return by_cookie


def _steer(steered: list[tuple[Holds, Choice]], otherwise: Gate) -> Gate:
    def steer(exchange: Exchange) -> Refusal | None:
        for holds, (target, share) in steered:
            if holds(exchange):
                exchange.share = share
                if isinstance(target, Refusal):
                    return target
                exchange.target = target
                return None
        return otherwise(exchange)

    return steer
