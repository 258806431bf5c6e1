"""JWT authentication (``agw:JWTAuthentication``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import JwtAlgorithm, JwtAuthentication
from api_gateway_service_mesh.vocabulary import AGW

from .file import named_file
from .reading import Reading, name_of

__all__ = ["JwtRow", "JwtValueRow", "distinct_headers", "jwt_authentications"]

_MAX_SKEW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class JwtRow:
    """``jwt.rq``."""

    jwt: str
    issuer: str | None
    jwks_uri: str | None
    clock_skew: str | None


@dataclass(frozen=True, slots=True)
class JwtValueRow:
    """``jwt_value.rq``."""

    jwt: str
    property: str
    value: str


def jwt_authentications(
    rows: Iterable[JwtRow], values: Iterable[JwtValueRow], used: frozenset[str], reading: Reading
) -> dict[str, JwtAuthentication]:
    """JWT authentications by IRI. What misses something is told of when it is among `used`, and accepts no token."""
    stated: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        stated[value.jwt][value.property].append(value.value)
    found: dict[str, JwtAuthentication] = {}
    for row in rows:
        if row.jwt not in found:
            found[row.jwt] = _jwt(row, stated[row.jwt], row.jwt in used, reading)
    return found


def _jwt(row: JwtRow, stated: Mapping[str, list[str]], used: bool, reading: Reading) -> JwtAuthentication:
    iri, defaults = row.jwt, JwtAuthentication(row.jwt, "", (), "")
    audiences = tuple(sorted(stated.get(AGW.audience, ())))
    if used:
        _demand(iri, AGW.issuer, row.issuer, '"https://id.example.com/"', reading)
        _demand(iri, AGW.audience, audiences, '"shop"', reading)
        _demand(iri, AGW.jwksUri, row.jwks_uri, '"https://id.example.com/.well-known/jwks.json"', reading)
    default = defaults.algorithms[0]
    algorithms = {
        reading.choice(iri, AGW.signingAlgorithm, text, JwtAlgorithm, default)
        for text in stated.get(AGW.signingAlgorithm, ())
    }
    skew = reading.seconds(iri, AGW.clockSkew, row.clock_skew, defaults.clock_skew_seconds)
    if not 0 <= skew <= _MAX_SKEW_SECONDS:
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:clockSkew is {row.clock_skew!r}, which is not between zero and five minutes",
            iri,
            AGW.clockSkew,
            row.clock_skew,
            allowed='"PT0S" to "PT5M"',
        )
    forwarded = tuple(sorted(stated.get(AGW.forwardClaim, ())))
    distinct_headers(iri, forwarded, reading)
    return JwtAuthentication(
        iri,
        row.issuer or "",
        audiences,
        _keys(iri, row.jwks_uri, reading),
        tuple(sorted(algorithms)) or defaults.algorithms,
        skew,
        tuple(sorted(stated.get(AGW.requiredScope, ()))),
        tuple(sorted(stated.get(AGW.requiredClaim, ()))),
        forwarded,
    )


def _demand(iri: str, term: str, value: object, example: str, reading: Reading) -> None:
    if not value:
        name = name_of(term)
        reading.note(
            "incomplete-authentication",
            f"{name_of(iri)} states no agw:{name}: tokens could not be told from others",
            iri,
            term,
            remedy=f"add agw:{name} {example}",
        )


def _keys(iri: str, uri: str | None, reading: Reading) -> str:
    if uri is None:
        return ""
    kind, _, rest = uri.partition(":")
    if kind == "file":
        hint = "; it holds a JSON Web Key Set (RFC 7517)"
        return f"file:{named_file(iri, AGW.jwksUri, rest, reading, code='jwks-file', stated=uri, hint=hint)}"
    return uri


def distinct_headers(iri: str, claims: tuple[str, ...], reading: Reading) -> None:
    """Tell of claims that would be forwarded under one name."""
    seen: dict[str, str] = {}
    for claim in claims:
        header = JwtAuthentication.claim_header(claim)
        other = seen.setdefault(header.lower(), claim)
        if other != claim:
            reading.note(
                "same-claim-header",
                f"{name_of(iri)}: the claims {other!r} and {claim!r} would both be forwarded as {header}",
                iri,
                AGW.forwardClaim,
                claim,
                remedy="forward one of them",
            )
