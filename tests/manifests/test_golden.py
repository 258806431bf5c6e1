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
#: Renderings with options, by case and the folder that holds them: the target, its options.
_OPTIONS: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("canary", "istio-flagger"): ("istio", {"canary": "flagger"}),
}
_CHECKER = Path(__file__).resolve().parents[3] / "shared" / "schemas" / "check.py"


def rendered(case: str, target: str, **options: str) -> Rendering:
    mesh = decode(Mesh, json.loads((_ACCEPTED / case / "model.json").read_text(encoding="utf-8")))
    return render(mesh, target, allow_loss=True, **options)


def variants(case: str) -> dict[str, Rendering]:
    """The renderings of a case by the folder of its golden files: one for each target, and those with options."""
    plain = {target: rendered(case, target) for target in TARGETS}
    wanted = {folder: made for (of, folder), made in _OPTIONS.items() if of == case}
    return plain | {folder: rendered(case, target, **options) for folder, (target, options) in wanted.items()}


@pytest.mark.parametrize("case", _CASES)
def test_model_to_manifests(case: str, update_golden: bool) -> None:
    folder = _ACCEPTED / case / "manifests"
    expected: set[Path] = set()
    for name, rendering in variants(case).items():
        for manifest in rendering:
            path = folder / name / Path(manifest.path).relative_to(Path(manifest.path).parts[0])
            expected.add(path)
            check_text(path, manifest.text, update=update_golden)
        gaps = render_report(rendering.report, colour=False) if rendering.report.findings else ""
        expected.add(folder / name / "gaps.txt")
        check_text(folder / name / "gaps.txt", gaps, update=update_golden)
    remove_orphans(folder, expected, update=update_golden)


@pytest.mark.skipif(not _CHECKER.is_file(), reason="the schemas of the official CRDs are not beside this checkout")
@pytest.mark.parametrize("target", sorted(TARGETS.keys() - {"envoy"}))
def test_the_official_schemas_accept_everything(target: str, tmp_path: Path) -> None:
    config = {"config": "@prefix ex: <https://example.org/> .\n"} if target == "kubernetes" else {}
    renderings = {case: rendered(case, target) for case in _CASES}
    renderings |= {name: rendered(case, of, **own) for (case, name), (of, own) in _OPTIONS.items() if of == target}
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
