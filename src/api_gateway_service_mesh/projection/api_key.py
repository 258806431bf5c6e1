"""API keys (``agw:ApiKey``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from api_gateway_service_mesh.model import ApiKey
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["ApiKeyRow", "api_keys"]

_HASH = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """``api_key.rq``."""

    api_key: str
    key_hash: str | None
    header: str | None
    query_parameter: str | None
    owner: str | None
    expiry: str | None
    scope: str | None


def api_keys(rows: Iterable[ApiKeyRow], reading: Reading) -> dict[str, ApiKey]:
    """API keys by IRI, each with all its hashes."""
    found: dict[str, ApiKey] = {}
    for row in rows:
        key = found.get(row.api_key)
        if key is None:
            key = _api_key(row, reading)
        hashed = _hash(row, reading)
        if hashed is not None and hashed not in key.hashes:
            key = replace(key, hashes=tuple(sorted((*key.hashes, hashed))))
        if row.scope is not None and row.scope not in key.scopes:
            key = replace(key, scopes=tuple(sorted((*key.scopes, row.scope))))
        found[row.api_key] = key
    return found


def _hash(row: ApiKeyRow, reading: Reading) -> str | None:
    if row.key_hash is None:
        return None
    matched = _HASH.fullmatch(row.key_hash)
    if matched:
        return matched[1].lower()
    # The value is not shown: what stands here may be the key itself.
    reading.note(
        "literal-secret",
        f"{name_of(row.api_key)}: agw:keyHash is not a hash",
        row.api_key,
        AGW.keyHash,
        allowed='"sha256:" and 64 hexadecimal digits',
        remedy="make a key with `agw key new` and state the hash that it prints; if this was a key, replace it: it has "
        "been written down",
    )
    return None


def _api_key(row: ApiKeyRow, reading: Reading) -> ApiKey:
    iri, defaults = row.api_key, ApiKey(row.api_key, ())
    header = (row.header or defaults.header).lower()
    if not _HEADER.fullmatch(header):
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:keyHeader is {row.header!r}, which is no name of a header field",
            iri,
            AGW.keyHeader,
            row.header,
        )
        header = defaults.header
    return ApiKey(iri, (), header, row.query_parameter, row.owner, _expiry(iri, row.expiry, reading))


def _expiry(iri: str, text: str | None, reading: Reading) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:keyExpiry is {text!r}, which is no moment with a time zone",
            iri,
            AGW.keyExpiry,
            text,
            allowed='a moment such as "2027-01-31T00:00:00Z"',
        )
        return 0.0  # never valid: the end that was meant is not known
    return moment.timestamp()
