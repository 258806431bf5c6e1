"""Where a redirect sends a client.

Safe by construction: host and scheme come from the configuration or are those of the request itself, and the path is in
normal form (`rewrite.normal_path`), so nothing of a request's path or query can make the place another host's.
"""

from __future__ import annotations

from collections.abc import Callable

from api_gateway_service_mesh.model import Redirect, Route

from .part import Part, cite
from .rewrite import change_citations, path_change

__all__ = ["Locate", "locator", "redirect_part"]

#: From scheme, authority, path and query of a request to its new place; None when that is where it came from.
Locate = Callable[[str, str, str, str], str | None]

_PORTS = {"http": 80, "https": 443}


def locator(route: Route, redirect: Redirect) -> Locate:
    """The function that says where a request of `route` is sent."""
    change = path_change(route.match.path, redirect)
    elsewhere = redirect.scheme is not None or redirect.host is not None or redirect.port is not None

    def locate(scheme: str, authority: str, path: str, query: str) -> str | None:
        host, port = _split(authority, scheme)
        new_path = change(path) if change is not None else path
        new_scheme = redirect.scheme or scheme
        new_host = redirect.host or host
        if redirect.port is not None:
            new_port = redirect.port
        else:
            new_port = _PORTS[new_scheme] if redirect.scheme or redirect.host else port
        if (new_scheme, new_host, new_port, new_path) == (scheme, host, port, path):
            return None
        tail = f"{new_path}?{query}" if query else new_path
        if not elsewhere:
            return tail
        place = new_host if new_port == _PORTS[new_scheme] else f"{new_host}:{new_port}"
        return f"{new_scheme}://{place}{tail}"

    return locate


def _split(authority: str, scheme: str) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        return authority.rstrip(":").lower(), _PORTS[scheme]
    return host.lower(), int(port)


def redirect_part(route: Route, redirect: Redirect, host: str, path: str | None) -> Part:
    """What a redirect does; with the `path` of a request for `host`, where it is sent (as one over plain HTTP)."""
    cited = [cite(route.iri, "hasRedirect", redirect.iri)]
    stated = (("redirectScheme", redirect.scheme), ("redirectHost", redirect.host), ("redirectPort", redirect.port))
    cited += [cite(redirect.iri, term, str(value)) for term, value in stated if value is not None]
    cited += change_citations(redirect)
    if redirect.status != Redirect("").status:
        cited.append(cite(redirect.iri, "redirectStatus", str(redirect.status)))
    text = f"answers {redirect.status}"
    if path is not None:
        text += (
            f", to {locator(route, redirect)('http', host or 'HOST', path, '') or 'nowhere else: it is there already'}"
        )
    return Part("redirect", redirect.iri, text, tuple(cited))
