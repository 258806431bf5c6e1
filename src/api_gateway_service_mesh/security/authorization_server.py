"""Talking to authorization servers: forms to one address, JSON back, everything bounded (RFC 6749 §2.3, §3.2).

Rules of this module: addresses are the configuration's or the pinned discovery document's, never a caller's; no
redirects, no proxies from the environment, no cookies, no unpacking; `FETCH_SECONDS` and `MAX_BYTES` are the bounds; no
message repeats what was sent or what came back, because tokens stand in both.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import ClientAuthentication, OAuthClient

from .json_text import read_object
from .secret import read_secret

if TYPE_CHECKING:
    import aiohttp

__all__ = ["FETCH_SECONDS", "AuthorizationServer", "ServerError"]

FETCH_SECONDS = 4.5
"""How long an answer may take, and so how long a request may wait for one."""
MAX_BYTES = 64 * 1024
_ERROR = re.compile(r"[a-z_]{1,40}\Z")


class ServerError(Exception):
    """The server gave no usable answer. The message is for the operator and holds nothing secret.

    ``refused``: it understood, and said no; ``code`` is its error (RFC 6749 §5.2), where it is a plain word.
    """

    def __init__(self, message: str, *, refused: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.refused = refused
        self.code = code


class AuthorizationServer:
    """A client for authorization servers, with the connections of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._session: aiohttp.ClientSession | None = None
        self._closing: asyncio.Task[None] | None = None

    async def post(self, url: str, form: Mapping[str, str], client: OAuthClient) -> dict[str, Any]:
        """Send `form` as `client`; the JSON object that comes back.

        Raises:
            ServerError: nothing usable came back.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        sent = dict(form)
        secret = await _secret(client)
        if secret is None:
            sent["client_id"] = client.client_id
        elif client.authentication is ClientAuthentication.POST:
            sent |= {"client_id": client.client_id, "client_secret": secret}
        else:
            pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode('ascii')}"
        status, document = await self._ask("POST", url, headers, sent)
        if status == 200:
            return document
        error = document.get("error")
        code = error if isinstance(error, str) and _ERROR.match(error) else ""
        said = f"it answered {status}{f' ({code})' if code else ''}"
        raise ServerError(said, refused=400 <= status < 500 and status not in (408, 429), code=code)

    async def get(self, url: str) -> dict[str, Any]:
        """The JSON object at `url`.

        Raises:
            ServerError: there is none.
        """
        status, document = await self._ask("GET", url, {"Accept": "application/json", "Accept-Encoding": "identity"})
        if status != 200:
            raise ServerError(f"it answered {status}")
        return document

    async def _ask(
        self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                async with self._connected().request(
                    method, url, data=form, headers=headers, allow_redirects=False
                ) as answer:
                    if answer.headers.get("Content-Encoding", "identity") != "identity":
                        raise ServerError("it answered in an encoding that was not asked for")
                    body = b""
                    async for piece in answer.content.iter_any():
                        body += piece
                        if len(body) > MAX_BYTES:
                            raise ServerError(f"its answer is larger than {MAX_BYTES} bytes")
                    status = answer.status
        except TimeoutError:
            raise ServerError("it did not answer in time") from None
        except ServerError:
            raise
        except Exception as error:  # whatever a network has in store; its text could repeat what was sent
            raise ServerError(f"it cannot be asked: {type(error).__name__}") from None
        try:
            return status, read_object(body)
        except ValueError as error:
            if status != 200:
                return status, {}
            raise ServerError(f"its answer is not what it should be: {error}") from None

    def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            # No environment proxies, no cookies, no unpacking: the bytes of this address and nothing else.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def close(self) -> None:
        """Close all connections, at the loop's next turn."""
        session, self._session = self._session, None
        if session is not None and not session.closed:
            self._closing = self._loop.create_task(session.close())


async def _secret(client: OAuthClient) -> str | None:
    reference = client.secret_ref
    if reference is None:
        return None
    try:
        if reference.startswith("env:"):
            return read_secret(reference)
        return await asyncio.to_thread(read_secret, reference)
    except AgwError as error:
        raise ServerError(str(error)) from None
