"""The gateway as the hostile corpora meet it: one route, one backend, and canaries to see whether anything was poisoned."""

from __future__ import annotations

import asyncio
import os

from api_gateway_service_mesh.model import (
    Endpoint,
    Limits,
    Listener,
    Mesh,
    PathKind,
    PathMatch,
    Route,
    RouteMatch,
    Upstream,
)
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.proxy.engine import Engine
from api_gateway_service_mesh.routing import compile_table
from tests.support.strict_backend import read_answer

__all__ = ["MUTATIONS", "SEED", "Gateway"]

MUTATIONS = int(os.environ.get("AGW_HOSTILE_MUTATIONS", "2000"))
SEED = int(os.environ.get("AGW_HOSTILE_SEED", "20260"))
LIMITS = Limits(header_timeout_seconds=5.0)


class Gateway:
    """An engine in front of one backend, every path leading there."""

    def __init__(self, backend_port: int) -> None:
        endpoint = Endpoint("urn:test:endpoint", "127.0.0.1", backend_port)
        upstream = Upstream("urn:test:upstream", "backend", (endpoint,))
        route = Route("urn:test:route", "all", RouteMatch(PathMatch(PathKind.PREFIX, "")), upstream=upstream.iri)
        self._mesh = Mesh("urn:test:gateway", "test", (route,), (upstream,))
        self._cells = CellStore.local(65536)
        self.engine = Engine(cells=self._cells)
        self.port = 0
        self._canaries = 0

    async def start(self) -> None:
        slots = layout_for(self._mesh, CellLayout(self._cells), 1)
        self.engine.install(self._mesh, compile_table(self._mesh), slots, "1")
        self.port = await self.engine.listen(Listener("urn:test:listener", 0, "127.0.0.1", limits=LIMITS))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def canary(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None) -> str | None:
        """What is wrong with a plain request's answer, on `connection` or a new one; None when all is well."""
        self._canaries += 1
        target = f"/canary/{self._canaries}"
        reader, writer = connection or await self.connect()
        try:
            writer.write(f"GET {target} HTTP/1.1\r\nHost: canary.example\r\n\r\n".encode())
            async with asyncio.timeout(10):
                answer = await read_answer(reader)
        except (TimeoutError, ValueError, OSError) as fault:
            return f"canary {type(fault).__name__}: {fault}"
        finally:
            if connection is None:
                writer.close()
        expected = f"GET {target} 0".encode()
        return None if answer is not None and answer.body == expected else f"canary got {answer}"
