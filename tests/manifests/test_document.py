"""Text that Kubernetes reads as it was meant, names that it takes, targets that there are."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests import TARGETS, WATCHERS, Manifest, render
from api_gateway_service_mesh.manifests.document import yaml_text
from api_gateway_service_mesh.manifests.name import duration, name_of, names
from tests.support.mesh_model import published


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_comes_back(text: str) -> None:
    document = {"kind": text, "list": [text, {"key": text}]}
    assert yaml.safe_load(yaml_text(document)) == document


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "y", "n", "on", "no", "null", "~", "0x1F", "1_000", "12:30", "", "- a", "a: b"]
)
def test_what_looks_like_something_else_is_quoted(text: str) -> None:
    assert re.fullmatch(r"key: [\"'].*[\"']\n", yaml_text({"key": text}))


@given(st.text(min_size=1))
def test_names_are_dns_labels(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name_of(text))


def test_names_that_meet_are_told_apart_and_do_not_depend_on_order() -> None:
    pairs = [("urn:1", "ex:a_b"), ("urn:2", "ex:a-b"), ("urn:3", "ex:c")]
    made = names(pairs)
    assert made == names(reversed(pairs))
    assert len(set(made.values())) == 3
    assert made["urn:3"] == "c"


def test_durations() -> None:
    assert [duration(s) for s in (5, 0.25, 90, 0.0001)] == ["5s", "250ms", "90s", "1ms"]


def test_an_unknown_target_names_those_there_are() -> None:
    with pytest.raises(AgwError, match="no target 'nomad'") as caught:
        render(published(), "nomad")
    assert caught.value.remedy == "choose one of: " + ", ".join((*TARGETS, *WATCHERS))


def test_the_rendering_is_a_tuple_of_manifests_and_a_report() -> None:
    rendering = render(published(), "istio", allow_loss=True)
    assert isinstance(rendering, tuple)
    assert all(isinstance(manifest, Manifest) for manifest in rendering)
    assert rendering.manifests == tuple(rendering)
    assert len({manifest.path for manifest in rendering}) == len(rendering)
