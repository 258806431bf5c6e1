"""Talking to authorization servers: what is sent, what is taken, and that nothing is repeated. The servers are real."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from api_gateway_service_mesh.model import OAuthClient
from api_gateway_service_mesh.security.authorization_server import MAX_BYTES, AuthorizationServer, ServerError
from tests.support.tokens import key_server


@pytest.mark.parametrize(
    ("status", "body", "refused", "said"),
    [
        (400, b'{"error": "invalid_grant", "error_description": "the-token"}', True, "it answered 400 (invalid_grant)"),
        (400, b'{"error": "the-token is not good"}', True, "it answered 400"),
        (401, b"the-token", True, "it answered 401"),
        (429, b"{}", False, "it answered 429"),
        (500, b"the-token", False, "it answered 500"),
        (302, b"", False, "it answered 302"),
        (200, b"the-token", False, "its answer is not what it should be: it is not JSON"),
        (200, b" " * (MAX_BYTES + 1), False, f"its answer is larger than {MAX_BYTES} bytes"),
    ],
)
async def test_what_is_no_usable_answer(status: int, body: bytes, refused: bool, said: str) -> None:
    async with key_server() as place:

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=body, headers={"Location": "/elsewhere"})

        place.answers = answer
        server = AuthorizationServer(asyncio.get_running_loop())
        with pytest.raises(ServerError) as caught:
            await server.post(place.url, {"token": "the-token"}, OAuthClient("public"))
        assert str(caught.value) == said and caught.value.refused is refused
        assert place.asked == 1, "redirects are not followed"
        server.close()
        await asyncio.sleep(0.01)


async def test_who_is_not_there_is_told_without_what_was_sent() -> None:
    server = AuthorizationServer(asyncio.get_running_loop())
    with pytest.raises(ServerError, match="it cannot be asked: ClientConnectorError") as caught:
        await server.post("http://127.0.0.1:1/t", {"token": "the-token"}, OAuthClient("public"))
    assert not caught.value.refused and "the-token" not in repr(caught.value)
    server.close()
    await asyncio.sleep(0.01)
