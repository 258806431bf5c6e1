"""A real OpenID provider (.ci/servers/oidc-provider) for one test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "NEEDS_PROVIDER", "Provider", "free_port", "openid_provider"]

CLIENT_ID, CLIENT_SECRET = "gateway", "a client's secret: +/&="
NEEDS_PROVIDER = pytest.mark.skipif(
    shutil.which("oidc-provider") is None, reason="there is no oidc-provider (.ci/servers/oidc-provider)"
)


@dataclass
class Provider:
    """A provider that serves. Everybody may be logged in by name."""

    issuer: str

    async def token(self, scope: str = "orders:read") -> str:
        """An access token of the client's own."""
        async with aiohttp.ClientSession() as session:
            form = {"grant_type": "client_credentials", "scope": scope}
            form |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            async with session.post(f"{self.issuer}/token", data=form) as answer:
                return str((await answer.json())["access_token"])

    async def revoke(self, token: str) -> None:
        """Take a token back."""
        async with aiohttp.ClientSession() as session:
            form = {"token": token, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            async with session.post(f"{self.issuer}/token/revocation", data=form) as answer:
                assert answer.status == 200


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def openid_provider(
    folder: Path, *redirects: str, way: str = "client_secret_post", logouts: tuple[str, ...] = (), **more: Any
) -> AsyncIterator[Provider]:
    """A provider on a port of its own, that knows one client, which may send people to `redirects`."""
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "token_endpoint_auth_method": way,
        "redirect_uris": list(redirects) or ["http://127.0.0.1:9/callback"],
        "post_logout_redirect_uris": list(logouts),
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types": ["code"],
        "scope": "openid offline_access email profile orders:read orders:write",
    }
    settings = {"port": port, "clients": [client], **more}
    (folder / "provider.json").write_text(json.dumps(settings))
    program = shutil.which("oidc-provider")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        str(folder / "provider.json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while True:
                line = await process.stdout.readline()
                assert line, "the provider did not start"
                if line.startswith(b"ready"):
                    break
        yield Provider(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        await process.wait()
