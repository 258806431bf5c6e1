"""Answers of Envoy's own in agw's words: problem details (RFC 9457) with agw's statuses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from .typed import ANY_REQUEST, Json

__all__ = ["local_replies", "problem", "problem_route"]

_TYPE: Final = "application/problem+json"

#: Envoy's response flags, and what agw calls the case: status (None: Envoy's), kind, sentence.
_CASES: Final = (
    (("NR",), None, "no-route", "no route takes the request"),
    (("UF",), 502, "upstream-connect-failure", "no connection to the backend"),
    (("UC", "UR"), 502, "upstream-reset", "the backend broke off"),
    (("UPE",), 502, "upstream-bad-answer", "the backend's answer is no HTTP"),
    (("UO",), None, "upstream-overloaded", "too many requests wait for the backend"),
    (("UH",), None, "no-endpoint", "the backend has no endpoint left to try"),
    (("NC",), None, "no-upstream", "the route has no backend to send to"),
    (("UT",), None, "timeout", "no answer within the time of the request"),
    (("RL",), None, "rate-limited", "a rate limiter has no tokens left"),
    (("FI",), None, "fault-injected", "a fault is injected on purpose"),
)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem(status: int, kind: str, detail: str, route: str | None = None, policy: str | None = None) -> str:
    """The text of a problem document."""
    document: dict[str, str | int] = {
        "type": f"urn:agw:problem:{kind}",
        "title": _title(status),
        "status": status,
        "detail": detail,
    }
    document |= {name: iri for name, iri in (("route", route), ("policy", policy)) if iri is not None}
    return json.dumps(document) + "\n"


def problem_route(
    status: int, kind: str, detail: str, *, route: str | None = None, policy: str | None = None, **fields: str
) -> Json:
    """A route that answers with a problem; `fields` are further response fields (``retry_after="5"``)."""
    stated = {"content-type": _TYPE, "cache-control": "no-store"}
    stated |= {name.replace("_", "-"): value for name, value in fields.items()}
    return {
        "name": route or kind,
        "match": ANY_REQUEST,
        "direct_response": {"status": status, "body": {"inline_string": problem(status, kind, detail, route, policy)}},
        "response_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in stated.items()
        ],
    }


def local_replies() -> Json:
    """``local_reply_config``: what Envoy says when it cannot get an answer, as agw says it."""
    mappers: list[Json] = []
    for flags, status, kind, detail in _CASES:
        mapper: Json = {"filter": {"response_flag_filter": {"flags": list(flags)}}}
        if status is not None:
            mapper["status_code"] = status
        body = {
            "type": f"urn:agw:problem:{kind}",
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "instance": "urn:agw:request:%REQ(X-REQUEST-ID)%",
            "route": "%ROUTE_NAME%",
        }
        mapper["body_format_override"] = {"json_format": body, "content_type": _TYPE}
        mappers.append(mapper)
    return {"mappers": mappers}
