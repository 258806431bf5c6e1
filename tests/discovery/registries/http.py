"""What registries that are asked over HTTP and answer in JSON have in common."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import asking

from .stand_in import Place, StandIn

__all__ = ["WRONG", "HttpStandIn", "each_value_wrong"]

_MOST_BYTES = 4 * 1024 * 1024

#: In the place of whatever value there is. None of them is JSON that no registry could send.
WRONG: tuple[Any, ...] = (
    None, True, -1, float("inf"), "", "\ud800 \n", "x" * 2000, [None], {"a": {"b": []}},
)  # fmt: skip


def each_value_wrong(told: Any) -> Iterator[Any]:
    """Copies of `told`, in each of which one value is one of `WRONG`."""
    for path in _paths(told):
        for wrong in WRONG:
            made = copy.deepcopy(told)
            if not path:
                yield wrong
                continue
            parent = made
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = wrong
            yield made


def _paths(told: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for step, value in steps:
        yield from _paths(value, (*path, step))


class HttpStandIn(StandIn):
    """See the module. Subclasses say what is true."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 1
        self.places: tuple[Place, ...] = ()
        self.fault: str | None = None
        self.mutation: tuple[Any] | None = None
        self._port = 0
        self._gone = False
        self._runner: web.ServerRunner | None = None
        self._stirred = asyncio.Condition()
        self._wrong: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "status": _status,
            "html": _html,
            "elsewhere": _elsewhere,
            "cut": _cut,
            "another shape": _another_shape,
            "nested": _nested,
            "huge": _huge,
            "packed": _packed,
            "no HTTP": _no_http,
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._gone = False
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.0)  # type: ignore[arg-type]
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        async with self._stirred:
            self._gone = True
            self._stirred.notify_all()
        if self._runner is not None:
            for connection in self._runner.server.connections if self._runner.server else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()
            self._runner = None

    async def tell(self, places: Sequence[Place]) -> None:
        async with self._stirred:
            self.version += 1
            self.places = tuple(places)
            self.has(self.version, self.places)
            self._stirred.notify_all()

    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(asking, "MOST_BYTES", _MOST_BYTES)

    def has(self, version: int, places: tuple[Place, ...]) -> None:
        """`places` are what it has as of `version`."""

    @property
    def faults(self) -> Sequence[str]:
        return tuple(self._wrong)

    async def misbehave(self, fault: str | None) -> None:
        async with self._stirred:
            self.fault = fault
            self._stirred.notify_all()

    async def mutated(self, mutation: Any) -> None:
        self.mutation = (mutation,)
        await self.tell(self.places)

    @property
    def troubled(self) -> bool:
        """Whether it is to misbehave, or gone."""
        return self.fault is not None or self._gone

    async def stirred(self, since: int, seconds: float) -> bool:
        """Wait until there is something newer than `since`, or a fault; False when there is none after `seconds`."""
        try:
            async with asyncio.timeout(seconds), self._stirred:
                await self._stirred.wait_for(lambda: self.version > since or self.troubled)
        except TimeoutError:
            return False
        return True

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.questions += 1
        if not self.troubled:
            answer = await self.truth(request)
            if answer is not None:
                return answer
        if self.fault == "silence":
            async with self._stirred:
                await self._stirred.wait_for(lambda: self.fault != "silence" or self._gone)
            return await _cut(request)
        return await self._wrong[self.fault or "status"](request)

    @abstractmethod
    async def truth(self, request: web.Request) -> web.StreamResponse | None:
        """The true answer; None where it is to misbehave by now."""

    def said(self, told: Any, headers: dict[str, str] | None = None) -> web.Response:
        """`told`, or the mutation in its place."""
        text = json.dumps(told if self.mutation is None else self.mutation[0])
        return web.Response(text=text, content_type="application/json", headers=headers)


_HEADERS = {"X-Consul-Index": "1000000"}


async def _status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="no leader")


async def _html(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Please log in</html>", content_type="text/html", headers=_HEADERS)


async def _elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"location": "http://127.0.0.1:1/"})


async def _another_shape(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"a": [1]}', headers=_HEADERS)


async def _nested(request: web.Request) -> web.StreamResponse:
    return web.Response(text="[" * 200_000, headers=_HEADERS)


async def _cut(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-length": "1000", **_HEADERS})
    await answer.prepare(request)
    await answer.write(b"[")
    assert request.transport is not None
    request.transport.abort()
    return answer


async def _huge(request: web.Request) -> web.StreamResponse:
    """Without an end."""
    answer = web.StreamResponse(headers=_HEADERS)
    await answer.prepare(request)
    piece = b'["' + b"a" * 262_144
    while True:
        await answer.write(piece)


async def _packed(request: web.Request) -> web.StreamResponse:
    """Little on the wire, much once it is unpacked."""
    return web.Response(body=_bomb(), headers={**_HEADERS, "Content-Encoding": "gzip"})


async def _no_http(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"\x15\x03\x01\x00\x02\x02\x46" * 8)
    request.transport.close()
    raise asyncio.CancelledError


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * (4 * _MOST_BYTES), 9)
