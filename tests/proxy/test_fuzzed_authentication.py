"""Mutated requests against a served gateway that demands authentication: nobody gets by it, nothing breaks.

No request that is sent here shows a key that is valid, so not one may reach the backend; only canaries do.
`AGW_FUZZED_REQUESTS` says how many are sent, `AGW_HOSTILE_SEED` chooses another run.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from api_gateway_service_mesh.security.api_key import new_key
from tests.support.serving import Serving, serve_process, turtle
from tests.support.strict_backend import StrictBackend, read_answer

from .hostile_cases import REQUESTS
from .hostile_gateway import SEED
from .hostile_mutations import mutated

COUNT = int(os.environ.get("AGW_FUZZED_REQUESTS", "2000"))
AT_ONCE = 48
KEY, HASH = new_key()
CONFIGURATION = f"""
ex:gateway a agw:ApiGateway ; agw:accessLogEnabled true ; agw:hasAuthentication ex:acme , ex:jwt ;
    agw:hasRoute ex:all , ex:deep , ex:typed , ex:post ; agw:hasListener ex:web .
ex:web a agw:Listener ; agw:port 8080 .
ex:acme a agw:ApiKey ; agw:keyOwner "acme" ; agw:keyQueryParameter "key" ; agw:keyHash "{HASH}" .
ex:jwt a agw:JWTAuthentication ; agw:issuer "https://id.example.com/" ; agw:audience "shop" ; agw:signingAlgorithm "RS256" ;
    agw:jwksUri "http://127.0.0.1:9/keys" .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:service .
ex:deep a agw:Route ; agw:routePath "/ws/*" ; agw:hasBackendService ex:service .
ex:typed a agw:Route ; agw:routePath "/users/{{id}}" ; agw:hasBackendService ex:service .
ex:post a agw:Route ; agw:routePath "/orders/*" ; agw:httpMethod "POST" ; agw:hasBackendService ex:service .
ex:service a agw:BackendService ; agw:address "127.0.0.1:%d" .
"""
EXPLAINED = {501, 505}
"""Refusals that name what a client asked for: a transfer coding, a version of HTTP."""
pytestmark = pytest.mark.timeout(1800)


def _near_misses() -> list[bytes]:
    """Requests that come near to being let in."""
    fields = (
        f"X-API-Key: {KEY[:-6]}",
        f"X-API-Key: {KEY[:-6]}\r\nX-API-Key: {HASH}",
        f"X-API-Key: {HASH[7:]}",
        "X-Api-Key-Owner: acme",
        "x_api_key_owner: acme\r\nX-Jwt-Claim-Sub: root",
        "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
        f"Authorization: Bearer {KEY[6:]}",
        "Connection: X-API-Key, Authorization",
        "Expect: 100-continue\r\nContent-Length: 5",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    paths = (
        "/",
        "/a/../b",
        f"/a?key={KEY[6:]}",
        "/users/1",
        "/users/%31",
        "/ws/x",
        "/orders/1",
        "//orders/1",
        "http://x/a",
    )
    methods = ("GET", "POST", "HEAD", "OPTIONS", "PUT")
    return [
        f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{field}\r\n\r\n".encode()
        for method in methods
        for path in paths
        for field in fields
    ]


async def _canary(gateway: Serving) -> str | None:
    """What is wrong with a request that shows a key; None when all is well."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(f"GET /canary HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\n\r\n".encode())
        async with asyncio.timeout(60):
            answer = await read_answer(reader)
        return None if answer is not None and answer.status == 200 else f"the canary got {answer}"
    except (TimeoutError, ValueError, OSError) as fault:
        return f"the canary: {fault!r}"
    finally:
        writer.close()


async def _send(gateway: Serving, wire: bytes) -> str | None:
    """Send `wire` and nothing more; what is wrong with the answers, which must come, or the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=2**20)
    try:
        writer.write(wire)
        writer.write_eof()
        async with asyncio.timeout(60):
            while (answer := await read_answer(reader, "HEAD" if b"HEAD" in wire else "GET")) is not None:
                if answer.status >= 500 and answer.status not in EXPLAINED:
                    return f"answered {answer.status} {answer.body[:300]!r}"
                if b"HEAD" in wire:
                    return None  # who did not count cannot tell bodies from heads
    except TimeoutError:
        return "no answer, and no end"
    except ValueError as fault:
        return str(fault)
    except OSError:
        pass
    finally:
        writer.close()
    return None


async def test_nobody_gets_by_authentication(tmp_path: Path) -> None:
    behind = StrictBackend()
    await behind.start()
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION % behind.port))
    cases = [case.wire for group in REQUESTS.values() for case in group if len(case.wire) < 4096] + _near_misses() * 3
    random, wrong = Random(SEED), []  # type: tuple[Random, list[str]]
    with serve_process(file, "--workers", "2") as gateway:
        workers = set(gateway.workers)

        async def one() -> None:
            wire = mutated(cases, random)
            if (fault := await _send(gateway, wire)) is not None:
                wrong.append(f"{fault}: {wire[:600]!r}")

        for start in range(0, COUNT, AT_ONCE):
            await asyncio.gather(*(one() for _ in range(min(AT_ONCE, COUNT - start))))
            if (fault := await _canary(gateway)) is not None:
                wrong.append(fault)
            passed = [seen for seen in behind.requests if seen.target != "/canary"]
            wrong += [f"the backend saw {seen}" for seen in passed]
            wrong += behind.faults
            assert not wrong, "\n" + "\n".join(wrong[:10])
            assert all(seen.values(b"x-api-key-owner") == [b"acme"] for seen in behind.requests)
            behind.requests.clear()
        assert set(gateway.workers) == workers, "none was started anew"
        gateway.end()
        trouble = [line for line in gateway.lines if "Traceback" in line or " ERROR " in line]
        assert not trouble, "\n".join(gateway.lines[-50:])
    await behind.stop()
