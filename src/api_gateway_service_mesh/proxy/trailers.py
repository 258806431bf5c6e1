"""Trailers: fields behind a body (RFC 9110 §6.5), on their way between HTTP/1.1's last chunk (RFC 9112 §7.1.2) and
HTTP/2's last HEADERS.

- They are never merged into a head, and nothing is decided on them.
- An answer's go to a client that says ``TE: trailers``, and with every call of gRPC; a request's to backends that are
  said to take them (``agw:acceptsTrailers``). All others are dropped, as RFC 9110 §6.5.1 lets who forwards do.
- What frames, routes, authenticates, modifies the request or controls who handles the message is dropped whoever asks;
  so is what a backend that does merge would take for a field of the head that the gateway wrote, changed or removed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .lines import ASSERTED, ASSERTED_STARTS, HOP_BY_HOP, VALUE_BYTES

if TYPE_CHECKING:
    from .chunked import ChunkDecoder
    from .exchange import Exchange

__all__ = ["OF_THE_BODY", "Trailers", "last_chunk", "onward", "permitted", "take_trailers"]

Trailers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, and values."""

OF_THE_BODY: Final = frozenset((b"content-md5", b"content-digest", b"repr-digest", b"digest", b"etag"))
"""What is said of a body as it came (RFC 9530): not true of it once it was changed."""

#: RFC 9110 §6.5.1, and what browsers and proxies act on.
_FORBIDDEN: Final = (
    HOP_BY_HOP
    | ASSERTED
    | {
        # authentication, and who is who
        b"authorization", b"proxy-authenticate", b"www-authenticate", b"cookie", b"set-cookie", b"x-api-key",
        b"authentication-info", b"proxy-authentication-info", b"x-csrf-token", b"x-auth-token",
        # what the content is
        b"content-type", b"content-encoding", b"content-range", b"content-location", b"content-disposition",
        # requests: what modifies, negotiates or routes them
        b"via", b"max-forwards", b"pragma", b"range", b"if-match", b"if-none-match", b"if-modified-since",
        b"if-unmodified-since", b"if-range", b"origin", b"x-http-method-override", b"x-original-url", b"x-rewrite-url",
        b"traceparent", b"tracestate", b"baggage", b"b3", b"grpc-timeout", b"grpc-encoding",
        # answers: what controls who handles them
        b"date", b"cache-control", b"age", b"expires", b"vary", b"location", b"retry-after", b"warning",
        b"last-modified", b"surrogate-control", b"cdn-cache-control", b"strict-transport-security",
        b"content-security-policy", b"x-frame-options", b"x-content-type-options", b"clear-site-data", b"refresh",
        b"alt-svc",
    }
)  # fmt: skip
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^`|~0-9a-z]+")
_FORBIDDEN_STARTS: Final = (b":", b"access-control-", b"sec-", b"proxy-", *ASSERTED_STARTS)


def permitted(fields: Trailers) -> list[tuple[bytes, bytes]]:
    """Those trailers that may go on at all. A name with an underscore may not: some take it for a hyphen. One that is
    no ``name: value`` on one line never was read as such; over HTTP/2 libnghttp2 refuses it before, and a line that is
    smuggled is worth two looks."""
    return [
        (name, value)
        for name, value in fields
        if name not in _FORBIDDEN
        and not name.startswith(_FORBIDDEN_STARTS)
        and b"_" not in name
        and _NAME.fullmatch(name)
        and value.translate(VALUE_BYTES) == value
    ]


def take_trailers(exchange: Exchange, decoder: ChunkDecoder | None) -> None:
    """The request's body has ended, and `decoder` saw what followed it."""
    if decoder is not None and decoder.trailers is not None:
        exchange.request_trailers = permitted(decoder.trailers)


def onward(exchange: Exchange) -> Trailers:
    """Those of the request's trailers that its backend gets: none that stands in the head, or that a transformation
    writes or removes, or that ``Connection`` named."""
    taken = {line.partition(b":")[0].lower() for line in exchange.fields.split(b"\r\n")}
    taken.update(exchange.block.marks.named)
    handler = exchange.handler
    changed = None if handler is None else handler.route.request_transformation
    if changed is not None:
        names = [*changed.removes, *(name for name, _ in (*changed.sets, *changed.adds))]
        names += [to for _, to in changed.copies]
        taken.update(name.lower().encode("ascii") for name in names)
        if changed.removes_members or changed.renames_members or changed.sets_members:
            taken.update(OF_THE_BODY)
    return [field for field in exchange.request_trailers if field[0] not in taken]


def last_chunk(fields: Trailers) -> bytes:
    """The end of a chunked body, with `fields` behind it."""
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % (name, value) for name, value in fields])
