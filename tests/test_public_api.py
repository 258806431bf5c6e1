"""The published Python API, word for word: it serves traffic, and it type-checks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import api_gateway_service_mesh
from tests.support.backend import answer, backend, says

ROOT = Path(__file__).resolve().parents[1]

PUBLISHED = """\
from api_gateway_service_mesh import ApiGateway, ServiceMeshConfig, RouteConfig, CircuitBreakerConfig, RetryConfig
gateway = ApiGateway(ServiceMeshConfig(mesh_type="istio", mtls_mode="STRICT", sidecar_port=15001, control_plane_endpoint="istiod.istio-system:15012"))
gateway.add_route(RouteConfig(path="/api/v1/products", method="GET", backend_service="products-service:8080", rate_limit_rps=200, timeout_seconds=5))
gateway.run(host="0.0.0.0", port=8080)
"""

USES = """
import rdflib
from aiohttp import web
from api_gateway_service_mesh import AgwError, ConfigError
other: ApiGateway = ApiGateway.from_turtle("gateway.ttl")
graph: rdflib.Graph = other.graph
for row in other.query("SELECT ?path WHERE { ?route agw:routePath ?path }"):
    path: str = row.path
print(other.explain("GET", "/api/v1/products", headers={"X-Beta": "1"}).route)
app: web.Application = other.app()
iri: str = other.add_route(RouteConfig(path="/b", backend_service="b:80", circuit_breaker=CircuitBreakerConfig(), retry_policy=RetryConfig()))
async def serve() -> str:
    async with other.serving(port=0) as address:
        return address.url
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}


async def test_the_published_lines_serve_traffic(tmp_path: Path, unused_tcp_port: int) -> None:
    """As a program of its own; only the backend's address and the port are this machine's."""
    async with backend(says(answer(b"products"))) as service:
        script = tmp_path / "gateway.py"
        script.write_text(
            PUBLISHED.replace("products-service:8080", f"127.0.0.1:{service.port}").replace(
                "port=8080)", f"port={unused_tcp_port})"
            )
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), env=_environment(), stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            said = await asyncio.wait_for(process.stderr.readline(), 30)
            assert said.decode().startswith("agw: 1 route on http://127.0.0.1:"), said
            url = f"http://127.0.0.1:{unused_tcp_port}"
            body = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/api/v1/products", timeout=10).read())
            assert body == b"products"
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, f"{url}/none", timeout=10)
            assert refused.value.code == 404
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def test_the_published_lines_type_check(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed (pip install '.[dev]')")
    script = tmp_path / "gateway.py"
    script.write_text(PUBLISHED + USES)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
        str(script),
    ]
    result = subprocess.run(
        command, cwd=ROOT, env={**_environment(), "MYPYPATH": "src"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_importing_costs_next_to_nothing() -> None:
    heavy = ["pyoxigraph", "rdflib", "aiohttp", "cryptography", "re2", "click"]
    code = f"import sys, api_gateway_service_mesh; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_what_is_exported() -> None:
    for name in api_gateway_service_mesh.__all__:
        assert getattr(api_gateway_service_mesh, name) is not None
        assert name in dir(api_gateway_service_mesh)
    with pytest.raises(AttributeError, match="no attribute 'ApiGatewy'"):
        _ = api_gateway_service_mesh.ApiGatewy
