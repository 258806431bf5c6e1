"""The request line: which methods, targets and versions are taken, and which path is routed.

The path that is routed is the path that goes upstream, byte for byte: whatever a backend might resolve differently (dot
segments, encoded or not, backslashes, ``%00``) is refused. Version exactly HTTP/1.0 or HTTP/1.1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from api_gateway_service_mesh.model import Limits

__all__ = [
    "FAST_LINE",
    "METHODS",
    "HeadError",
    "RequestLine",
    "check_authority",
    "check_unfinished",
    "judged_host",
    "parse_line",
    "refused_method",
    "routing_host",
]


class HeadError(Exception):
    """A head that is refused: HTTP status, problem slug and a sentence. The connection is closed after the answer."""

    def __init__(self, status: int, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.problem = problem
        self.detail = detail


# Methods passed on: RFC 9110 §9.3 without CONNECT and TRACE, PATCH, QUERY, WebDAV and its kin.
METHODS: Final[dict[bytes, str]] = {
    name.encode(): name
    for name in """
        GET HEAD POST PUT DELETE OPTIONS PATCH QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT
        MKACTIVITY CHECKOUT MERGE MKCALENDAR BIND REBIND UNBIND ACL LINK UNLINK PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE
        M-SEARCH
    """.split()  # noqa: SIM905
}

# (method, target, path, query or None, minor). Paths without %, ;, \ and without a segment that begins with a dot
# need no further look; all others go through `parse_line`.
FAST_LINE: Final = re.compile(
    rb"([A-Z]{3,16}) (((?:/(?!\.)[A-Za-z0-9_\-~.!$&'()*+,:=@]*+)+)(?:\?([\x21\x22\x24-\x7e]*+))?) HTTP/1\.([01])\r\n"
)
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++) ([^ \r\n]++) HTTP/(\d)\.(\d)\r\n")
_TARGET: Final = re.compile(rb"[\x21\x22\x24-\x7e]++")
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
_PATH_REFUSED: Final = re.compile(
    rb"\\|%00|%5c|(?:/|%2f)(?:\.|%2e){1,2}(?=/|%2f|;|%3b|\Z)|%(?![0-9a-f]{2})", re.IGNORECASE
)
_AUTHORITY: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_\-.]{0,253}[A-Za-z0-9_.])?)(?::([0-9]{1,5}))?"
)

_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_FIRST: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]|\r\n?\Z|\r\n\Z")


class RequestLine:
    """A request line that needed a closer look; ``authority`` is set by an absolute-form target."""

    __slots__ = ("authority", "method", "minor", "path", "query", "target")

    def __init__(self, method: str, target: bytes, minor: int, authority: bytes | None) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.authority = authority
        path, _, query = target.partition(b"?")
        self.path = path.decode("ascii")
        self.query = query.decode("ascii")


def parse_line(data: bytes, limits: Limits) -> tuple[RequestLine, int]:
    """The request line `data` begins with, and where the header block begins.

    Raises:
        HeadError: 400, 405, 414, 501 or 505.
    """
    match = _LINE.match(data)
    if match is None:
        end = data.find(b"\r\n")
        if end < 0 or end > limits.max_request_line_bytes:
            raise HeadError(414, "uri-too-long", f"the request line is over {limits.max_request_line_bytes} bytes")
        raise HeadError(400, "malformed-request", "the request line is not 'method target HTTP/1.1'")
    if match.end() - 2 > limits.max_request_line_bytes:
        raise HeadError(414, "uri-too-long", f"the request line is over {limits.max_request_line_bytes} bytes")
    name, target, major, minor = match.groups()
    if major != b"1" or minor not in (b"0", b"1"):
        raise HeadError(505, "http-version-not-supported", "only HTTP/1.0 and HTTP/1.1 are spoken here")
    method = METHODS.get(name)
    if method is None:
        raise refused_method(name)
    if not _TARGET.fullmatch(target):
        raise HeadError(400, "malformed-target", "the request target holds a character that must be percent-encoded")
    authority = None
    if not target.startswith(b"/"):
        if target == b"*":
            if method != "OPTIONS":
                raise HeadError(400, "malformed-target", "the target * is for OPTIONS alone")
            return RequestLine(method, target, int(minor), None), match.end()
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise HeadError(400, "malformed-target", "the request target is neither a path nor an http URL")
        authority = absolute[1]
        check_authority(authority)
        target = absolute[2]
        if not target.startswith(b"/"):
            target = b"/" + target
    path = target.partition(b"?")[0]
    if _PATH_REFUSED.search(path):
        raise HeadError(400, "malformed-target", "the path holds a dot segment, a backslash, %00 or a broken escape")
    return RequestLine(method, target, int(minor), authority), match.end()


def refused_method(name: bytes) -> HeadError:
    """Why a method that is not in `METHODS` is refused."""
    if name in (b"CONNECT", b"TRACE"):
        return HeadError(405, "method-not-allowed", f"{name.decode()} is not allowed through a gateway")
    return HeadError(501, "not-implemented", "the method is not known")


def check_authority(authority: bytes) -> None:
    """Raise 400 unless `authority` is ``host[:port]`` (RFC 9110 §7.2; no userinfo, no empty host)."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None or (match[1] is not None and int(match[1]) > 65535):
        raise HeadError(400, "malformed-host", "the host is not a host name or address with an optional port")


@lru_cache(maxsize=1024)
def judged_host(authority: bytes) -> str:
    """`routing_host` of an authority that `check_authority` takes."""
    check_authority(authority)
    return routing_host(authority)


def routing_host(authority: bytes) -> str:
    """Lower case, without port and without the root's dot, as routes state it."""
    host = authority.decode("ascii").lower()
    if host.endswith("]"):
        return host
    return host.rpartition(":")[0].rstrip(".") if ":" in host else host.rstrip(".")


def check_unfinished(data: bytes, limits: Limits) -> None:
    """Raise when `data`, which holds no whole head yet, can never become an acceptable one."""
    if not _FIRST.match(data):
        raise HeadError(400, "malformed-request", "this is not an HTTP/1.1 request")
    if _BARE.search(data):
        raise HeadError(400, "malformed-request", "the head holds a bare CR, a bare LF or a NUL")
    end = data.find(b"\r\n", 2)
    if end < 0:
        if len(data) > limits.max_request_line_bytes + 2:
            raise HeadError(414, "uri-too-long", f"the request line is over {limits.max_request_line_bytes} bytes")
    elif len(data) - end - 2 > limits.max_header_bytes:
        raise HeadError(431, "header-fields-too-large", f"the header fields are over {limits.max_header_bytes} bytes")
    elif data.count(b"\r\n") > limits.max_header_count + 2:
        raise HeadError(431, "header-fields-too-large", f"there are over {limits.max_header_count} header fields")
