"""Redis servers in which gateways count together (``agw:RedisStore``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from api_gateway_service_mesh.model import RedisStore
from api_gateway_service_mesh.vocabulary import AGW, RDF

from .file import named_file
from .reading import Reading, name_of
from .secret import secret_reference

__all__ = ["RedisRow", "redis_stores", "refuse_without_client"]

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?\Z")
_PORT = 6379


@dataclass(frozen=True, slots=True)
class RedisRow:
    """``redis.rq``."""

    store: str
    address: str | None
    database: str | None
    user_name: str | None
    password_ref: str | None
    tls: str | None
    trust_bundle_file: str | None
    timeout: str | None


def redis_stores(rows: Iterable[RedisRow], reading: Reading) -> dict[str, RedisStore]:
    """Servers by IRI, paths absolute. One without a usable address is none."""
    found: dict[str, RedisStore] = {}
    for row in rows:
        iri = row.store
        if iri in found:
            continue
        place = _ADDRESS.match(row.address or "")
        port = int(place["port"] or _PORT) if place else 0
        if place is None or port > 65535:
            if row.address is not None:
                reading.note(
                    "invalid-value",
                    f"{name_of(iri)}: agw:storeAddress is {row.address!r}, which is no host and port",
                    iri,
                    AGW.storeAddress,
                    row.address,
                    allowed='"host:port", the port at most 65535',
                )
            continue
        found[iri] = RedisStore(
            iri,
            place["v6"] or place["name"],
            port,
            reading.integer(iri, AGW.storeDatabase, row.database, 0),
            row.user_name,
            secret_reference(iri, AGW.storePasswordRef, row.password_ref, reading, noun="password"),
            reading.boolean(iri, AGW.storeTls, row.tls),
            None
            if row.trust_bundle_file is None
            else named_file(iri, AGW.storeTrustBundleFile, row.trust_bundle_file, reading, code="certificate-file"),
            reading.seconds(iri, AGW.storeTimeout, row.timeout, 0.1),
        )
    return found


def refuse_without_client(used: Iterable[str], reading: Reading) -> None:
    """What is shared through Redis cannot be served without a client for it."""
    if find_spec("redis") is not None:
        return
    for iri in used:
        reading.note(
            "redis-client-missing",
            f"{name_of(iri)}: agw needs the Python package redis to speak to a Redis server, and it is not installed",
            iri,
            RDF.type,
            AGW.RedisStore,
            remedy="pip install 'api-gateway-service-mesh[redis]', or remove agw:sharedThrough",
        )
