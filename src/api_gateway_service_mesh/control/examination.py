"""The examination behind ``agw doctor``: what must be tried to be known, as triples that diagnoses are asked over.

Each endpoint is connected to from this process; one that is spoken to with TLS is shaken hands with as the data plane
would (same context, same name), and whoever answers ``OPTIONS *`` (RFC 9110 §9.3.7: a ping) tells its clock by its Date
field. Nothing else is asked of it. Certificate files are read, and the table's own findings taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import ssl
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pyoxigraph as ox

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Endpoint, Mesh, Upstream, UpstreamTls
from api_gateway_service_mesh.policies.counters import BUCKET_SECONDS
from api_gateway_service_mesh.routing import RoutingTable
from api_gateway_service_mesh.security.tls import client_context, server_name
from api_gateway_service_mesh.telemetry.live_rate import quantile
from api_gateway_service_mesh.vocabulary import AGW, XSD

from .live import Live
from .used import used_certificates

__all__ = ["PATIENCE_SECONDS", "connected", "counted", "kept", "written"]

PATIENCE_SECONDS = 3.0
_ALL_SECONDS = 20.0
_AT_ONCE = 64
_HEAD_BYTES = 16 * 1024
# X509_V_ERR_… of OpenSSL's x509_vfy.h
_JUDGED = {9: "NOT_YET_VALID", 10: "EXPIRED", 62: "WRONG_NAME", 64: "WRONG_NAME"} | dict.fromkeys(
    (2, 7, 18, 19, 20, 21, 24, 26), "UNKNOWN_AUTHORITY"
)

Fact = tuple[str, str, ox.Literal | ox.NamedNode]


def written(facts: Iterable[Fact]) -> bytes:
    """Facts as N-Triples."""
    return "".join(f"{ox.NamedNode(s)} {ox.NamedNode(p)} {o} .\n" for s, p, o in facts).encode()


def kept(mesh: Mesh, table: RoutingTable, uptime: float | None) -> Iterator[Fact]:
    """What files and the table tell: certificates, and routes that never get a request. Reads files."""
    yield mesh.iri, AGW.examinedAt, _moment(datetime.now(UTC))
    if uptime is not None:
        yield mesh.iri, AGW.uptimeSeconds, _integer(int(uptime))
    for finding in table.findings:
        winner = dict(finding.details).get("winner")
        if finding.code in ("shadowed-route", "tied-routes") and finding.subject and winner and _never(finding.message):
            yield finding.subject, AGW.shadowedBy, ox.NamedNode(winner)
    for certificate in used_certificates(mesh):
        if certificate.certificate_file is None:
            continue
        from api_gateway_service_mesh.security.facts import read_facts  # slow to import, and needed by few

        with contextlib.suppress(AgwError):
            chain = read_facts(certificate.certificate_file)
            yield certificate.iri, AGW.certificateValidFrom, _moment(chain[0].not_before)
            yield certificate.iri, AGW.certificateExpiry, _moment(chain[0].not_after)
            for number, (lower, upper) in enumerate(pairwise(chain), 1):
                if lower.issuer != upper.subject:
                    text = f"certificate {number + 1} of the file ({upper.subject}) did not issue certificate {number}"
                    yield certificate.iri, AGW.chainFault, ox.Literal(f"{text}; that says: {lower.issuer}")


def _never(message: str) -> bool:
    """Of two routes that tie, the second may still answer something (`routing.shadow` says which it is)."""
    return message.endswith("never does")


def counted(live: Live, failures: Mapping[str, str]) -> Iterator[Fact]:
    """What the cells tell that the runtime graph does not; `failures`: why the last probe of an endpoint failed."""
    for route, totals in live.routes():
        if totals.requests:
            yield route.iri, AGW.latencyP95, _decimal(quantile(BUCKET_SECONDS, totals.buckets, 0.95))
            limit = route.timeout.total_seconds if route.timeout is not None else None
            if limit is not None:
                yield route.iri, AGW.slowTotal, _integer(sum(totals.buckets[bisect_right(BUCKET_SECONDS, limit) :]))
    for endpoint, why in failures.items():
        yield endpoint, AGW.probeFault, ox.Literal(why)


async def connected(mesh: Mesh) -> list[Fact]:
    """Every endpoint tried, at most 64 at once and 20 seconds in all; those that were not reached by then are left
    out."""
    found: list[Fact] = []
    places = asyncio.Semaphore(_AT_ONCE)

    async def tried(upstream: Upstream, endpoint: Endpoint) -> None:
        async with places:
            found.extend([fact async for fact in _endpoint(upstream, endpoint)])

    async def sidecar(iri: str, port: int) -> None:
        _, facts = await _connection(iri, "127.0.0.1", port)
        found.extend(facts)

    work = [tried(upstream, endpoint) for upstream in mesh.upstreams for endpoint in upstream.endpoints]
    inside = mesh.service_mesh
    if inside is not None and inside.sidecar_port and any(upstream.in_mesh for upstream in mesh.upstreams):
        work.append(sidecar(inside.iri, inside.sidecar_port))
    if work:
        tasks = [asyncio.ensure_future(each) for each in work]
        done, late = await asyncio.wait(tasks, timeout=_ALL_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()
    return found


async def _endpoint(upstream: Upstream, endpoint: Endpoint) -> AsyncIterator[Fact]:
    writer, facts = await _connection(endpoint.iri, endpoint.host, endpoint.port)
    for fact in facts:
        yield fact
    if writer is None:
        return
    writer.close()
    if upstream.plaintext_forbidden:
        return
    secured = endpoint.tls or upstream.tls is not None
    context, name = None, None
    if secured:
        try:
            context = client_context(upstream.tls or UpstreamTls())
        except AgwError as fault:
            yield endpoint.iri, AGW.handshakeState, ox.Literal("FAILED")
            yield endpoint.iri, AGW.handshakeFault, ox.Literal(fault.message)
            return
        name = server_name(endpoint, upstream.tls)
        yield endpoint.iri, AGW.expectedName, ox.Literal(name)
        for fact in await _shown(endpoint):
            yield fact
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            skew = await _asked(endpoint, context, name)
    except TimeoutError:
        skew = None  # it takes connections and is slow to answer: breakers and timeouts judge that
    except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, EOFError) as fault:
        if secured:
            yield endpoint.iri, AGW.handshakeState, ox.Literal(_judged(fault))
            yield endpoint.iri, AGW.handshakeFault, ox.Literal(_sentence(fault))
        return
    if secured:
        yield endpoint.iri, AGW.handshakeState, ox.Literal("DONE")
    if skew is not None:
        yield endpoint.iri, AGW.clockSkewSeconds, _integer(skew)


async def _connection(iri: str, host: str, port: int) -> tuple[asyncio.StreamWriter | None, list[Fact]]:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        state, why = "TIMEOUT", f"{host}:{port} did not take a connection within {PATIENCE_SECONDS:g} s"
    except socket.gaierror as fault:
        state, why = "UNRESOLVED", f"the name {host} has no address: {fault.strerror}"
    except OSError as fault:
        refused = isinstance(fault, ConnectionRefusedError) or fault.errno == errno.ECONNREFUSED
        state, why = "REFUSED" if refused else "UNREACHABLE", f"{host}:{port}: {_sentence(fault)}"
    else:
        seconds = time.perf_counter() - started
        return writer, [
            (iri, AGW.connectState, ox.Literal("CONNECTED")),
            (iri, AGW.connectSeconds, _decimal(seconds)),
        ]
    return None, [(iri, AGW.connectState, ox.Literal(state)), (iri, AGW.connectFault, ox.Literal(why))]


async def _asked(endpoint: Endpoint, context: ssl.SSLContext | None, name: str | None) -> int | None:
    """How far the clock of an endpoint is ahead, in seconds; None: it does not say. A client certificate that the other
    side refuses shows at the first read only (TLS 1.3)."""
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, ssl=context, server_hostname=name, limit=_HEAD_BYTES
    )
    try:
        asked = datetime.now(UTC)
        writer.write(f"OPTIONS * HTTP/1.1\r\nHost: {endpoint.authority}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            if context is None:
                return None
            # Some hang up, rather than say in an alert, that they do not like what agw showed.
            raise ConnectionResetError("it hung up after the handshake without an answer") from cut
        except asyncio.LimitOverrunError:
            return None
        took = datetime.now(UTC) - asked
    finally:
        writer.transport.abort()
    stated = re.search(rb"\r\ndate:[ \t]*([^\r\n]+)", head, re.IGNORECASE)
    if stated is None:
        return None
    try:
        said = parsedate_to_datetime(stated[1].decode("ascii", "replace"))
    except ValueError:
        return None
    # The field has whole seconds, cut off: half of one is the best guess at the rest.
    ahead = (said.astimezone(UTC) - (asked + took / 2)).total_seconds() + 0.5
    return round(ahead)


async def _shown(endpoint: Endpoint) -> list[Fact]:
    """The certificate that an endpoint shows, whoever vouches for it. Nothing is sent to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, writer = await asyncio.open_connection(
                endpoint.host, endpoint.port, ssl=context, server_hostname=endpoint.host
            )
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        from api_gateway_service_mesh.security.facts import certificate_facts

        found = certificate_facts(der)
    except (OSError, ssl.SSLError, TimeoutError, AgwError, ValueError):
        return []
    names = (*found.dns_names, *found.ip_addresses, *found.uris)
    return [
        (endpoint.iri, AGW.peerCertificateExpiry, _moment(found.not_after)),
        *((endpoint.iri, AGW.peerName, ox.Literal(name)) for name in names),
    ]


def _judged(fault: BaseException) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _JUDGED.get(fault.verify_code, "FAILED")
    if isinstance(fault, ssl.SSLError):
        return "REFUSED" if "ALERT" in (fault.reason or "") else "FAILED"
    return "REFUSED" if isinstance(fault, ConnectionError) else "FAILED"


def _sentence(fault: BaseException) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return str(fault.verify_message)
    if isinstance(fault, ssl.SSLError):
        return (fault.reason or "unknown reason").lower().replace("_", " ")
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno)  # asyncio puts words of its own into `strerror`
    return str(fault) or type(fault).__name__


def _integer(value: int) -> ox.Literal:
    return ox.Literal(str(value), datatype=ox.NamedNode(XSD.integer))


def _decimal(value: float) -> ox.Literal:
    return ox.Literal(f"{value:.6f}", datatype=ox.NamedNode(XSD.decimal))


def _moment(value: datetime) -> ox.Literal:
    stamp = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return ox.Literal(stamp, datatype=ox.NamedNode(XSD.dateTime))
