"""Which routes are GRPCRoutes.

A GRPCRoute says service, method and header fields, and nothing of times or paths. Gateway API accepts one of the two
kinds where host names of both meet, so the routes of a host are all calls, or they are all HTTPRoutes: a call is a POST
to its path, and that is said without loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.manifests.order import Item
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.model import HttpProtocol, PathKind
from api_gateway_service_mesh.routing import ANY_HOST, HostKey, PathPattern
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["call_lists", "method_match"]

# The rules of GRPCMethodMatch.
_SERVICE: Final = re.compile(r"(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*")
_METHOD: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")

Lists = Mapping[tuple[Item, ...], list[HostKey]]


def call_lists(outline: Outline, lists: Lists) -> set[tuple[Item, ...]]:
    """The lists that are written as GRPCRoutes; why a call is not among them is said."""
    whys = {listed: next((why for item in listed if (why := _not_a_call(outline, item))), None) for listed in lists}
    taken = {listed for listed, why in whys.items() if why is None}
    while True:
        meeting = {
            listed for listed in taken for other in lists if other not in taken and _meet(lists[listed], lists[other])
        }
        if not meeting:
            break
        taken -= meeting
        whys |= dict.fromkeys(meeting, "its host meets that of routes which are none")
    said: dict[str, str] = {}
    for listed, why in whys.items():
        for entry, _ in listed:
            if why is not None and entry.route.grpc_service is not None:
                message = f"{entry.route.name}: an HTTPRoute says it, by POST and path, as {why}"
                said.setdefault(entry.route.iri, message)
    outline.findings += [differs(iri, AGW.grpcService, message) for iri, message in said.items()]
    return taken


def method_match(item: Item) -> dict[str, str]:
    """The service of a call, and its method where it takes one alone."""
    service, *method = _segments(item[0].path)
    return {"type": "Exact", "service": service, **({"method": method[0]} if method else {})}


def _not_a_call(outline: Outline, item: Item) -> str | None:
    """Why a GRPCRoute cannot say a route; None: it can."""
    entry, methods = item
    route, path = entry.route, entry.path
    if route.grpc_service is None:
        return f"{route.name} beside it is no call of gRPC" if outline.mesh.routes[1:] else "it is no call of gRPC"
    if methods != ("POST",) or not _is_plain(path):
        return f"{route.name} is not a service and a method alone"
    if route.match.query:
        return f"a GRPCRoute does not look at the query ({route.name})"
    for what, held in (
        ("time", route.timeout), ("rewrite", route.rewrite), ("redirect", route.redirect), ("answer", route.direct),
        ("CORS", route.cors),
    ):  # fmt: skip
        if held is not None:
            return f"a GRPCRoute has no {what} ({route.name})"
    upstreams = (outline.upstreams[iri] for iri in route.reached if iri in outline.upstreams)
    if any(upstream.protocol is not HttpProtocol.HTTP2 for upstream in upstreams):
        return f"a backend of {route.name} is not spoken to in HTTP/2"
    return None


def _segments(path: PathPattern) -> tuple[str, ...]:
    return path.segments if path.kind is PathKind.PREFIX else tuple(path.text.split("/")[1:])


def _is_plain(path: PathPattern) -> bool:
    """Whether a path is a service, or one of its methods."""
    if path.kind not in (PathKind.PREFIX, PathKind.EXACT):
        return False
    service, *method = _segments(path) or ("",)
    if _SERVICE.fullmatch(service) is None or len(method) != (path.kind is PathKind.EXACT):
        return False
    return all(_METHOD.fullmatch(name) is not None for name in method)


def _meet(some: Iterable[HostKey], others: Iterable[HostKey]) -> bool:
    """Whether a host may belong to both."""
    return any(_both(one, other) for one in some for other in others)


def _both(one: HostKey, other: HostKey) -> bool:
    if ANY_HOST in (one, other):
        return True
    (exact, _, first), (plain, _, second) = one, other
    if exact == plain == 0:
        return first == second
    return (plain != 0 and first.endswith(second)) or (exact != 0 and second.endswith(first))
