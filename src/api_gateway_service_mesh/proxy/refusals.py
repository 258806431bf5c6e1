"""The kinds of refusal there are: what each is called, and its flag in the access log.

A kind is the last part of the problem's ``type`` (``urn:agw:problem:KIND``), which is stable: programs may go by it.
The flags are Envoy's where it has one for the case (RESPONSE_FLAGS of its access log), so that dashboards keep working;
``MM`` (maintenance), ``CORS``, ``VER`` (versions), ``VAL`` (not as described), ``OIC`` (only if cached), ``NA`` (not
available yet), ``CL`` (connection limit), ``NT`` (no token for the backend), ``WS`` (WebSockets) and ``shed`` are agw's
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["KINDS", "NUMBERS", "RefusalKind", "flags_with"]


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """One kind: its flag, and what it means."""

    flag: str
    meaning: str


KINDS: Final[Mapping[str, RefusalKind]] = MappingProxyType(
    {
        "no-route": RefusalKind("NR", "no route takes the request"),
        "method-not-allowed": RefusalKind("NR", "routes take the path, with other methods"),
        "no-upstream": RefusalKind("NC", "the route has no backend to send to"),
        "plaintext-forbidden": RefusalKind("NC", "mutual TLS is STRICT and nothing can carry it"),
        "no-endpoint": RefusalKind("UH", "the backend has no endpoint, or none left to try"),
        "circuit-open": RefusalKind("UO", "the circuit breaker is open"),
        "rate-limited": RefusalKind("RL", "a rate limiter has no tokens left"),
        "quota-exceeded": RefusalKind("RL", "a quota is used up"),
        "rate-limit-unavailable": RefusalKind("RLSE", "the store of a shared limiter does not answer"),
        "authentication-required": RefusalKind("UAEX", "the caller showed nothing"),
        "invalid-credentials": RefusalKind("UAEX", "what the caller showed is not accepted"),
        "client-certificate-required": RefusalKind("UAEX", "the client showed no certificate"),
        "client-certificate-refused": RefusalKind("UAEX", "the client's certificate is of none that may call"),
        "intention-denied": RefusalKind("UAEX", "the intentions of the mesh forbid that service to call"),
        "intention-unavailable": RefusalKind("UAEX", "Consul does not say which services may call"),
        "misdirected-request": RefusalKind("UAEX", "the connection is for another host, that asks for no certificate"),
        "insufficient-scope": RefusalKind("UAEX", "the token lacks a scope"),
        "forbidden": RefusalKind("UAEX", "the caller lacks a claim"),
        "access-denied": RefusalKind("UAEX", "a rule denies it, or none allows it"),
        "external-denied": RefusalKind("UAEX", "a service that is asked refuses it"),
        "external-unavailable": RefusalKind("UAEX", "a service that is asked says nothing"),
        "authentication-unavailable": RefusalKind("UAEX", "keys to check the caller with are not there yet"),
        "backend-token-unavailable": RefusalKind("NT", "the gateway has no token for the backend"),
        "login-failed": RefusalKind("UAEX", "a login did not come to its end"),
        "cors-refused": RefusalKind("CORS", "pages of that origin may not call so"),
        "unknown-version": RefusalKind("VER", "the request names a version that there is not"),
        "version-withdrawn": RefusalKind("VER", "the version is withdrawn since its sunset"),
        "websocket-forbidden": RefusalKind("WS", "the route takes no WebSockets"),
        "too-many-websockets": RefusalKind("WS", "as many WebSockets are open as may be"),
        "not-cached": RefusalKind("OIC", "the request asks that no backend be asked, and nothing is stored"),
        "undescribed-request": RefusalKind("VAL", "the description of the API has no such path or method"),
        "invalid-parameter": RefusalKind("VAL", "a parameter is not as described"),
        "unsupported-media-type": RefusalKind("VAL", "a body of that type, or any, is not described"),
        "body-too-large": RefusalKind("VAL", "the body is too large to be looked into"),
        "malformed-body": RefusalKind("VAL", "the body is no JSON, or such as readers take differently"),
        "invalid-body": RefusalKind("VAL", "the body is not as described"),
        "fault-injected": RefusalKind("FI", "a fault is injected on purpose"),
        "overloaded": RefusalKind("shed", "the overload guard or adaptive concurrency sheds load"),
        "maintenance": RefusalKind("MM", "maintenance mode"),
        "timeout": RefusalKind("UT", "no answer within the time of the request, the attempt or the caller"),
        "upstream-connect-failure": RefusalKind("UF", "no connection to the backend"),
        "upstream-reset": RefusalKind("UC", "the backend broke off"),
        "upstream-bad-answer": RefusalKind("UPE", "the backend's answer is no HTTP"),
        "unchangeable-answer": RefusalKind("UPE", "the body of the answer is to be changed, and cannot be"),
        "upstream-error": RefusalKind("URX", "an answer that is tried again was the last one"),
        "upstream-overloaded": RefusalKind("UO", "too many requests wait for the backend"),
        "upstream-queue-timeout": RefusalKind("UO", "the request waited too long for a connection to the backend"),
        "upstream-request-limit": RefusalKind("UO", "too many requests are under way to the backend"),
        "too-many-connections": RefusalKind("CL", "the listener holds as many connections as it may"),
        "too-many-connections-from-address": RefusalKind("CL", "an address holds as many connections as it may"),
        "not-ready": RefusalKind("NA", "no configuration is loaded yet"),
        "request-timeout": RefusalKind("DPE", "the request's head did not come in time"),
        "header-fields-too-large": RefusalKind("DPE", "the request's header is over a bound"),
        "malformed-request": RefusalKind("DPE", "the request is no HTTP"),
        "malformed-host": RefusalKind("DPE", "the request names no host, or several"),
        "malformed-target": RefusalKind("DPE", "the request's target is none"),
        "expectation-failed": RefusalKind("DPE", "the request expects what nobody knows"),
        "not-implemented": RefusalKind("DPE", "the request's method or coding is not served"),
        "uri-too-long": RefusalKind("DPE", "the request line is over a bound"),
        "http-version-not-supported": RefusalKind("DPE", "the request is of another version of HTTP"),
        "malformed-framing": RefusalKind("DPE", "where the request ends cannot be told"),
        "malformed-header": RefusalKind("DPE", "a header field of the request is no field"),
    }
)

NUMBERS: Final[Mapping[str, int]] = MappingProxyType({kind: number for number, kind in enumerate(KINDS)})
"""Which cell of `policies.refusal` counts a kind."""


def flags_with(flags: tuple[str, ...], problem: str) -> tuple[str, ...]:
    """`flags` with that of a kind; a kind without one (a redirect, an answer of the gateway's own) adds none."""
    kind = KINDS.get(problem)
    return flags if kind is None or kind.flag in flags else (*flags, kind.flag)
