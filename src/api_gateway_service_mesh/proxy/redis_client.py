"""The client library for Redis, set up as an ``agw:RedisStore`` says: no retries of its own, as nobody would wait."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.model import RedisStore
from api_gateway_service_mesh.security.secret import read_secret

__all__ = ["CONNECT_SECONDS", "client_of"]

CONNECT_SECONDS = 1.0
CONNECTIONS = 12
"""Connections to a server at most: the batches that may be under way, and some."""


def client_of(config: RedisStore) -> Any:
    """A client that has not connected yet. (``redis.asyncio.Redis``; what all clients have is used alone.)

    Raises:
        AgwError: the password cannot be read.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    secured: dict[str, Any] = {}
    if config.tls:
        secured = {"ssl": True, "ssl_ca_certs": config.trust_bundle_file, "ssl_check_hostname": True}
    return Redis(
        host=config.host,
        port=config.port,
        db=config.database,
        username=config.user_name,
        password=read_secret(config.password_ref) if config.password_ref is not None else None,
        socket_connect_timeout=CONNECT_SECONDS,
        max_connections=CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
        **secured,
    )
