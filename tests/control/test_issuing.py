"""Certificates that look after themselves, of a running gateway: its own authority, and a real ACME server."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from api_gateway_service_mesh.vocabulary import GRAPH_RUNTIME, NAMESPACE
from tests.support.certs import new_authority
from tests.support.serving import Serving, serve_process, turtle

CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasRoute ex:all .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:web a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site ; agw:hasMutualTLS ex:either .
ex:either a agw:MutualTLS ; agw:mtlsMode "PERMISSIVE" .
ex:site a agw:Certificate ; agw:issuedBy ex:ca ; agw:certificateName {names} .
ex:ca a agw:CertificateAuthority ; agw:issuerFolder "certs" {more} .
"""
SITE = "http://example.org/site"
pytestmark = pytest.mark.timeout(300)


def runtime(gateway: Serving) -> dict[str, list[str]]:
    """What the runtime graph says of the certificate."""
    query = f"SELECT ?p ?o WHERE {{ GRAPH <{GRAPH_RUNTIME}> {{ <{SITE}> ?p ?o }} }}"
    request = urllib.request.Request(
        gateway.admin + "/sparql",
        data=query.encode(),
        headers={"Content-Type": "application/sparql-query", "Accept": "application/sparql-results+json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        rows = json.loads(answer.read())["results"]["bindings"]
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["p"]["value"].removeprefix(NAMESPACE), []).append(row["o"]["value"])
    return found


def until(holds: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (got := holds()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
    return got


def shown(port: int) -> x509.Certificate:
    """What the listener shows, trusted or not."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(pem.encode())


def agw(*arguments: str) -> subprocess.CompletedProcess[str]:
    import sys

    return subprocess.run(
        [sys.executable, "-m", "api_gateway_service_mesh", *arguments], capture_output=True, text=True, timeout=60
    )


@asynccontextmanager
async def open_connection(port: int, roots: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    context = ssl.create_default_context(cafile=str(roots))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        yield reader, writer
    finally:
        writer.close()


async def asks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"here"), 20)).startswith(b"HTTP/1.1 200")


def test_agws_own_authority_issues_before_the_port_opens_and_rotates_without_a_dropped_connection(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.format(names='"localhost" , "127.0.0.1"', more="")))
    with serve_process(file, environment={"AGW_ADMIN_TOKEN": ""}) as gateway:
        roots = tmp_path / "certs" / "ca.pem"
        first = shown(gateway.port)

        async def story() -> None:
            async with open_connection(gateway.port, roots) as (reader, writer):
                await asks(reader, writer)
                done = await asyncio.to_thread(agw, "cert", "rotate", "--live", gateway.admin, SITE)
                assert done.returncode == 0, done.stderr
                await asyncio.to_thread(until, lambda: shown(gateway.port) != first, "a new certificate")
                await asks(reader, writer)  # the old connection lives on
                async with open_connection(gateway.port, roots) as again:
                    await asks(*again)

        asyncio.run(story())
        told = until(lambda: (found := runtime(gateway)).get("renewedTotal") == ["2"] and found, "counted")
        assert told["renewalState"] == ["CURRENT"]
        assert told["renewalFailedTotal"] == ["0"]
        assert "renewalDue" in told
        assert set(told["certificateAltName"]) == {"localhost", "127.0.0.1"}
        assert told["certificateChain"] == ["CN=127.0.0.1 <- CN=agw certificate authority"]
        assert told["certificateUser"] == ["http://example.org/web"]
        (kept,) = list((tmp_path / "certs").glob("site-????????.pem"))
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        status = agw("cert", "status", "--live", gateway.admin)
        assert status.returncode == 0, status.stderr
        assert "CURRENT" in status.stdout
        metrics = urllib.request.urlopen(gateway.admin + "/metrics", timeout=20).read().decode()
        assert f'agw_certificate_renewals_total{{certificate="{SITE}",result="renewed"}} 2' in metrics
        assert f'agw_certificate_renewal_failing{{certificate="{SITE}"}} 0' in metrics
        config = urllib.request.urlopen(gateway.admin + "/config", timeout=20).read().decode()
        for text in (metrics, config, "\n".join(gateway.lines), json.dumps(runtime(gateway)), status.stdout):
            assert "PRIVATE KEY" not in text
        unknown = agw("cert", "rotate", "--live", gateway.admin, "http://example.org/none")
        assert unknown.returncode == 1
        assert "no certificate" in unknown.stderr
    with serve_process(file) as gateway:
        assert x509.load_pem_x509_certificates(kept.read_bytes())[0] == shown(gateway.port), "found again"


def test_a_certificate_is_renewed_before_it_ends_and_kept_when_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    lasting = 'ex:site agw:certificateLifetime "PT30S"^^<http://www.w3.org/2001/XMLSchema#dayTimeDuration> .'
    file.write_text(turtle(CONFIGURATION.format(names='"localhost"', more="") + lasting))
    with serve_process(file) as gateway:
        roots = tmp_path / "certs" / "ca.pem"

        async def story() -> list[x509.Certificate]:
            seen: dict[int, x509.Certificate] = {}
            async with open_connection(gateway.port, roots) as (reader, writer):
                while len(seen) < 2:
                    certificate = await asyncio.to_thread(shown, gateway.port)
                    assert datetime.now(UTC) < certificate.not_valid_after_utc, "what is shown has not ended"
                    seen.setdefault(certificate.serial_number, certificate)
                    told = await asyncio.to_thread(runtime, gateway)
                    assert told["renewalDue"] < told["certificateExpiry"]
                    await asks(reader, writer)  # one connection lives on through all of them
                    async with open_connection(gateway.port, roots) as fresh:
                        await asks(*fresh)
                    await asyncio.sleep(0.2)
            return list(seen.values())

        renewed = asyncio.run(story())
        for one, next_one in itertools.pairwise(renewed):
            age = (next_one.not_valid_before_utc - one.not_valid_before_utc).total_seconds()
            assert 12 <= age <= 26, "after eighteen to twenty seconds of thirty; a busy machine is later"
        assert int(runtime(gateway)["renewedTotal"][0]) < 20
        key = tmp_path / "certs" / "ca-key.pem"
        whole = key.read_bytes()
        key.write_text("spoilt")
        told = until(lambda: (found := runtime(gateway)).get("renewalState") == ["FAILING"] and found, "failing", 60)
        assert told["renewalError"] and "spoilt" not in told["renewalError"][0]
        kept = shown(gateway.port)
        metrics = urllib.request.urlopen(gateway.admin + "/metrics", timeout=20).read().decode()
        assert f'agw_certificate_renewal_failing{{certificate="{SITE}"}} 1' in metrics
        gateway.said("is not renewed, what there is stays in use")
        doctor = urllib.request.urlopen(gateway.admin + "/doctor", timeout=20).read().decode()
        assert "certificates-failing" in doctor
        until(lambda: runtime(gateway)["renewalFailedTotal"] >= ["2"], "tried again", 60)
        assert shown(gateway.port) == kept, "the old one is shown still"
        key.write_bytes(whole)
        until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "renewed again", 60)
        assert shown(gateway.port) != kept


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@contextmanager
def pebble(folder: Path, port: int, management: int, *, http_port: int = 1, tls_port: int = 1) -> Iterator[Path]:
    """Pebble before the gateway's `http_port` or `tls_port`; the file of the roots that it issues under, written when it is up."""
    authority = new_authority(folder, "pebble")
    server = authority.issue("acme", names=("localhost", "127.0.0.1"))
    (folder / "pebble.json").write_text(
        json.dumps(
            {
                "pebble": {
                    "listenAddress": f"127.0.0.1:{port}",
                    "managementListenAddress": f"127.0.0.1:{management}",
                    "certificate": str(server.certificate_file),
                    "privateKey": str(server.key_file),
                    "httpPort": http_port,
                    "tlsPort": tls_port,
                    "ocspResponderURL": "",
                    "externalAccountBindingRequired": False,
                    "domainBlocklist": [],
                    "retryAfter": {"authz": 1, "order": 1},
                    "profiles": {"default": {"description": "what there is", "validityPeriod": 7776000}},
                }
            }
        )
    )
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "30"}
    with (folder / "pebble.log").open("w") as log:
        process = subprocess.Popen(
            ["pebble", "-config", str(folder / "pebble.json")], env=environment, stdout=log, stderr=log
        )
    try:
        context = ssl.create_default_context(cafile=str(authority.bundle))

        def answers() -> bytes | None:
            try:
                url = f"https://127.0.0.1:{management}/roots/0"
                with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                    return bytes(answer.read())
            except OSError:
                return None

        roots = folder / "issued-under.pem"
        roots.write_bytes(until(answers, "pebble is up", 30))
        yield roots
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(shutil.which("pebble") is None, reason="Pebble is not installed (.ci/servers/pebble)")
def test_an_acme_server_issues_once_it_is_there_and_what_it_issued_is_kept_when_it_goes(tmp_path: Path) -> None:
    port, management = free_ports(2)
    new_authority(tmp_path, "pebble")  # the file is named before Pebble is there
    more = (
        f'; agw:issuerKind "ACME" ; agw:directoryUrl "https://127.0.0.1:{port}/dir" ; agw:termsOfServiceAgreed true ; '
        'agw:accountContact "mailto:ops@example.com" ; agw:acmeTrustBundleFile "pebble-ca.pem"'
    )
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.format(names='"127.0.0.1"', more=more)))
    with serve_process(file) as gateway:
        assert "not issued yet" in shown(gateway.port).subject.rfc4514_string()
        told = until(lambda: (found := runtime(gateway)).get("renewalState") == ["FAILING"] and found, "no server")
        assert "does not answer" in told["renewalError"][0]
        failing = agw("cert", "status", "--live", gateway.admin)
        assert failing.returncode == 1
        assert "FAILING" in failing.stdout
        with pebble(tmp_path, port, management, http_port=gateway.port) as roots:
            assert agw("cert", "rotate", "--live", gateway.admin, SITE).returncode == 0
            until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "issued", 90)
            context = ssl.create_default_context(cafile=str(roots))
            with (
                socket.create_connection(("127.0.0.1", gateway.port)) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
            ):
                assert secured.version()
            first = shown(gateway.port)
            assert agw("cert", "rotate", "--live", gateway.admin, SITE).returncode == 0
            until(lambda: shown(gateway.port) != first, "renewed", 90)
            assert list((tmp_path / "certs" / ".challenges").iterdir()) == [], "questions are closed"
        second = shown(gateway.port)
        until(lambda: agw("cert", "rotate", "--live", gateway.admin, SITE).returncode == 0, "asked")
        until(lambda: runtime(gateway).get("renewalState") == ["FAILING"], "the server is gone")
        assert shown(gateway.port) == second, "what there is stays in use"
        account = tmp_path / "certs" / "acme-account.pem"
        assert stat.S_IMODE(account.stat().st_mode) == 0o600
        questions = f"{gateway.url}/.well-known/acme-challenge/"
        for path in ("none", "..%2facme-account.pem", "a/b", ""):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(questions + path, timeout=20)
            assert refused.value.code in (400, 404)
        assert "PRIVATE" not in "\n".join(gateway.lines)


@pytest.mark.skipif(shutil.which("pebble") is None, reason="Pebble is not installed (.ci/servers/pebble)")
def test_an_acme_server_is_answered_in_tls_while_connections_live_on(tmp_path: Path) -> None:
    port, management = free_ports(2)
    new_authority(tmp_path, "pebble")
    more = (
        f'; agw:issuerKind "ACME" ; agw:directoryUrl "https://127.0.0.1:{port}/dir" ; agw:termsOfServiceAgreed true ; '
        'agw:challengeType "TLS_ALPN_01" ; agw:acmeTrustBundleFile "pebble-ca.pem"'
    )
    file = tmp_path / "gateway.ttl"
    # Only TLS on this port, and clients must show certificates: the server's question is answered all the same.
    strict = CONFIGURATION.replace('"PERMISSIVE"', '"STRICT" ; agw:hasCertificate ex:clients')
    authority = new_authority(tmp_path, "clients")
    client = authority.issue("client")
    clients = 'ex:clients a agw:Certificate ; agw:trustBundleFile "clients-ca.pem" .'
    file.write_text(turtle(strict.format(names='"127.0.0.1" , "localhost"', more=more) + clients))
    with serve_process(file) as gateway:
        with pebble(tmp_path, port, management, tls_port=gateway.port) as roots:
            assert agw("cert", "rotate", "--live", gateway.admin, SITE).returncode == 0
            until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "issued", 90)
            context = ssl.create_default_context(cafile=str(roots))
            context.load_cert_chain(client.certificate_file, client.key_file)
            before = next((tmp_path / "certs").glob("site-????????.pem")).read_bytes()

            async def story() -> None:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", gateway.port, ssl=context, server_hostname="localhost"
                )
                await asks(reader, writer)
                assert agw("cert", "rotate", "--live", gateway.admin, SITE).returncode == 0
                kept = next((tmp_path / "certs").glob("site-????????.pem"))
                await asyncio.to_thread(until, lambda: kept.read_bytes() != before, "renewed", 90)
                await asks(reader, writer)
                writer.close()

            asyncio.run(story())
            assert list((tmp_path / "certs" / ".challenges").iterdir()) == [], "questions are closed"
        told = runtime(gateway)
        assert set(told["certificateAltName"]) == {"localhost", "127.0.0.1"}
        # Nothing is asked any more: who offers the protocol then sees what everybody sees, and no answer.
        asking = ssl.create_default_context(cafile=str(roots))
        asking.load_cert_chain(client.certificate_file, client.key_file)
        asking.set_alpn_protocols(["acme-tls/1"])
        with (
            socket.create_connection(("127.0.0.1", gateway.port)) as plain,
            asking.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            assert secured.selected_alpn_protocol() is None


def test_files_that_others_renew_are_taken_with_no_dropped_connection(tmp_path: Path) -> None:
    """As cert-manager and the Vault agent do it: links to ..data, which is swapped by a rename."""
    authority = new_authority(tmp_path)
    for number in ("1", "2"):
        (tmp_path / f"..{number}").mkdir()
        issued = authority.issue(f"site{number}", names=("localhost",))
        (tmp_path / f"..{number}" / "tls.crt").write_bytes(issued.certificate_pem)
        (tmp_path / f"..{number}" / "tls.key").write_bytes(issued.key_pem)
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    file = tmp_path / "gateway.ttl"
    body = CONFIGURATION.format(names='"a"', more="").replace(
        'agw:issuedBy ex:ca ; agw:certificateName "a"',
        'agw:certificateFile "tls.crt" ; agw:privateKeyRef "file:tls.key" ; agw:trustBundleFile "test-ca.pem"',
    )
    file.write_text(turtle(body))
    with serve_process(file) as gateway:
        first = shown(gateway.port)

        async def story() -> None:
            async with open_connection(gateway.port, authority.bundle) as (reader, writer):
                await asks(reader, writer)
                (tmp_path / "..new").symlink_to("..2")
                (tmp_path / "..new").replace(tmp_path / "..data")
                await asyncio.to_thread(until, lambda: shown(gateway.port) != first, "the new certificate")
                await asks(reader, writer)

        asyncio.run(story())


@pytest.mark.skipif(
    shutil.which("workload-api") is None, reason="no Workload API is installed (.ci/servers/workload-api)"
)
def test_what_a_spiffe_agent_hands_out_is_shown_and_trusted(tmp_path: Path) -> None:
    identity = "spiffe://example.org/gateway"
    file = tmp_path / "gateway.ttl"
    body = CONFIGURATION.format(
        names=f'"{identity}"', more='; agw:issuerKind "SPIFFE" ; agw:workloadApiSocket "agent.sock"'
    )
    file.write_text(turtle(body.replace('"PERMISSIVE"', '"STRICT"')))
    with serve_process(file) as gateway:
        assert "not issued yet" in shown(gateway.port).subject.rfc4514_string()
        until(lambda: runtime(gateway).get("renewalState") == ["FAILING"], "no agent yet")
        agent = subprocess.Popen(["workload-api", str(tmp_path / "agent.sock"), identity, "60"])
        try:
            told = until(lambda: (found := runtime(gateway)).get("renewalState") == ["CURRENT"] and found, "issued")
            assert told["certificateAltName"] == [identity]
            (mine,) = (tmp_path / "certs").glob("site-????????.pem")
            context = ssl.create_default_context(cafile=str(next((tmp_path / "certs").glob("*-bundle.pem"))))
            context.check_hostname = False
            context.load_cert_chain(mine)

            def accepted() -> bool:
                try:
                    with (
                        socket.create_connection(("127.0.0.1", gateway.port)) as plain,
                        context.wrap_socket(plain) as secured,
                    ):
                        secured.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                        return secured.recv(100).startswith(b"HTTP/1.1 200")
                except OSError:  # one worker may show the stand-in a moment longer than another
                    return False

            until(accepted, "one of the same trust domain gets in")
        finally:
            agent.terminate()
            agent.wait(10)
