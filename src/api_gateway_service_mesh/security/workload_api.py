"""The SPIFFE Workload API (SPIFFE Workload API §5, X.509-SVID profile): certificates that an agent hands out.

The agent pushes a new certificate before the old one ends; there is nothing to ask for twice. Messages are few and
small, so they are read here, field by field (Protocol Buffers encoding), without generated code. Bundles of federated
trust domains are not merged into the bundle: an authority vouches for its own trust domain alone, and OpenSSL would
take its word for any.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from api_gateway_service_mesh.errors import AgwError

from .facts import certificate_facts
from .issued import IssuedPair

__all__ = ["x509_svids"]

_METHOD = "/SpiffeWorkloadAPI/FetchX509SVID"
_VARIABLE = "SPIFFE_ENDPOINT_SOCKET"


async def x509_svids(socket: str | None, wanted: tuple[str, ...]) -> AsyncIterator[IssuedPair]:
    """What the agent at `socket` (None: ``SPIFFE_ENDPOINT_SOCKET``) hands out, now and whenever that changes.

    Args:
        wanted: the SPIFFE ID to take where the agent has several for this process; empty: its first.

    Raises:
        AgwError: no agent, no certificate for this process, or an answer that cannot be read.
    """
    try:
        import grpc
        from grpc import aio
    except ImportError:
        raise AgwError(
            "the SPIFFE Workload API needs gRPC", remedy="pip install 'api-gateway-service-mesh[grpc]'"
        ) from None
    target = f"unix:{socket}" if socket is not None else os.environ.get(_VARIABLE, "")
    if not target.startswith("unix:"):
        raise AgwError(
            f"no agent's socket is stated, and {_VARIABLE} names none",
            remedy=f'state agw:workloadApiSocket, or set {_VARIABLE} to "unix:///PATH"',
        )
    target = target.replace("unix:///", "unix:/", 1)
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    async with aio.insecure_channel(target, options) as channel:
        call: Any = channel.unary_stream(_METHOD)(b"", metadata=(("workload.spiffe.io", "true"),))
        try:
            async for message in call:
                yield _pair(message, wanted)
        except grpc.RpcError as fault:
            raise AgwError(f"the agent at {target} answers {fault.code().name}: {fault.details()}") from None
    raise AgwError(f"the agent at {target} ended the stream")


def _pair(message: bytes, wanted: tuple[str, ...]) -> IssuedPair:
    svids = [dict(_fields(svid)) for number, svid in _fields(message) if number == 1]
    if not svids:
        raise AgwError("the agent has no certificate for this process")
    named = {_text(svid.get(1, b"")): svid for svid in reversed(svids)}
    chosen = next((named[each] for each in wanted if each in named), None if wanted else svids[0])
    if chosen is None:
        raise AgwError(f"the agent has no certificate for {' or '.join(wanted)}")
    try:
        chain = list(_certificates(chosen.get(2, b"")))
        bundle = list(_certificates(chosen.get(4, b"")))
        key = serialization.load_der_private_key(chosen.get(3, b""), password=None)
        identity = certificate_facts(chain[0]).identity
    except (ValueError, TypeError, IndexError):
        raise AgwError("the agent's answer holds no certificate with its key and bundle") from None
    if identity is None or identity != _text(chosen.get(1, b"")) or not bundle:
        raise AgwError("the agent's certificate is not of the SPIFFE ID that it was announced with")
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return IssuedPair(_pem(chain), secret, _pem(bundle))


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of the length-delimited fields; others are passed over.

    Raises:
        AgwError: the message is cut off, or of a wire type that is not in use.
    """
    place, size = 0, len(message)
    while place < size:
        tag, place = _number(message, place)
        kind = tag & 7
        if kind == 2:
            length, place = _number(message, place)
            if place + length > size:
                raise AgwError("the agent's answer is cut off")
            yield tag >> 3, message[place : place + length]
            place += length
        elif kind == 0:
            _, place = _number(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise AgwError("the agent's answer cannot be read")


def _number(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise AgwError("the agent's answer is cut off")


def _certificates(der: bytes) -> Iterator[x509.Certificate]:
    """Certificates that stand one behind the other in DER."""
    while der:
        length, head = der[1], 2
        if length & 0x80:
            count = length & 0x7F
            length, head = int.from_bytes(der[2 : 2 + count], "big"), 2 + count
        yield x509.load_der_x509_certificate(der[: head + length])
        der = der[head + length :]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)
