"""Objects of Kubernetes, listed and then watched, of whatever kind ("API Concepts: Efficient detection of changes").

A list in pages, then a watch from its resourceVersion with bookmarks; where the server has forgotten that version (410)
the list is fetched anew. A watch ends after its time and is begun again where it ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import aiohttp

from api_gateway_service_mesh.model import Registry

from .asking import NONSENSE, excerpt, limited, quoted, secured, token
from .source import SourceError

__all__ = ["WAIT_SECONDS", "KubernetesWatch", "kubernetes_session"]

WAIT_SECONDS = 30
_GRACE_SECONDS = 10.0
_BETWEEN_SECONDS = 0.1
_PAGE = 500
_MOST_PAGES = 200
_MOST_EVENT_BYTES = 8 * 1024 * 1024
"""etcd holds no object of more than 1.5 MiB."""

_T = TypeVar("_T")


class _Gone(Exception):
    """The server does not remember the version asked for."""


async def kubernetes_session(registry: Registry, wait: float) -> aiohttp.ClientSession:
    """What `registry` is asked with, by questions that wait for `wait` seconds.

    Raises:
        SourceError: its authorities cannot be read.
    """
    timeout = aiohttp.ClientTimeout(total=wait + _GRACE_SECONDS, connect=_GRACE_SECONDS)
    connector = aiohttp.TCPConnector(ssl=await secured(registry))
    return aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=2**18)


class KubernetesWatch(Generic[_T]):
    """The objects of one list, by namespace and name, as `read` makes something of each.

    Args:
        url: of the list.
        query: what else is asked, such as a label selector.
        wait: how long a watch lasts, in seconds.
    """

    def __init__(
        self, registry: Registry, url: str, read: Callable[[dict[str, Any]], _T], *, query: Mapping[str, str], wait: int
    ) -> None:
        self.objects: dict[tuple[str, str], _T] = {}
        self.version = ""
        self._registry = registry
        self._url = url
        self._read = read
        self._query = query
        self._wait = wait
        api, _, self._kind = url.rpartition("/")
        self._api = api.partition("/apis/")[2].partition("/namespaces/")[0] or "v1"

    async def changes(self, session: aiohttp.ClientSession) -> AsyncGenerator[None]:
        """Something each time when something may have changed, and whenever the server has answered.

        Raises:
            SourceError, OSError, TimeoutError: Kubernetes does not answer, or refuses.
        """
        loop = asyncio.get_running_loop()
        forgotten = 0
        while True:
            try:
                await self._list(session)
                yield
                while True:
                    began = loop.time()
                    async with aclosing(self._events(session)) as events:
                        async for _ in events:
                            forgotten = 0
                            yield
                            # What comes meanwhile is taken in together.
                            await asyncio.sleep(_BETWEEN_SECONDS)
                    yield
                    await asyncio.sleep(max(0.0, _BETWEEN_SECONDS - (loop.time() - began)))
            except _Gone as gone:
                forgotten += 1
                if forgotten > 1:
                    raise SourceError("Kubernetes forgets at once what it has listed") from gone

    def _headers(self) -> dict[str, str]:
        known = token(self._registry)
        headers = {"Accept": "application/json"}
        return headers if known is None else {**headers, "Authorization": f"Bearer {known}"}

    async def _list(self, session: aiohttp.ClientSession) -> None:
        found: dict[tuple[str, str], _T] = {}
        further = ""
        for _ in range(_MOST_PAGES):
            query = {**self._query, "limit": str(_PAGE), **({"continue": further} if further else {})}
            try:
                async with session.get(
                    self._url, params=query, headers=self._headers(), allow_redirects=False
                ) as answer:
                    if answer.status != 200:
                        raise await self._refusal(answer)
                    body = await limited(answer)
                page, version, further = await asyncio.to_thread(self._read_list, body)
            except aiohttp.ClientError as error:
                raise self._failure(error) from error
            except NONSENSE as error:
                raise self._nonsense(error) from error
            found.update(page)
            if not further:
                self.objects, self.version = found, version
                return
        raise SourceError(f"the list of Kubernetes does not end within {_MOST_PAGES} pages")

    def _read_list(self, body: bytes) -> tuple[dict[tuple[str, str], _T], str, str]:
        told = json.loads(body)
        page = {_key(one): self._read(one) for one in told["items"] or ()}
        return page, str(told["metadata"]["resourceVersion"]), str(told["metadata"].get("continue") or "")

    async def _events(self, session: aiohttp.ClientSession) -> AsyncGenerator[None]:
        """One watch: something each time when something has changed; it ends when the watch does."""
        query = {**self._query, "watch": "1", "resourceVersion": self.version, "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(self._wait)
        try:
            async with session.get(self._url, params=query, headers=self._headers(), allow_redirects=False) as answer:
                if answer.status != 200:
                    raise await self._refusal(answer)
                rest = bytearray()
                async for part in answer.content.iter_any():
                    begun, newline, after = part.rpartition(b"\n")
                    lines = bytes(rest + begun).split(b"\n") if newline else []
                    if newline:
                        rest.clear()
                    rest += after
                    if len(rest) > _MOST_EVENT_BYTES:
                        raise SourceError(f"an event is longer than {_MOST_EVENT_BYTES} bytes")
                    if sum([self._take(line) for line in lines if line.strip()]):
                        yield
                if rest.strip():
                    raise ValueError("an event is cut off")  # or it was no event at all
        except aiohttp.ClientError as error:
            raise self._failure(error) from error
        except NONSENSE as error:
            raise self._nonsense(error) from error

    def _take(self, line: bytes) -> bool:
        """Take in an event; whether it may have changed anything."""
        event = json.loads(line)
        kind, what = event["type"], event["object"]
        if kind == "ERROR":
            raise self._error(int(what.get("code") or 500), str(what.get("message") or what.get("reason") or ""))
        self.version = str(what["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            return False
        if kind == "DELETED":
            self.objects.pop(_key(what), None)
        else:
            self.objects[_key(what)] = self._read(what)
        return True

    async def _refusal(self, answer: aiohttp.ClientResponse) -> Exception:
        return self._error(answer.status, await excerpt(answer))

    def _error(self, status: int, said: str) -> Exception:
        """What an answer that is none says, in words that repeat no token."""
        if status == 410:
            return _Gone()
        hints = {
            401: " (whoever asks is not known to it)",
            403: f" (whoever asks may not list and watch {self._kind} in this namespace)",
            404: f" (it knows no {self._api} at this address)",
        }
        hint = hints.get(status, "")
        return SourceError(f"Kubernetes answers {status}{hint}{quoted(self._registry, said[:500])}")

    def _failure(self, error: aiohttp.ClientError) -> SourceError:
        known = isinstance(error, aiohttp.ClientConnectorError)
        what = f": {error}" if known else quoted(self._registry, error)
        return SourceError(f"{type(error).__name__}{what}")

    def _nonsense(self, error: Exception) -> SourceError:
        return SourceError(f"this is no answer of Kubernetes: {type(error).__name__}{quoted(self._registry, error)}")


def _key(told: dict[str, Any]) -> tuple[str, str]:
    return str(told["metadata"].get("namespace") or ""), str(told["metadata"]["name"])
