"""What tells answers in a cache apart: the normal form of a URL (RFC 3986 §6.2.2), and the key made of it.

A path's dot segments need no removing: requests that have some are refused. Everything a backend may answer by that is
not in the key is a way to poison a cache: fields of this kind make a request pass by the cache (`UNKEYED`).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from api_gateway_service_mesh.model import Cache, Route
from api_gateway_service_mesh.routing.body import body_mark

__all__ = ["CONDITIONS", "UNKEYED", "normal_target", "normal_url", "route_mark", "url_of", "watched_fields"]

CONDITIONS: Final = re.compile(rb"(?im)^(?:if-none-match|if-modified-since):[^\r\n]*\r\n")
"""The lines with a client's conditions, which the cache answers itself."""
#: Some frameworks answer by these in place of the URL, the host, the scheme or the method.
UNKEYED: Final = frozenset(
    (
        "x-original-url", "x-rewrite-url", "x-original-uri", "x-original-host", "x-host", "x-http-host-override",
        "x-forwarded-server", "x-forwarded-scheme", "x-forwarded-ssl", "x-forwarded-prefix", "x-forwarded-path",
        "x-url-scheme", "front-end-https", "x-http-method-override", "x-http-method", "x-method-override",
        "x-wap-profile",
    )
)  # fmt: skip
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normal_target(target: bytes) -> bytes:
    """Path and query with escapes in upper case, and none where none is needed."""
    return _ESCAPE.sub(_unescaped, target) if b"%" in target else target


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16)
    return bytes((code,)) if code in _UNRESERVED else match[0].upper()


def normal_url(scheme: bytes, host: bytes, target: bytes) -> bytes:
    """The normal form of a whole URL."""
    host = host.lower()
    port = b":443" if scheme == b"https" else b":80"
    if host.endswith(port):
        host = host[: -len(port)]
    return b"%b://%b%b" % (scheme, host, normal_target(target))


def url_of(text: str) -> bytes:
    """The normal form of a URL as somebody writes it."""
    scheme, _, rest = text.encode("utf-8").partition(b"://")
    host, _, target = rest.partition(b"/")
    return normal_url(scheme.lower(), host, b"/" + target.partition(b"#")[0])


def route_mark(route: Route, policy: Cache) -> bytes:
    """What the keys of a route begin with: its name, and a mark of all that decides what its backend is asked. A route
    that is changed in this begins with nothing stored."""
    deciding = (
        route.upstream, route.subset, [(split.upstream, split.subset) for split in route.splits], route.rewrite,
        route.request_transformation, body_mark(route.response_transformation), route.client_credentials,
        policy.keyed_fields,
    )  # fmt: skip
    mark = blake2b(repr(deciding).encode("utf-8", "replace"), digest_size=8).hexdigest()
    return b"%b %b " % (route.iri.encode("utf-8", "replace"), mark.encode("ascii"))


def watched_fields(lines: list[bytes], watched: dict[bytes, str]) -> dict[str, str]:
    """Those fields of a request that mean something to a cache: most have none. `watched`: by name as it is written."""
    found: dict[str, str] = {}
    for line in lines:
        at = line.index(b":")
        name = watched.get(line[:at].lower())
        if name is not None:
            value = line[at + 1 :].strip(b" \t").decode("utf-8", "replace")
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
