"""YAML of others, read within bounds and with places."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph.plain import List, Map, documents


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        documents("f.yaml", text)
    (finding,) = caught.value.report.findings
    return finding.code, f"{finding.location} {finding.message}"


def test_values_have_their_places() -> None:
    (first, second) = documents("f.yaml", 'a: 1\nb:\n  - x\n  - {c: yes}\n---\n{"d": 2.5, "e": null}\n---\n')
    listed = first.values["b"]
    assert isinstance(listed, List)
    inner = listed.values[1]
    assert isinstance(inner, Map)
    assert first.values["a"] == 1 and inner.values == {"c": True}
    assert (str(first.places["b"]), str(listed.places[1])) == ("f.yaml:2:1", "f.yaml:4:5")
    assert second.values == {"d": 2.5, "e": None}


def test_merges_and_aliases_are_written_out() -> None:
    (made,) = documents("f.yaml", "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")
    used = made.values["use"]
    assert isinstance(used, Map) and used.values == {"y": 3, "x": 1}


def test_a_key_that_stands_twice_is_an_error() -> None:
    assert refused("a: 1\na: 2\n") == ("syntax", "f.yaml:2:1 the key 'a' stands twice; one of them would be dropped")


def test_only_plain_values_are_made() -> None:
    assert refused("a: !!python/object/apply:os.system ['true']\n")[0] == "syntax"
    assert refused("a: !!python/name:os.system ''\n")[0] == "syntax"


@pytest.mark.parametrize("text", ["a: [", "- 1", "just text", "a: &x [*x]", "\x00", "? [a]\n: 1\n"])
def test_what_is_no_document_is_refused_with_its_place(text: str) -> None:
    assert refused(text)[1].startswith("f.yaml:")


def test_bounds() -> None:
    assert refused("[" * 100 + "]" * 100)[0] == "too-deep"
    assert refused("a: &a 1\nb: [" + "*a," * 1001 + "]")[0] == "too-large"
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert refused("\n".join(lines))[0] == "too-large"
    assert refused("a: " + "x" * (17 << 20))[0] == "too-large"
