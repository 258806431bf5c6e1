"""Contexts towards upstreams follow their files."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import Certificate, UpstreamTls
from api_gateway_service_mesh.proxy.client_tls import ClientTls
from tests.support.certs import Authority, new_authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


def put(certificate: Certificate, like: Certificate) -> None:
    """Replace the files of `certificate` as rotation does."""
    for target, source in (
        (certificate.certificate_file, like.certificate_file),
        ((certificate.private_key_ref or "")[5:], (like.private_key_ref or "")[5:]),
    ):
        assert target
        assert source
        fresh = Path(target + ".new")
        fresh.write_bytes(Path(source).read_bytes())
        os.replace(fresh, target)


def test_read_once_until_the_files_change(authority: Authority) -> None:
    shown = authority.issue("gateway").model()
    tls = ClientTls(UpstreamTls(shown))
    first = tls.context()
    assert tls.context() is first
    put(shown, authority.issue("next").model())
    second = tls.context()
    assert second is not first
    assert tls.context() is second


def test_files_that_do_not_serve_leave_the_last_context(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    shown = authority.issue("gateway").model()
    tls = ClientTls(UpstreamTls(shown))
    first = tls.context()
    assert shown.certificate_file
    Path(shown.certificate_file).write_bytes(b"half a certific")
    with caplog.at_level(logging.WARNING):
        assert tls.context() is first
        assert tls.context() is first
    assert len(caplog.records) == 1, "said once, not for every connection"
    put(shown, authority.issue("next").model())
    assert tls.context() is not first


def test_files_that_never_served_are_an_error(authority: Authority, tmp_path: Path) -> None:
    shown = replace(authority.issue("gateway").model(), certificate_file=str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError):
        ClientTls(UpstreamTls(shown)).context()


def test_the_systems_roots_are_read_once() -> None:
    tls = ClientTls(UpstreamTls())
    assert tls.context() is tls.context()
