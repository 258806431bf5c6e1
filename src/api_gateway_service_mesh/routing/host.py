"""Host predicates: exact names and ``*.example.com``.

A host is compared in lower case, without port and without the root's trailing dot. ``*.example.com`` stands for one or
more labels before ``.example.com`` (Gateway API ``HTTPRouteSpec.hostnames``): ``a.example.com`` and
``a.b.example.com``, not ``example.com``. A route without hosts, or with ``*``, takes any host, also none.
"""

from __future__ import annotations

import re
from typing import Final

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.model import Route
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["ANY_HOST", "HostKey", "host_findings", "host_holds", "host_key", "host_keys", "host_text"]

#: Orders hosts: 0 exact, 1 wildcard (longer text first), 2 any. The text comes last; two hosts of one class and length
#: never hold for the same request, so it decides nothing but where they stand in a printed table.
HostKey = tuple[int, int, str]

ANY_HOST: Final[HostKey] = (2, 0, "")

# RFC 1123 §2.1 labels, an underscore as Envoy and browsers allow it; an IPv4 address fits too, IPv6 stands in brackets.
_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,45}\]")


def host_key(host: str) -> HostKey:
    """The key of one stated host; the text of a wildcard keeps its dot: ``*.example.com`` gives ``.example.com``."""
    name = host.lower().rstrip(".")
    if name in ("", "*"):
        return ANY_HOST
    if name.startswith("*."):
        return (1, 1 - len(name), name[1:])
    return (0, 0, name)


def host_keys(route: Route) -> tuple[HostKey, ...]:
    """The keys of a route's hosts, best first, each once."""
    if not route.match.hosts:
        return (ANY_HOST,)
    return tuple(sorted({host_key(host) for host in route.match.hosts}))


def host_findings(route: Route) -> list[Finding]:
    """Violations for hosts that no request can have."""
    found: list[Finding] = []
    for host in route.match.hosts:
        name = host.lower().rstrip(".")
        bare = name.removeprefix("*.")
        if name in ("", "*") or _IPV6.fullmatch(bare) or (len(name) <= 253 and _LABELS.fullmatch(bare)):
            continue
        without_port = host.rsplit(":", 1)[0]
        remedy = (
            f"write {without_port!r}: a host is compared without its port"
            if _LABELS.fullmatch(without_port.lower().removeprefix("*."))
            else "write a host name, or a star for its first labels only"
        )
        found.append(
            Finding(
                code="malformed-hostname",
                message=f"{route.name}: {host!r} is not a host name",
                subject=route.iri,
                predicate=AGW.hostname,
                value=host,
                allowed="a name such as shop.example.com, or *.example.com",
                remedy=remedy,
            )
        )
    return found


def host_holds(key: HostKey, host: str) -> bool:
    """Whether one stated host holds for a request's host (lower case, no port)."""
    kind, _, text = key
    if kind == 2:
        return True
    name = host.rstrip(".")
    return name == text if kind == 0 else name.endswith(text) and len(name) > len(text)


def host_text(key: HostKey) -> str:
    """The host as people write it."""
    kind, _, text = key
    return ("", "*", "*")[kind] + text
