"""Where a route's requests go, as a stage: to its one upstream, or to one of the targets of its split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import Splitter

from .problem import Refusal
from .target import find_target

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["upstream_gates"]


def upstream_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """Sets the handler's target where there is one, or gives the gate that chooses among several."""
    route = handler.route
    if any(split.weight > 0 for split in route.splits):
        return _split(handler, generation, core)
    found = find_target(route.upstream, route, generation, core) if route.upstream is not None else handler.no_upstream
    if isinstance(found, Refusal):
        return [lambda exchange: found]
    handler.target = found
    return []


def _split(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    route = handler.route
    splitter = Splitter(route.splits)
    choices = [find_target(split.upstream, route, generation, core) for split in splitter.targets]
    random = core.random

    def choose(exchange: Exchange) -> Refusal | None:
        target = choices[splitter.choose(random())]
        if isinstance(target, Refusal):
            return target
        exchange.target = target
        return None

    return [choose]
