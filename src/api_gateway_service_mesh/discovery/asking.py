"""What registries asked over HTTP have in common: where they are, and an answer of bounded length."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode

import aiohttp

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Registry
from api_gateway_service_mesh.security.secret import read_secret

from .source import SourceError

__all__ = ["MOST_BYTES", "NONSENSE", "base_url", "basic_or_bearer", "excerpt", "limited", "quoted", "secured", "token"]

NONSENSE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError, RecursionError)
"""What reading an answer raises that has another shape than it should, or numbers that are none (``1e999``)."""
MOST_BYTES = 64 * 1024 * 1024
"""The longest answer that is read, unpacked."""
_EXCERPT = 200


def base_url(registry: Registry, scheme: str = "http") -> str:
    """Where `registry` is asked, without a slash at the end."""
    address = (registry.address or "").rstrip("/")
    return address if "://" in address else f"{scheme}://{address}"


def token(registry: Registry) -> str | None:
    """The token for `registry`, read anew.

    Raises:
        SourceError: it cannot be read.
    """
    if registry.token_ref is None:
        return None
    try:
        return read_secret(registry.token_ref)
    except AgwError as error:
        raise SourceError(error.message) from error


def basic_or_bearer(registry: Registry) -> dict[str, str]:
    """The Authorization field for `registry`, if any: Basic where the token is ``user:password``, else Bearer.

    Raises:
        SourceError: the token cannot be read.
    """
    known = token(registry)
    if known is None:
        return {}
    return {"Authorization": f"Basic {b64encode(known.encode()).decode()}" if ":" in known else f"Bearer {known}"}


async def secured(registry: Registry) -> ssl.SSLContext | bool:
    """How aiohttp verifies who answers: by the authorities of `registry`'s file, read anew, or by the system's.

    Raises:
        SourceError: the file cannot be read.
    """
    if registry.trust_file is None:
        return True
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=registry.trust_file)
    except OSError as error:  # ssl.SSLError is one
        raise SourceError(f"the authorities in {registry.trust_file} cannot be read: {error}") from error


async def limited(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body.

    Raises:
        SourceError: it is longer than `MOST_BYTES`.
    """
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MOST_BYTES:
            raise SourceError(f"the answer is longer than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


async def excerpt(answer: aiohttp.ClientResponse) -> str:
    """How a refusal begins."""
    return (await answer.content.read(_EXCERPT)).decode("utf-8", "replace").strip()


def quoted(registry: Registry, what: object) -> str:
    """What came back from `registry`, for people; nothing where a token was sent, which it could repeat."""
    return f": {what}" if registry.token_ref is None else ""
