"""Certificates of Consul's service mesh (Connect): the gateway's own, and the authorities that the others' come from.

The agent makes the key, has the certificate signed, and makes another before it ends, or when the mesh has a new
authority; both are followed by blocking queries, so a change is known at once. While authorities change, the old and
the new ones are trusted. Sources: Consul's "Connect - Agent HTTP API" (Service Leaf Certificate, CA Roots).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import aiohttp

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Registry
from api_gateway_service_mesh.security.issued import IssuedPair

from .asking import NONSENSE, base_url, excerpt, limited, quoted, secured, token
from .source import SourceError

__all__ = ["leaf_certificates"]

_WAIT_SECONDS = 60
_GRACE_SECONDS = 10.0
_BETWEEN_SECONDS = 0.5
_ROOTS_PATH = "/v1/agent/connect/ca/roots"


async def leaf_certificates(registry: Registry, service: str) -> AsyncIterator[IssuedPair]:
    """What Consul's agent hands out to `service`, now and whenever that or the authorities change.

    Raises:
        AgwError: there is no agent, it refuses, or its answer cannot be read.
    """
    followed = _Followed(registry)
    leaf_path = f"/v1/agent/connect/ca/leaf/{quote(service, safe='')}"
    try:
        timeout = aiohttp.ClientTimeout(total=_WAIT_SECONDS * 17 / 16 + _GRACE_SECONDS, connect=_GRACE_SECONDS)
        connector = aiohttp.TCPConnector(ssl=await secured(registry))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            async for pair in followed.pairs(session, leaf_path):
                yield pair
    except (SourceError, OSError, TimeoutError, aiohttp.ClientError) as error:
        raise AgwError(str(error) or type(error).__name__) from error


class _Followed:
    """Questions that wait, each with the index of its last answer."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._indexes: dict[str, int] = {}

    async def pairs(self, session: aiohttp.ClientSession, leaf_path: str) -> AsyncIterator[IssuedPair]:
        """The certificate and the authorities, each time that either is another."""
        questions = {_ROOTS_PATH: _roots, leaf_path: _leaf}
        known: dict[str, tuple[bytes, ...]] = {}
        asked: dict[asyncio.Task[tuple[bytes, ...]], str] = {}
        try:
            while True:
                for path in questions.keys() - asked.values():
                    asked[asyncio.create_task(self._ask(session, path, questions[path]))] = path
                done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                before = dict(known)
                for task in done:
                    known[asked.pop(task)] = task.result()
                if known != before and len(known) == len(questions):
                    (roots,), (chain, key) = known[_ROOTS_PATH], known[leaf_path]
                    yield IssuedPair(chain, key, roots)
                await asyncio.sleep(_BETWEEN_SECONDS if before else 0)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _ask(
        self, session: aiohttp.ClientSession, path: str, read: Callable[[Any], tuple[bytes, ...]]
    ) -> tuple[bytes, ...]:
        """What `read` makes of an answer, once it is another than the last, or after `_WAIT_SECONDS`."""
        registry, index = self._registry, self._indexes.get(path, 0)
        known = token(registry)
        headers = {} if known is None else {"X-Consul-Token": known}
        query = {"index": str(index), "wait": f"{_WAIT_SECONDS}s"} if index else {}
        async with session.get(
            base_url(registry) + path, params=query, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise SourceError(f"Consul answers {answer.status}{quoted(registry, await excerpt(answer))}")
            body = await limited(answer)
            try:
                told = int(answer.headers["X-Consul-Index"])
                made = read(json.loads(body))
            except NONSENSE as error:
                # What was read may be a key: no word of it is repeated.
                raise SourceError(f"this is no answer of Consul: {type(error).__name__}") from None
        self._indexes[path] = told if told >= index else 0
        return made


def _roots(told: Any) -> tuple[bytes]:
    """The authorities, as PEM; there is one at least."""
    found = [str(one["RootCert"]).strip() for one in told["Roots"]]
    if not found:
        raise ValueError("no authority")
    return ("".join(f"{one}\n" for one in found).encode(),)


def _leaf(told: Any) -> tuple[bytes, bytes]:
    """Chain and key, as PEM."""
    chain, key = str(told["CertPEM"]).strip() + "\n", str(told["PrivateKeyPEM"]).strip() + "\n"
    return chain.encode(), key.encode()
