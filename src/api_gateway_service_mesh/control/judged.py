"""What a route's rules say of a request, beside where it goes: each rule's verdict, and what comes of them.

``agw explain --as NAME=VALUE`` tells who is calling. Nothing of that is proved here: it says what would be, if it were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.model import Caller, Route, RuleAction
from api_gateway_service_mesh.policies.authorization import NOBODY, AccessRequest, Authorizer, RuleVerdict
from api_gateway_service_mesh.routing import ExplainRequest, Explanation, Part

__all__ = ["asked_by", "forbidden", "judged"]

_HOW = (
    "write issuer=…, sub=…, scope=…, claim:NAME=VALUE, key-owner=…, spiffe-id=…, dns=…, address=… (the client's), or "
    "at=… (a moment such as 2026-03-01T09:00Z)"
)


def asked_by(request: ExplainRequest, stated: Iterable[str]) -> ExplainRequest:
    """`request` with what is `stated` of the caller, as ``NAME=VALUE`` each.

    Raises:
        ClientError: a name is none of those known, or a value is none for it.
    """
    claims: dict[str, Any] = {}
    scopes: list[str] = []
    names: list[str] = []
    plain: dict[str, str] = {}
    told = False
    for text in stated:
        told = True
        name, equals, value = text.partition("=")
        if not equals:
            raise ClientError(f"{text[:100]!r} says nothing of a caller", remedy=_HOW)
        if name.startswith("claim:"):
            _put(claims, name[6:], value)
        elif name == "scope":
            scopes += value.split()
        elif name in ("dns", "uri", "ip", "email"):
            names.append(f"{name}:{value}")
        elif name in ("issuer", "sub", "key-owner", "spiffe-id", "address", "at"):
            plain[name] = value
        else:
            raise ClientError(f"{name[:100]!r} is nothing that a caller has", remedy=_HOW)
    if not told:
        return request
    subject = plain.get("sub", "")
    if subject:
        claims.setdefault("sub", subject)
    caller = Caller(
        plain.get("issuer", ""),
        subject,
        claims,
        frozenset(scopes),
        "",
        plain.get("key-owner", ""),
        plain.get("spiffe-id", ""),
        tuple(names),
    )
    return replace(request, caller=caller, address=plain.get("address", ""), at=_moment(plain.get("at")))


def _put(claims: dict[str, Any], name: str, text: str) -> None:
    """A claim, also by its path; a value that is JSON is what it says, anything else a text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    *above, last = name[1:].split("/") if name.startswith("/") else [name]
    place = claims
    for step in above:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise ClientError(f"the claim {name!r} is below one that is no object")
    place[last] = value


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ClientError(f"{text[:100]!r} is no moment", remedy="write it as 2026-03-01T09:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def forbidden(route: Route, request: ExplainRequest, caller: Caller) -> tuple[int, str] | None:
    """The status and kind of the refusal that the rules of `route` come to; None where they let `caller` through."""
    if route.authorization is None:
        return None
    authorizer = Authorizer(route.authorization)
    if authorizer.missing_scopes(caller):
        return 403, "insufficient-scope"
    now = datetime.now(UTC).timestamp() if request.at is None else request.at
    access = AccessRequest(caller, request.method, request.path, request.address, now)
    return None if authorizer.decide(access).allowed else (403, "access-denied")


def judged(found: Explanation) -> Explanation:
    """`found` with the verdicts of the winner's rules, where the request tells who is calling."""
    request, winner = found.request, found.winner
    if winner is None or request.caller is None or winner.route.authorization is None:
        return found
    config = winner.route.authorization
    authorizer = Authorizer(config)
    caller = request.caller or NOBODY
    now = datetime.now(UTC).timestamp() if request.at is None else request.at
    access = AccessRequest(caller, request.method, request.path, request.address, now)
    said = [Part("verdict", verdict.rule.iri, _said(verdict)) for verdict in authorizer.verdicts(access)]
    missing = authorizer.missing_scopes(caller)
    verdict = authorizer.decide(access)
    audited = (
        f"; {', '.join(rule or policy for policy, rule in verdict.audited)} would deny it" if verdict.audited else ""
    )
    if missing:
        said.append(Part("verdict", config.stated_by, f"403: lacks the scope {' '.join(missing)}"))
    elif verdict.allowed:
        by = f" by {verdict.decided_by}" if verdict.decided_by else ""
        said.append(Part("verdict", verdict.decided_by or winner.route.iri, f"allowed{by}{audited}"))
    else:
        by = verdict.decided_by or "the gateway's default"
        how = "denied by" if verdict.rule else "allowed by no rule:"
        said.append(Part("verdict", verdict.decided_by or winner.route.iri, f"403, {how} {by}{audited}"))
    place = max((i for i, part in enumerate(found.parts, 1) if part.name == "authorization"), default=0)
    return replace(found, parts=(*found.parts[:place], *said, *found.parts[place:]))


def _said(verdict: RuleVerdict) -> str:
    verb = "allow" if verdict.rule.action is RuleAction.ALLOW else "deny"
    name = verdict.rule.iri
    return f"{name} holds: {verb}" if verdict.held else f"{name} does not hold: {', '.join(verdict.failed)}"
