"""The access log's line: one JSON object a request. The query is left out: it is where tokens and names end up.

Written piece by piece, because a general serialiser takes longer than a request's way through the rest of agw: texts of
the configuration are quoted once and remembered, texts of the request are quoted each time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answering import Answering

__all__ = ["access_line"]


@lru_cache(maxsize=4096)
def _known(text: str | None) -> str:
    """The JSON of a text that is one of few."""
    return "null" if text is None else quoted(text)


def access_line(exchange: Answering, seconds: float) -> str:
    """The line of a finished exchange, without line end. `seconds`: how long it took."""
    handler, pool, caller = exchange.handler, exchange.pool, exchange.caller
    authority = exchange.authority or exchange.block.marks.authority
    return (
        f'{{"time":"{datetime.now(UTC).isoformat(timespec="milliseconds")}"'
        f',"request_id":{quoted(exchange.request_id.decode("ascii"))}'
        f',"client":{quoted(exchange.client)},"method":"{exchange.method}"'
        f',"host":{quoted(authority.decode("ascii")) if authority else "null"}'
        f',"path":{quoted(exchange.target_bytes.partition(b"?")[0].decode("ascii"))}'
        f',"status":{exchange.status},"bytes_in":{exchange.bytes_in},"bytes_out":{exchange.bytes_out}'
        f',"duration_ms":{seconds * 1000:.3f}'
        f',"route":{_known(handler.route.iri) if handler is not None else "null"}'
        f',"upstream":{_known(pool.endpoint.iri) if pool is not None else "null"}'
        f',"endpoint":{_known(pool.authority) if pool is not None else "null"}'
        f',"attempts":{exchange.attempt},"refused_by":{_known(exchange.refused_by)}'
        f',"reason":{quoted(exchange.reason) if exchange.reason is not None else "null"}'
        f',"caller":{_known(caller.authentication) if caller is not None else "null"}'
        f',"revision":{_known(exchange.generation.revision)}}}'
    )
