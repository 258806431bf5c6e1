"""gRPC: what the gateway answers for itself, as gRPC clients understand it.

A gRPC client takes no notice of an HTTP error's body. What agw refuses in a request of gRPC is therefore answered 200
with ``grpc-status``, ``grpc-message`` and no body (a trailers-only answer), by the mapping of HTTP statuses that gRPC
publishes, and by the kind of refusal where that says more. Counters and logs keep the HTTP status of the refusal.

Source: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md and PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from .answer import AnswerHead, AnswerMarks, StatusLine
from .problem import Direct, Refusal

if TYPE_CHECKING:
    from .head import Block

__all__ = ["grpc_answer", "grpc_code", "grpc_status", "speaks_grpc"]

_BY_HTTP: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_BY_KIND: Final = {
    # DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INVALID_ARGUMENT, UNAVAILABLE
    "timeout": 4, "upstream-queue-timeout": 14,
    "rate-limited": 8, "quota-exceeded": 8, "header-fields-too-large": 8, "body-too-large": 8,
    "method-not-allowed": 12, "not-implemented": 12, "version-withdrawn": 12, "unknown-version": 12,
    "invalid-parameter": 3, "malformed-body": 3, "invalid-body": 3, "unsupported-media-type": 3,
    "misdirected-request": 14, "not-cached": 14,
}  # fmt: skip
_MARKS: Final = AnswerMarks()


def speaks_grpc(block: Block) -> bool:
    """Whether a request is one of gRPC (not of gRPC-Web, whose clients read HTTP errors)."""
    told = (block.header("content-type") or "").lower()
    return told == "application/grpc" or told.startswith(("application/grpc+", "application/grpc;"))


def grpc_status(refusal: Refusal) -> int:
    """The gRPC status for a refusal."""
    return _BY_KIND.get(refusal.problem) or _BY_HTTP.get(refusal.status, 2)


def grpc_code(fields: Sequence[tuple[bytes, bytes]]) -> int:
    """What ``grpc-status`` says in the fields of an answer; 0 when it says nothing."""
    for name, value in fields:
        if name == b"grpc-status":
            return int(value) if value.isdigit() and len(value) <= 2 else 2
    return 0


def grpc_answer(refusal: Refusal, request_id: bytes) -> AnswerHead | None:
    """The trailers-only answer for `refusal`; None for what is no refusal: a redirect, an answer of agw's own."""
    if isinstance(refusal, Direct) or refusal.status < 400:
        return None
    said = quote(refusal.detail, safe=" !#$&'()*+,/:;=?@[]").encode("ascii")
    block = b"content-type: application/grpc\r\ngrpc-status: %d\r\ngrpc-message: %b\r\nX-Request-Id: %b\r\n%b" % (
        grpc_status(refusal), said, request_id, refusal.fields,
    )  # fmt: skip
    return AnswerHead(StatusLine(200, b"OK"), block, None, _MARKS)
