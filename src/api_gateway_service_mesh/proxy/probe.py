"""One probe of one endpoint: HTTP, TCP or gRPC; says None when the endpoint is well, else what is wrong.

- HTTP: a plain GET on a connection of its own: no redirect followed, no cookie kept, no body read. One of the expected
  statuses in time is a success.
- TCP: a connection (with TLS: and its handshake) in time is.
- gRPC: ``grpc.health.v1.Health/Check`` answers SERVING (gRPC Health Checking Protocol). Needs the extra ``grpc``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ssl
from typing import Any

import aiohttp
from yarl import URL

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import CheckProtocol, Endpoint, HealthCheck, UpstreamTls
from api_gateway_service_mesh.security.tls import client_context, server_name

__all__ = ["Probes", "grpc_installed"]

AT_ONCE = 128
_SERVING = 1
_GRPC_STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


def grpc_installed() -> bool:
    """Whether gRPC checks can be made here."""
    return importlib.util.find_spec("grpc") is not None


class Probes:
    """Sends probes from one event loop, `AT_ONCE` at a time, until `close`."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(AT_ONCE)

    async def ask(self, endpoint: Endpoint, check: HealthCheck, tls: UpstreamTls | None = None) -> str | None:
        """Ask once: None when the endpoint is well, else a sentence saying what is wrong."""
        secure: ssl.SSLContext | None = None
        name: str | None = None
        async with self._places:
            try:
                if endpoint.tls or tls is not None:
                    secure = client_context(tls or UpstreamTls())
                    name = server_name(endpoint, tls)
                async with asyncio.timeout(check.timeout_seconds):
                    if check.protocol is CheckProtocol.TCP:
                        return await _ask_tcp(endpoint, secure, name)
                    if check.protocol is CheckProtocol.GRPC:
                        return await _ask_grpc(endpoint, check, tls, name)
                    return await self._ask_http(endpoint, check, secure, name)
            except AgwError as fault:
                return fault.message
            except TimeoutError:
                return f"{endpoint.authority} did not answer within {check.timeout_seconds:g} s"
            except aiohttp.ClientConnectorCertificateError as fault:
                return f"the certificate of {endpoint.authority} is not accepted: {fault.certificate_error}"
            except ssl.SSLCertVerificationError as fault:
                return f"the certificate of {endpoint.authority} is not accepted: {fault.verify_message}"
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                return f"{endpoint.authority} cannot be asked: {fault or type(fault).__name__}"

    async def close(self) -> None:
        """Nothing more will be asked."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask_http(
        self, endpoint: Endpoint, check: HealthCheck, secure: ssl.SSLContext | None, name: str | None
    ) -> str | None:
        scheme = "https" if secure is not None else "http"
        path = check.path if check.path.startswith("/") else f"/{check.path}"
        url = URL(f"{scheme}://{endpoint.authority}{path}", encoded=True)
        fields = [(key.strip(), value.strip()) for key, _, value in (field.partition(":") for field in check.headers)]
        if check.host is not None:
            fields.append(("Host", check.host))
        async with self._client().get(
            url, allow_redirects=False, ssl=secure or False, server_hostname=name, headers=fields
        ) as answer:
            return None if check.expects(answer.status) else f"{url} answered {answer.status}"

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=AT_ONCE, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                headers={"User-Agent": "agw-health"},
                trust_env=False,
            )
        return self._session


async def _ask_tcp(endpoint: Endpoint, secure: ssl.SSLContext | None, name: str | None) -> str | None:
    _, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=secure, server_hostname=name)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return None


async def _ask_grpc(endpoint: Endpoint, check: HealthCheck, tls: UpstreamTls | None, name: str | None) -> str | None:
    try:
        import grpc
        from grpc import aio
    except ImportError:
        return "gRPC health checks need the extra: pip install 'api-gateway-service-mesh[grpc]'"
    channel: Any
    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    if check.host is not None:
        options.append(("grpc.default_authority", check.host))
    if name is not None:
        options.append(("grpc.ssl_target_name_override", name))
        channel = aio.secure_channel(endpoint.authority, _credentials(grpc, tls), options)
    else:
        channel = aio.insecure_channel(endpoint.authority, options)
    try:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")  # no serializers: bytes in, bytes out
        answer = await call(_asking(check.grpc_service), timeout=check.timeout_seconds)
    except grpc.RpcError as fault:
        return f"{endpoint.authority} answered {fault.code().name}: {fault.details()}"
    finally:
        await channel.close()
    state = _state(answer)
    if state == _SERVING:
        return None
    said = _GRPC_STATES[state] if state < len(_GRPC_STATES) else str(state)
    return f"{endpoint.authority} says {check.grpc_service or 'it'} is {said}"


def _credentials(grpc: Any, tls: UpstreamTls | None) -> Any:
    certificate = tls.certificate if tls is not None else None
    if certificate is None:
        return grpc.ssl_channel_credentials()
    from api_gateway_service_mesh.security.material import load_material  # slow to import, and needed by few

    material = load_material(certificate)
    return grpc.ssl_channel_credentials(material.bundle.encode() or None, material.key or None, material.chain or None)


def _asking(service: str) -> bytes:
    """``HealthCheckRequest``: field 1, the service's name (Protocol Buffers encoding: tag 0x0A, length, text)."""
    text = service.encode()
    if not text:
        return b""
    size, length = len(text), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"\x0a" + bytes(length) + text


def _state(answer: bytes) -> int:
    """``HealthCheckResponse.status``: field 1, a number below 128; absent when it is 0."""
    return answer[1] if len(answer) >= 2 and answer[0] == 0x08 else 0
