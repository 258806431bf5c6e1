"""Where the cluster is whose routes are served is judged before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import turtle


def refused(file: Path, said: str) -> str:
    """What `agw serve` says when it ends with 1."""
    command = [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(file), "--routes-from", said]
    outside = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    got = subprocess.run(command, capture_output=True, text=True, timeout=60, env=outside, check=False)
    assert got.returncode == 1
    return got.stdout + got.stderr


@pytest.mark.parametrize("said", ["ftp://x", "nowhere", "https://", "http://[::1", "https://h:99999"])
def test_what_is_no_url_is_refused_with_what_to_write(said: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle("ex:gateway a agw:ApiGateway ."))
    text = refused(file, said)
    assert f"--routes-from {said}: not the URL of an API server" in text
    assert "write --routes-from https://HOST:6443" in text
    assert not (tmp_path / "cluster-routes.ttl").exists()


def test_outside_of_a_cluster_its_api_server_is_to_be_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle("ex:gateway a agw:ApiGateway ."))
    text = refused(file, "cluster")
    assert "KUBERNETES_SERVICE_HOST is not set" in text and "--routes-token" in text
