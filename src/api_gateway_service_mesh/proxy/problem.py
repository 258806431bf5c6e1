"""Errors as HTTP: RFC 9457 problem details. The only module of the data plane that words an error answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from .answer import AnswerHead, AnswerMarks, StatusLine

__all__ = ["WAIT", "Refusal", "problem_answer"]

_OURS = AnswerMarks()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no answer from its backend.

    ``problem`` is the last part of the problem's ``type``; ``fields`` are further header lines, each with CR LF;
    ``refused_by`` the IRI of the policy that decided so. ``failure`` says that something is broken (it counts as an
    error of the gateway), rather than that a rule was kept. ``reason`` is what the operator alone is told, in the
    access log; it holds nothing secret. ``errors``: what is wrong with the request, one by one: where (a part of the
    request), at what (a name, or a JSON pointer), and what is expected.
    """

    status: int
    problem: str
    detail: str
    fields: bytes = b""
    refused_by: str | None = None
    failure: bool = False
    reason: str | None = None
    errors: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Direct(Refusal):
    """No refusal: an answer that is the gateway's own to give. ``body`` and ``content_type`` take the place of the
    problem; ``detail`` is for nobody."""

    body: bytes = b""
    content_type: bytes = b""


WAIT: Final = Refusal(0, "wait", "")
"""No refusal, and no admission yet: the gate has seen to it that `Exchange.proceed` is called."""


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem_answer(refusal: Refusal, request_id: str, route: str | None, trace: str = "") -> tuple[AnswerHead, bytes]:
    """The answer for `refusal`: head and body (``application/problem+json``, unless it is a `Direct`). `trace`: the
    id of the trace it is part of."""
    if isinstance(refusal, Direct):
        return _direct_answer(refusal, request_id)
    document: dict[str, str | int | list[dict[str, str]]] = {
        "type": f"urn:agw:problem:{refusal.problem}",
        "title": _title(refusal.status),
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": f"urn:agw:request:{request_id}",
    }
    if route is not None:
        document["route"] = route
    if refusal.refused_by is not None:
        document["policy"] = refusal.refused_by
    if refusal.errors:
        document["errors"] = [_error(*error) for error in refusal.errors]
    if trace:
        document["trace_id"] = trace
    body = json.dumps(document).encode("ascii") + b"\n"
    reason = _title(refusal.status).encode("ascii")
    block = b"".join(
        (
            b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n" % len(body),
            b"Cache-Control: no-store\r\nX-Request-Id: %b\r\n" % request_id.encode("ascii", "replace"),
            refusal.fields,
        )
    )
    return AnswerHead(StatusLine(refusal.status, reason), block, len(body), _OURS), body


def _error(place: str, at: str, detail: str) -> dict[str, str]:
    """As in RFC 9457 §3: a pointer into the body, or the name of what stands elsewhere."""
    if place == "body":
        return {"in": place, "pointer": f"#{at}", "detail": detail}
    return {"in": place, "name": at, "detail": detail} if at else {"in": place, "detail": detail}


def _direct_answer(direct: Direct, request_id: str) -> tuple[AnswerHead, bytes]:
    line = StatusLine(direct.status, _title(direct.status).encode("ascii"))
    identity = b"X-Request-Id: %b\r\n" % request_id.encode("ascii", "replace")
    if line.bodyless:
        return AnswerHead(line, direct.fields + identity, None, _OURS), b""
    framing = b"Content-Length: %d\r\n" % len(direct.body)
    if direct.body:
        framing = b"Content-Type: %b\r\n%b" % (direct.content_type, framing)
    return AnswerHead(line, framing + direct.fields + identity, len(direct.body), _OURS), direct.body
