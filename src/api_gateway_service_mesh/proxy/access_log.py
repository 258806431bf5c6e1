"""The access log's line: one JSON object a request. The query is left out: it is where tokens and names end up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answering import Answering

__all__ = ["access_line"]


def access_line(exchange: Answering, seconds: float) -> str:
    """The line of a finished exchange, without line end."""
    handler = exchange.handler
    authority = exchange.authority or exchange.block.authority
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": exchange.request_id.decode("ascii"),
            "client": exchange.client,
            "method": exchange.method,
            "host": authority.decode("ascii") if authority else None,
            "path": exchange.target_bytes.partition(b"?")[0].decode("ascii"),
            "status": exchange.status,
            "bytes_in": exchange.bytes_in,
            "bytes_out": exchange.bytes_out,
            "duration_ms": round(seconds * 1000, 3),
            "route": handler.route.iri if handler is not None else None,
            "upstream": exchange.pool.endpoint.iri if exchange.pool is not None else None,
            "endpoint": exchange.pool.authority if exchange.pool is not None else None,
            "attempts": exchange.attempt,
            "refused_by": exchange.refused_by,
            "reason": exchange.reason,
            "caller": exchange.caller.authentication if exchange.caller is not None else None,
            "revision": exchange.generation.revision,
        },
        separators=(",", ":"),
    )
