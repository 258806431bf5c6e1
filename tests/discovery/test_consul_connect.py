"""Certificates of a real Consul's mesh: handed out, and anew when the mesh has another authority."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api_gateway_service_mesh.discovery import consul_connect
from api_gateway_service_mesh.discovery.consul_connect import leaf_certificates
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Registry, RegistryType
from api_gateway_service_mesh.security.facts import certificate_facts
from tests.support.consul_agent import Agent, consul_agent, needs_consul

from .faulty import registry

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with consul_agent(tmp_path_factory.mktemp("consul")) as running:
        yield running


def consul(url: str, **more: Any) -> Registry:
    return Registry("urn:x:consul", RegistryType.CONSUL, url, **more)


def new_authority(agent: Agent) -> None:
    """Give the mesh another authority."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    wanted = {"Provider": "consul", "Config": {"PrivateKey": key.decode(), "RootCert": "", "LeafCertTTL": "72h"}}
    status, said = agent.ask("/v1/connect/ca/configuration", json.dumps(wanted))
    assert status == 200, said


@needs_consul
async def test_a_service_has_a_certificate_and_another_when_the_authority_changes(agent: Agent) -> None:
    async with aclosing(leaf_certificates(consul(agent.url), "edge")) as pairs:  # type: ignore[type-var]
        async with asyncio.timeout(60):
            first = await anext(pairs)
        (leaf, *_) = x509.load_pem_x509_certificates(first.chain)
        (root,) = x509.load_pem_x509_certificates(first.bundle or b"")
        leaf.verify_directly_issued_by(root)
        assert (certificate_facts(leaf).identity or "").endswith("/svc/edge")
        new_authority(agent)
        async with asyncio.timeout(120):
            while True:
                now = await anext(pairs)
                roots = x509.load_pem_x509_certificates(now.bundle or b"")
                assert root in roots, "the old authority is still trusted"
                if now.chain != first.chain:
                    break
        assert len(roots) == 2
        assert now.key != first.key


async def _status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=403, text="Permission denied")


async def _nonsense(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"Roots": 5, "PrivateKeyPEM": "hush"}', headers={"X-Consul-Index": "1"})


async def _nobody(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"Roots": [], "CertPEM": "", "PrivateKeyPEM": "hush"}', headers={"X-Consul-Index": "1"})


@pytest.mark.parametrize(
    ("wrong", "said"), [(_status, "answers 403"), (_nonsense, "(Type|Key)Error"), (_nobody, "ValueErr")]
)
async def test_what_is_no_certificate_is_said_without_a_word_of_it(
    wrong: Callable[[web.Request], Awaitable[web.StreamResponse]], said: str
) -> None:
    async with registry() as told:
        told.instead = wrong
        with pytest.raises(AgwError, match=said) as refused:
            await anext(leaf_certificates(consul(told.url), "edge"))
        assert "hush" not in refused.value.message


async def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consul_connect, "_GRACE_SECONDS", 1.0)
    with pytest.raises(AgwError, match=r"127\.0\.0\.1:1"):
        await anext(leaf_certificates(consul("http://127.0.0.1:1"), "edge"))
    with pytest.raises(AgwError, match="NO_SUCH_TOKEN"):
        await anext(leaf_certificates(consul("http://127.0.0.1:1", token_ref="env:NO_SUCH_TOKEN"), "edge"))
