"""A kustomize base and a Helm chart of the same objects."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests import Rendering, render
from tests.support.mesh_model import published, shop
from tests.support.rich_mesh import rich

from ..test_hostile_text import HOSTILE, changed, worded

CONFIG = {"gateway.ttl": '@prefix ex: <urn:ex:> .\nex:a ex:b "{{ .Values.secret }} `x` {{- end }}" .\n'}


def written(rendering: Rendering, folder: Path) -> None:
    for manifest in rendering:
        path = folder / manifest.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.text, encoding="utf-8")


def test_a_base_names_all_its_files(tmp_path: Path) -> None:
    written(render(shop(), "kubernetes", form="kustomize", config=CONFIG), tmp_path)
    folder = tmp_path / "kubernetes"
    base = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert sorted(base["resources"]) == sorted(
        path.name for path in folder.iterdir() if path.name != "kustomization.yaml"
    )


NEEDS_HELM = pytest.mark.skipif(shutil.which("helm") is None, reason="no helm: see .ci/servers")


@NEEDS_HELM
def test_helm_makes_the_same_objects_of_the_chart(tmp_path: Path) -> None:
    hostile = replace(shop(), name="ex:{{ .Values.secret }}", iri="https://example.org/{{evil}}")
    written(render(hostile, "kubernetes", form="helm", config=CONFIG, namespace="shop"), tmp_path)
    command = ["helm", "template", "release", str(tmp_path / "helm"), "--namespace", "shop", "--set", "image=agw:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(done.stdout)}
    plain = {}
    for manifest in render(hostile, "kubernetes", config=CONFIG, namespace="shop", image="agw:9"):
        document = yaml.safe_load(manifest.text)
        plain[document["kind"], document["metadata"]["name"]] = document
    assert made == plain


def test_a_chart_has_no_braces_of_the_configuration(tmp_path: Path) -> None:
    hostile = replace(published(), iri="https://example.org/{{evil}}")
    written(render(hostile, "kubernetes", form="helm", config=CONFIG), tmp_path)
    for path in (tmp_path / "helm" / "templates").iterdir():
        text = path.read_text().replace('{{ "{{" }}', "")
        assert "{{evil" not in text
        assert ".Values.secret" not in text
    assert (tmp_path / "helm" / "files" / "gateway.ttl").read_text() == CONFIG["gateway.ttl"]


def templated(rendering: Rendering, folder: Path, *more: str) -> list[object]:
    """What Helm makes of a chart."""
    written(rendering, folder)
    command = ["helm", "template", "release", str(folder / "helm"), "--namespace", "shop", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(yaml.safe_load_all(done.stdout), key=repr)


def plainly(rendering: Rendering) -> list[object]:
    made = [yaml.safe_load(manifest.text) for manifest in rendering]
    return sorted((each for each in made if each["kind"] != "Kustomization"), key=repr)


@pytest.mark.parametrize("name", rich())
@pytest.mark.parametrize("form", ["kustomize", pytest.param("helm", marks=NEEDS_HELM)])
def test_whatever_texts_say_every_form_has_the_same_objects(name: str, form: str, tmp_path: Path) -> None:
    """Every free text of the model and of the options is one that a chart, a shell or YAML would take for its own."""
    word = "agw-value-0- agw-value-value-1-" + HOSTILE
    mesh, _ = worded(rich()[name])
    mesh = changed(mesh, lambda _, text: re.sub(r"word\d{3}x", lambda found: found[0] + word, text))
    mesh = replace(mesh, name=f"word {word}", iri=f"https://example.org/{word}")
    options = {"config": {"gateway.ttl": f"# {word}\n"}, "namespace": "shop", "image": f"agw{word}"}
    plain = plainly(render(mesh, "kubernetes", **options))
    made = render(mesh, "kubernetes", form=form, **options)
    assert (templated(made, tmp_path) if form == "helm" else plainly(made)) == plain
    assert "!!python" in repr(plain)


@pytest.mark.parametrize("name", ["../gateway.ttl", "a/b.ttl", "..", "", 'a"}}{{ .x', "my file.ttl", "a\n"])
def test_a_file_of_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(AgwError, match="cannot be the name of a file in a ConfigMap"):
        render(shop(), "kubernetes", form="helm", config={name: "x"})
