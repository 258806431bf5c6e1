"""What registries asked over HTTP have in common."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import SourceError, asking
from api_gateway_service_mesh.model import Registry, RegistryType

from .faulty import registry


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://a:1/x/", "http://a:1/x"),
        ("a:1", "http://a:1"),
        ("https://a", "https://a"),
        ("[::1]:8500", "http://[::1]:8500"),
    ],
)
def test_where_a_registry_is(address: str, url: str) -> None:
    assert asking.base_url(Registry("urn:x", RegistryType.CONSUL, address)) == url


def test_a_token_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "token"
    where = Registry("urn:x", RegistryType.CONSUL, "a", token_ref=f"file:{file}")
    for text in ("one", "two"):
        file.write_text(text + "\n")
        assert asking.token(where) == text
    file.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        asking.token(where)
    assert asking.token(Registry("urn:x", RegistryType.CONSUL, "a")) is None


async def test_who_answers_is_verified(tmp_path: Path) -> None:
    assert await asking.secured(Registry("urn:x", RegistryType.CONSUL, "a")) is True
    file = tmp_path / "ca.pem"
    for text in (None, "no certificate"):
        if text is not None:
            file.write_text(text)
        with pytest.raises(SourceError, match="cannot be read"):
            await asking.secured(Registry("urn:x", RegistryType.CONSUL, "a", trust_file=str(file)))


async def test_a_body_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    async def long(request: web.Request) -> web.StreamResponse:
        return web.Response(text="x" * 5000)

    async with registry() as told, aiohttp.ClientSession() as session:
        told.instead = long
        async with session.get(told.url) as answer:
            assert await asking.excerpt(answer) == "x" * 200
        async with session.get(told.url) as answer:
            assert len(await asking.limited(answer)) == 5000
        monkeypatch.setattr(asking, "MOST_BYTES", 4999)
        async with session.get(told.url) as answer:
            with pytest.raises(SourceError, match="longer than 4999 bytes"):
                await asking.limited(answer)
