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


@pytest.mark.parametrize("keys", [True, False])
def test_of_a_file_that_holds_both_the_chain_is_told_without_the_key(keys: bool, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    chain = b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"
    both.write_bytes(chain + b"-----BEGIN PRIVATE KEY-----\nBB\n-----END PRIVATE KEY-----\n" + chain)
    named = {"filename": str(both)}
    pair = {"certificate_chain": named, "private_key": named}
    made = inlined(Resources(secrets={"s": {"name": "s", "tls_certificate": pair}}), keys=keys)
    told = made.secrets["s"]["tls_certificate"]
    assert base64.b64decode(told["certificate_chain"]["inline_bytes"]) == chain + chain
    if keys:
        assert base64.b64decode(told["private_key"]["inline_bytes"]) == both.read_bytes()
    else:
        assert told["private_key"] == named


def test_what_is_yet_to_be_issued_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "issued.pem"
    waiting = Resources(secrets=secret({"filename": str(file)}).secrets, awaited=frozenset({"s"}))
    assert inlined(waiting).secrets == {}
    file.write_bytes(b"x")
    assert set(inlined(waiting).secrets) == {"s"}
