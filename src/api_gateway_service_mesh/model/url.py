"""URLs that people write, taken apart."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from api_gateway_service_mesh.errors import ClientError

__all__ = ["url_parts"]


def url_parts(text: str, remedy: str | None = None) -> SplitResult:
    """The parts of a URL; its ``hostname`` and ``port`` can be read.

    Raises:
        ClientError: its host or its port is none.
    """
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise ClientError(f"{text[:200]!r} is no URL: {error}", remedy=remedy) from None
    return parts
