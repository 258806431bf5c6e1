"""What counts as this machine, and what as a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.control.access import admin_token, is_loopback
from api_gateway_service_mesh.errors import AgwError


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("agw.localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGW_ADMIN_TOKEN", raising=False)
    monkeypatch.delenv("AGW_ADMIN_TOKEN_FILE", raising=False)
    assert admin_token() is None
    file = tmp_path / "token"
    file.write_text("from-a-file-0123456789\n")
    monkeypatch.setenv("AGW_ADMIN_TOKEN_FILE", str(file))
    assert admin_token() == "from-a-file-0123456789"
    monkeypatch.setenv("AGW_ADMIN_TOKEN", "from-the-environment")
    assert admin_token() == "from-the-environment"
    with pytest.raises(AgwError, match="fewer than 16"):
        admin_token("short")
    monkeypatch.delenv("AGW_ADMIN_TOKEN")
    monkeypatch.setenv("AGW_ADMIN_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(AgwError, match="cannot be read"):
        admin_token()
