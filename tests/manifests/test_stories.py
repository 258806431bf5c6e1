"""The shop and the mTLS example for every target, and the table of what each can say, by one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from api_gateway_service_mesh.cli.manifests import command
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.manifests import TARGETS, render
from api_gateway_service_mesh.manifests.feature import FEATURES
from api_gateway_service_mesh.vocabulary import NAMESPACE
from tests.support.examples import copied

_CHECKER = Path(__file__).resolve().parents[3] / "shared" / "schemas" / "check.py"


@pytest.mark.parametrize("story", ["shop", "mtls"])
def test_a_story_is_written_for_every_target(story: str, tmp_path: Path) -> None:
    folder = copied(story, tmp_path)
    mesh = build(SourceGraph.load([folder / "gateway.ttl"])).mesh
    turtle = (folder / "gateway.ttl").read_text(encoding="utf-8")
    written = tmp_path / "written"
    for target in TARGETS:
        options = {"config": turtle} if target == "kubernetes" else {}
        rendering = render(mesh, target, allow_loss=True, **options)
        assert len(rendering), target
        for manifest in rendering:
            if manifest.path.endswith(".json"):
                json.loads(manifest.text)
                continue
            assert all(document["kind"] for document in yaml.safe_load_all(manifest.text) if document)
            path = written / manifest.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(manifest.text, encoding="utf-8")
    if _CHECKER.is_file():  # the schemas of the official CRDs, where they are beside this checkout
        asked = [sys.executable, str(_CHECKER), "--deprecated", str(written)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_one_command_prints_the_whole_table() -> None:
    done = CliRunner().invoke(command, ["--explain"])
    assert done.exit_code == 0, done.output
    head, *rows = done.output.splitlines()
    assert head.split() == ["term", *TARGETS]
    told = {row.split()[0] for row in rows if row.startswith("agw:")}
    assert {f"agw:{term.removeprefix(NAMESPACE)}" for term in FEATURES.values()} <= told
