from __future__ import annotations

import os
from pathlib import Path

import pytest

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.model import Certificate
from api_gateway_service_mesh.projection import assemble, project
from tests.support.configuration import EX, HEAD, assembled, only_finding

USED = """ex:g a agw:ApiGateway ; agw:hasListener ex:l . ex:l a agw:Listener ; agw:port 1 ; agw:hasCertificate ex:c .
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf" / "tls").mkdir(parents=True)
    for name in ("conf/tls/a.pem", "conf/tls/a.key", "conf/tls/ca.pem", "secret.pem"):
        (tmp_path / name).write_text("x")
    return tmp_path / "conf"


def certificate(stated: str, folder: Path) -> Certificate:
    (listener,) = assembled(f"{USED} ex:c a agw:Certificate ; {stated} .", base_dir=folder).accepted().listeners
    assert listener.certificate
    return listener.certificate


def test_paths_become_absolute_from_the_folder_of_the_file(folder: Path) -> None:
    found = certificate(
        'agw:certificateFile "tls/a.pem" ; agw:privateKeyRef "file:tls/a.key" ; agw:trustBundleFile "tls/ca.pem" ; '
        'agw:rotationPeriod "P30D"^^xsd:duration',
        folder,
    )
    tls = folder / "tls"
    assert found == Certificate(EX + "c", f"{tls}/a.pem", f"file:{tls}/a.key", f"{tls}/ca.pem", 30 * 86400.0)


def test_each_file_of_a_configuration_has_its_own_folder(folder: Path) -> None:
    (folder / "main.ttl").write_text(f"{HEAD}{USED}")
    (folder / "tls" / "certificates.ttl").write_text(f'{HEAD}ex:c a agw:Certificate ; agw:certificateFile "a.pem" .')
    graph = infer(SourceGraph.load([folder / "main.ttl", folder / "tls" / "certificates.ttl"]))
    mesh = assemble(project(graph), graph).accepted()
    assert mesh.listeners[0].certificate and mesh.listeners[0].certificate.certificate_file == f"{folder}/tls/a.pem"


def test_a_missing_file_is_refused_at_its_line(folder: Path) -> None:
    finding = only_finding(assembled('ex:c a agw:Certificate ;\n agw:certificateFile "tls/b.pem" .', base_dir=folder))
    assert finding.code == "certificate-file"
    assert "does not exist" in finding.message and f"{folder}/tls/b.pem" in finding.message
    assert finding.location and finding.location.line == 3


def test_a_missing_key_file_is_refused_at_its_line(folder: Path) -> None:
    finding = only_finding(
        assembled('ex:c a agw:Certificate ;\n agw:privateKeyRef "file:tls/b.key" .', base_dir=folder)
    )
    assert finding.code == "certificate-file"
    assert finding.location and finding.location.line == 3


def test_a_folder_is_no_certificate(folder: Path) -> None:
    finding = only_finding(assembled('ex:c a agw:Certificate ; agw:certificateFile "tls" .', base_dir=folder))
    assert "is a folder" in finding.message


@pytest.mark.parametrize("path", ["../secret.pem", "tls/../../secret.pem", "/etc/passwd", "link.pem", "out/secret.pem"])
def test_nothing_leads_out_of_the_folder(folder: Path, path: str) -> None:
    (folder / "link.pem").symlink_to(folder.parent / "secret.pem")
    (folder / "out").symlink_to(folder.parent)
    finding = only_finding(assembled(f'ex:c a agw:Certificate ; agw:trustBundleFile "{path}" .', base_dir=folder))
    assert finding.code == "file-outside-folder"


def test_an_allowed_folder_is_allowed(folder: Path) -> None:
    text = 'ex:c a agw:Certificate ; agw:trustBundleFile "../secret.pem" .'
    assert not assembled(text, base_dir=folder, allowed_folders=(folder.parent,)).findings


def test_links_within_the_folder_are_followed_but_their_name_stays(folder: Path) -> None:
    """A Kubernetes secret volume renews its files by moving a link."""
    (folder / "..data").symlink_to("tls")
    (folder / "a.pem").symlink_to("..data/a.pem")
    assert certificate('agw:certificateFile "a.pem"', folder).certificate_file == f"{folder}/a.pem"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_key_is_refused(folder: Path) -> None:
    (folder / "tls" / "a.key").chmod(0)
    finding = only_finding(assembled('ex:c a agw:Certificate ; agw:privateKeyRef "file:tls/a.key" .', base_dir=folder))
    assert "may not read" in finding.message


def test_an_unset_variable_is_named_and_its_value_never(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'ex:c a agw:Certificate ; agw:privateKeyRef "env:SHOP_KEY" .'
    monkeypatch.delenv("SHOP_KEY", raising=False)
    finding = only_finding(assembled(text, base_dir=folder))
    assert finding.code == "key-missing" and "SHOP_KEY" in finding.message
    monkeypatch.setenv("SHOP_KEY", "pem-text")
    found = assembled(text, base_dir=folder)
    assert not found.findings and "pem-text" not in repr(found)


def test_a_literal_secret_is_refused_and_not_repeated(folder: Path) -> None:
    finding = only_finding(
        assembled('ex:c a agw:Certificate ; agw:privateKeyRef "-----BEGIN hunter2" .', base_dir=folder)
    )
    assert finding.code == "literal-secret"
    assert "hunter2" not in repr(finding)


def test_unusable_paths_are_sentences(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    for path in ("loop", "x" * 5000, "a\\u0000b"):
        found = assembled(f'ex:c a agw:Certificate ; agw:certificateFile "{path}" .', base_dir=folder)
        assert only_finding(found).code == "certificate-file"
