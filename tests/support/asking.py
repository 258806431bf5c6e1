"""One request to a gateway on real sockets, and the plain mesh that most tests of a gate want."""

from __future__ import annotations

from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import read_events

from .backend import Backend, Received, read_answer
from .gateway import Running, endpoint, mesh_of, route, upstream

__all__ = ["ask", "deeds", "one_route"]


async def ask(gateway: Running, path: str = "/", fields: str = "", *, method: str = "GET", body: str = "") -> Received:
    """The answer to one request, on a connection of its own."""
    reader, writer = await gateway.connect()
    framing = f"Content-Length: {len(body)}\r\n" if body else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{framing}{fields}\r\n{body}".encode())
    got = await read_answer(reader, head_only=method == "HEAD")
    writer.close()
    return got


def one_route(behind: Backend, path: str = "", **more: object) -> Mesh:
    """A route over `behind`, with what the test wants of it."""
    return mesh_of(route(path, **more), upstream(endpoint(behind.port)), access_log=True)  # type: ignore[arg-type]


def deeds(gateway: Running, iri: str) -> tuple[int, ...]:
    """What a policy counted."""
    return read_events(gateway.store.view, gateway.layout.slots["event", iri], 1)
