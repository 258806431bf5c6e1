from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.security.secret import read_secret


def test_from_the_environment_and_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_SECRET", "open sesame")
    (tmp_path / "word").write_text("open sesame\n")
    assert read_secret("env:AGW_TEST_SECRET") == read_secret(f"file:{tmp_path}/word") == "open sesame"


def test_what_cannot_be_had_names_where_not_what(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfesecret")
    for reference in ("env:AGW_TEST_NO_SUCH", f"file:{tmp_path}/none", f"file:{tmp_path}/binary"):
        with pytest.raises(AgwError) as told:
            read_secret(reference)
        assert reference.partition(":")[2] in str(told.value)
        assert "secret\\" not in str(told.value)
