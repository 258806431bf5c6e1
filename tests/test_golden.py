"""The golden chain: ``mesh.ttl`` → ``rows.txt``, ``model.json`` (and ``report.txt``, when something is worth a warning) →
``table.txt``. The table is made from the agreed model, not from this run's: the first red stage is the guilty one.

A case is a folder with a ``mesh.ttl``. Each finds certificates in ``tls/``: ``site.pem``, ``site.key``, ``ca.pem``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import Build, build, render_stage
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from api_gateway_service_mesh.routing import compile_table, render_table
from tests.support.certs import Issued, new_authority
from tests.support.golden import check_text, remove_orphans

ACCEPTED = Path(__file__).parent / "golden" / "accepted"
CASES = sorted(path.parent.name for path in ACCEPTED.glob("*/mesh.ttl"))
STAGES = {"rows": "rows.txt", "model": "model.json", "report": "report.txt"}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return new_authority(tmp_path_factory.mktemp("golden"), "golden").issue("site", names=("shop.example.com",))


def built(case: str, folder: Path, issued: Issued) -> Build:
    shutil.copy(ACCEPTED / case / "mesh.ttl", folder)
    (folder / "tls").mkdir()
    for source, name in (
        (issued.certificate_file, "site.pem"), (issued.key_file, "site.key"), (issued.trust_bundle_file, "ca.pem")
    ):  # fmt: skip
        shutil.copy(source, folder / "tls" / name)
    return build(SourceGraph.load([folder / "mesh.ttl"]))


@pytest.mark.parametrize("case", CASES)
def test_turtle_to_model(case: str, tmp_path: Path, issued: Issued, update_golden: bool) -> None:
    made = built(case, tmp_path, issued)
    for stage, name in STAGES.items():
        text = render_stage(made, stage) if stage != "report" or made.report.findings else ""
        check_text(ACCEPTED / case / name, text.replace(str(tmp_path), "CASE"), update=update_golden)


@pytest.mark.parametrize("case", CASES)
def test_model_to_table(case: str, update_golden: bool) -> None:
    mesh = decode(Mesh, json.loads((ACCEPTED / case / "model.json").read_text()))
    check_text(ACCEPTED / case / "table.txt", render_table(compile_table(mesh)), update=update_golden)


def test_nothing_else_lies_about(update_golden: bool) -> None:
    names = ("mesh.ttl", "table.txt", *STAGES.values())
    expected = {ACCEPTED / case / name for case in CASES for name in names}
    manifests = set(ACCEPTED.glob("*/manifests/**/*"))  # these are held by the manifests' own tests
    remove_orphans(ACCEPTED, expected | manifests, update=update_golden)
    assert len(CASES) >= 8
