"""What resources name is read here and sent; what is read is shown to nobody."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.xds.encode import packed
from api_gateway_service_mesh.control.xds.goal import SECRETS
from api_gateway_service_mesh.control.xds.inline import inlined
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests.envoy import Resources
from api_gateway_service_mesh.manifests.envoy.secret import SYSTEM_ROOTS


def secret(source: dict[str, str]) -> Resources:
    return Resources(secrets={"s": {"name": "s", "tls_certificate": {"private_key": source}}})


def test_files_and_variables_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.pem").write_bytes(b"from a file")
    monkeypatch.setenv("KEY", "from a variable")
    for source in ({"filename": str(tmp_path / "key.pem")}, {"environment_variable": "KEY"}):
        found = inlined(secret(source)).secrets["s"]["tls_certificate"]["private_key"]
        assert base64.b64decode(found["inline_bytes"]).startswith(b"from a ")
    kept = {"filename": SYSTEM_ROOTS}
    assert inlined(secret(kept)).secrets["s"]["tls_certificate"]["private_key"] == kept


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgwError, match=r"gone\.pem cannot be read"):
        inlined(secret({"filename": str(tmp_path / "gone.pem")}))
    with pytest.raises(AgwError, match="NO_SUCH_VARIABLE is not set"):
        inlined(secret({"environment_variable": "NO_SUCH_VARIABLE"}))


def test_a_packed_secret_shows_only_its_version(tmp_path: Path) -> None:
    pytest.importorskip("xds")
    (tmp_path / "key.pem").write_bytes(b"very secret")
    made = packed(SECRETS, inlined(secret({"filename": str(tmp_path / "key.pem")})).secrets["s"])
    assert "secret" not in repr(made).replace("Secret", "")
