"""The last stage of the golden chain: ``model.json`` of each accepted case → ``manifests/``, for every target.

The manifests are made from the agreed model, not from this run's Turtle; ``gaps.txt`` holds what a target cannot say.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api_gateway_service_mesh.graph.report import render_report
from api_gateway_service_mesh.manifests import TARGETS, Rendering, render
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from tests.support.golden import check_text, remove_orphans
from tests.support.mesh_model import published, shop

_ACCEPTED = Path(__file__).parents[1] / "golden" / "accepted"
_CASES = sorted(path.parent.name for path in _ACCEPTED.glob("*/model.json"))
_CHECKER = Path(__file__).resolve().parents[3] / "shared" / "schemas" / "check.py"


def rendered(case: str, target: str) -> Rendering:
    mesh = decode(Mesh, json.loads((_ACCEPTED / case / "model.json").read_text(encoding="utf-8")))
    return render(mesh, target, allow_loss=True)


@pytest.mark.parametrize("case", _CASES)
def test_model_to_manifests(case: str, update_golden: bool) -> None:
    folder = _ACCEPTED / case / "manifests"
    expected: set[Path] = set()
    for target in TARGETS:
        rendering = rendered(case, target)
        for manifest in rendering:
            expected.add(folder / manifest.path)
            check_text(folder / manifest.path, manifest.text, update=update_golden)
        gaps = render_report(rendering.report, colour=False) if rendering.report.findings else ""
        expected.add(folder / target / "gaps.txt")
        check_text(folder / target / "gaps.txt", gaps, update=update_golden)
    remove_orphans(folder, expected, update=update_golden)


@pytest.mark.skipif(not _CHECKER.is_file(), reason="the schemas of the official CRDs are not beside this checkout")
@pytest.mark.parametrize("target", sorted(TARGETS.keys() - {"envoy"}))
def test_the_official_schemas_accept_everything(target: str, tmp_path: Path) -> None:
    config = {"config": "@prefix ex: <https://example.org/> .\n"} if target == "kubernetes" else {}
    renderings = {case: rendered(case, target) for case in _CASES}
    renderings |= {
        f"{made.__name__}-model": render(made(), target, allow_loss=True, **config) for made in (published, shop)
    }
    for case, rendering in renderings.items():
        for manifest in rendering:
            path = tmp_path / case / manifest.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(manifest.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(_CHECKER), "--deprecated", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
