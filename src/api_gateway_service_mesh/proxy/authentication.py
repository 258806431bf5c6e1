"""Who is calling, as a gate: takes from the request what callers show, and words what they are told.

A refusal says to the client no more than what it knows already or may know: that nothing was shown, that it was not
accepted, that it is over, which scopes are demanded. Why, in full, stands in the access log. An accepted token costs
one lookup; where keys must be fetched first, the exchange waits for that one fetch and nothing else waits with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from api_gateway_service_mesh.model import Authentication
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.security.api_key import ApiKeys
from api_gateway_service_mesh.security.authentication import Authenticator
from api_gateway_service_mesh.security.identity import Denial, Denied, Identity

from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .core import Core
    from .exchange import Exchange
    from .pipeline import Gate

__all__ = ["authentication_gate"]

_REALM = 'realm="agw"'


def authentication_gate(demand: Authentication, core: Core, slots: Mapping[tuple[str, str], int]) -> Gate:
    """The gate of a route that demands `demand`."""
    authenticator = core.authenticators.of(demand)
    keys = authenticator.keys
    words = _Words(authenticator, demand)
    fields = _key_fields(keys) if keys is not None else None
    parameters = frozenset(name.encode("ascii") for name in keys.parameters) if keys is not None else frozenset()

    asked_about = frozenset(introspector.config.iri for introspector in authenticator.introspectors)
    for introspector in authenticator.introspectors:
        slot = slots["event", introspector.config.iri]
        introspector.count = EventCounters(core.cells.view, slot, core.worker).count
    tokens_only = keys is None and authenticator.takes_tokens

    def ask(exchange: Exchange) -> Refusal | None:
        text = exchange.block.authorization
        bearer = text[7:].strip(b" ") if text is not None and text[:7].lower() == b"bearer " else None
        if tokens_only and bearer is not None:
            caller = authenticator.remembered(bearer)
            if caller is not None:
                exchange.caller = caller
                if caller.fields:
                    exchange.fields += caller.fields
                return None
        shown: dict[str, bytes] = {}
        if keys is not None and fields is not None:
            for header in keys.headers:
                value = exchange.block.header(header)
                if value is not None:
                    shown["h:" + header] = value.encode("utf-8")
            if shown:
                exchange.fields = fields.sub(b"", exchange.fields)
            if parameters and b"?" in exchange.target_bytes:
                exchange.target_bytes = _without_keys(exchange.target_bytes, parameters, shown)
            if exchange.shown:  # asked again, and the query is stripped already
                shown = exchange.shown
        verdict = authenticator.judge(bearer, shown)
        if isinstance(verdict, Identity):
            exchange.caller = verdict
            if verdict.fields:
                exchange.fields += verdict.fields
            return None
        if verdict.denial is Denial.PENDING and bearer is not None:
            if exchange.waits_at is not ask and authenticator.answer_wanted(bearer, exchange.proceed):
                exchange.waits_at = ask
                exchange.shown = shown
                return WAIT
            if verdict.by not in asked_about and authenticator.has_keys(bearer):
                verdict = Denied(Denial.INVALID, verdict.reason, verdict.by)
        return words.refusal(verdict, bearer is not None)

    return ask


class _Words:
    """How one route says no."""

    def __init__(self, authenticator: Authenticator, demand: Authentication) -> None:
        schemes = [
            *(jwt.iri for jwt in demand.jwt),
            *(asked.iri for asked in demand.introspections),
            *(key.iri for key in demand.api_keys),
        ]
        self._by = schemes[0] if len(schemes) == 1 else demand.stated_by
        """Who refuses where no one scheme does: the only one there is, else who demands them."""
        self._tokens = authenticator.takes_tokens
        self._keys = authenticator.keys is not None

    def refusal(self, denied: Denied, bearer: bool) -> Refusal:
        """The answer to a caller who is not let in; `bearer`: a token was shown."""
        denial = denied.denial
        if denial is Denial.PENDING:
            return Refusal(
                503,
                "authentication-unavailable",
                "who is calling cannot be checked at the moment",
                b"Retry-After: 5\r\n",
                denied.by or self._by,
                failure=True,
                reason=denied.reason,
            )
        if denial is Denial.SCOPE:
            scope = " ".join(denied.scopes)
            challenge = self._challenge(f', error="insufficient_scope", scope="{scope}"')
            return self._said(403, "insufficient-scope", f"this takes the scope {scope}", challenge, denied)
        if denial is Denial.CLAIM:
            challenge = self._challenge(', error="insufficient_scope"')
            return self._said(403, "forbidden", "this caller may not do that", challenge, denied)
        if denial is Denial.ABSENT:
            return self._said(401, "authentication-required", self._demand(), self._challenge(""), denied)
        over = denial is Denial.EXPIRED
        detail = "what was shown is over" if over else "what was shown is not accepted here"
        error = ""
        if bearer:
            error = f', error="invalid_token", error_description="the token is {"over" if over else "not accepted"}"'
        return self._said(401, "invalid-credentials", detail, self._challenge(error), denied)

    def _said(self, status: int, problem: str, detail: str, challenge: bytes, denied: Denied) -> Refusal:
        return Refusal(status, problem, detail, challenge, denied.by or self._by, reason=denied.reason)

    def _demand(self) -> str:
        if self._tokens and self._keys:
            return "this takes a token or a key"
        if self._tokens or self._keys:
            return "this takes a token" if self._tokens else "this takes a key"
        return "nobody is let in here"

    def _challenge(self, error: str) -> bytes:
        """RFC 9110 §11.6.1, RFC 6750 §3."""
        lines = []
        if self._tokens or not self._keys:
            lines.append(f"WWW-Authenticate: Bearer {_REALM}{error}\r\n")
        if self._keys:
            lines.append(f"WWW-Authenticate: ApiKey {_REALM}\r\n")
        return "".join(lines).encode("ascii")


def _key_fields(keys: ApiKeys) -> re.Pattern[bytes]:
    """The lines that keys are shown in, whether - or _ is written: what a backend must not be told."""
    names = b"|".join(
        re.escape(name.encode("ascii")).replace(rb"\-", b"-").replace(b"-", b"[-_]") for name in keys.headers
    )
    return re.compile(rb"(?im)^(?:" + names + rb")[ \t]*:[^\r\n]*\r\n")


def _without_keys(target: bytes, parameters: frozenset[bytes], shown: dict[str, bytes]) -> bytes:
    """`target` without the parameters that keys are shown in; those are put into `shown`. What stays, stays as it was
    written, byte for byte."""
    path, _, query = target.partition(b"?")
    kept = []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        name = unquote_to_bytes(name.replace(b"+", b" "))
        if name in parameters:
            shown.setdefault(f"q:{name.decode('ascii')}", unquote_to_bytes(value.replace(b"+", b" ")))
        else:
            kept.append(part)
    return b"%b?%b" % (path, b"&".join(kept)) if kept else path
