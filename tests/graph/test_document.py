"""Reading files: each way of failing is a finding with place and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.graph.document import location_at, read_document, text_document

GOOD = "<http://a> <http://b> <http://c> .\n"


def refused(path: Path) -> Finding:
    with pytest.raises(ConfigError) as error:
        read_document(path)
    (finding,) = error.value.report.findings
    assert finding.remedy
    assert finding.location
    return finding


def test_a_missing_file_names_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "shop.ttl").write_text(GOOD)
    finding = refused(tmp_path / "shpo.ttl")
    assert finding.code == "missing-file"
    assert "shop.ttl" in (finding.remedy or "")


def test_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "not-a-file"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(" \n")
    assert refused(tmp_path / "a.ttl").code == "empty"


def test_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_bytes(b"# \xc3\xa9\n<http://a> \xff")
    finding = refused(tmp_path / "a.ttl")
    assert finding.code == "not-utf-8"
    assert finding.location is not None
    assert (finding.location.line, finding.location.column) == (2, 12)


def test_utf_16(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(GOOD, encoding="utf-16")
    assert "UTF-16" in refused(tmp_path / "a.ttl").message


def test_a_byte_order_mark_is_skipped_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(GOOD, encoding="utf-8-sig")
    document = read_document(tmp_path / "a.ttl")
    assert document.text == GOOD
    assert [finding.code for finding in document.findings] == ["byte-order-mark"]


def test_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.ttl").open("wb") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    assert refused(tmp_path / "a.ttl").code == "too-large"


@pytest.mark.parametrize("name", ["a.rdf", "a.owl", "a.xml", "a.txt", "a"])
def test_formats_agw_does_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD)
    assert refused(tmp_path / name).code == "unsupported-format"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(GOOD)
    (tmp_path / "a.ttl").chmod(0)
    assert refused(tmp_path / "a.ttl").code == "unreadable"


def test_base_and_folder_are_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.ttl").write_text(GOOD)
    document = read_document(tmp_path / "a.ttl")
    assert document.base == (tmp_path / "a.ttl").resolve().as_uri()
    assert document.folder == tmp_path.resolve()


def test_places_count_characters() -> None:
    place = location_at(text_document("é\nüb", "x.ttl"), 3)
    assert str(place) == "x.ttl:2:2"
