"""Text cannot become structure: whatever stands in a free text of the model comes out of every target as that text.

Each free text is once a plain word and once that word with all that YAML, Go templates, shells and Envoy's formats take
for something else behind it. Both are rendered for every target and read again as a machine reads them; the second must
be the first with the words replaced, spelled as the place that they stand in demands (in a regular expression, in a
substitution, in a value that Envoy formats). So nothing is added, lost, renamed or moved by what a text says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
import re2
import yaml

from api_gateway_service_mesh.manifests import TARGETS, Manifest, render
from api_gateway_service_mesh.model import Mesh
from tests.support.rich_mesh import rich

HOSTILE = (
    " a: b # c\n- {{ .Values.x }} {% x %} %REQ(:path)% ${HOME} $(id) '\"\\ \u2028\x85\x7f &a *b !!python/object:os.system\n"
    "---\n... `x` ]] -- <<: *x ? | > @ \t\U0001f600 null"
)
"""What ends a plain scalar, opens a comment, a document, an alias, a tag, a template, a shell's or Envoy's substitution."""
NAMES = {
    "HeaderMatch.name": "a token of HTTP; Gateway API leaves a match out that has another",
    "QueryMatch.name": "Envoy gets a header that is named by its digest",
    "UpstreamTls.server_name": "a host's name or address, which shapes demand",
    "PeerNames.names": "names and addresses of hosts, told apart by their form",
    "JwtAuthentication.forwarded_claims": "becomes the name of a header, and a path in Istio",
    "TokenIntrospection.forwarded_claims": "the same",
    "OpenIdLogin.forwarded_claims": "the same",
    "Tracing.collector": "a URL, whose parts stand in places of their own; shapes hold its form",
    "Compression.types": "media types, of which those with a star stand for others",
    "Route.subset": "becomes the name of a subset",
    "SplitTarget.subset": "the same",
    "Endpoint.labels": "the same",
}
"""Texts that names are made of: test_names_are_dns_labels holds those, and shapes what may be stated."""
MESHES = rich()
_WORD = re.compile(r"word\d{3}x")

_FORMATTED = (
    "X-From", "X-Hop", "X-By", "X-Back", "Link", "Cache-Control", "Content-Security-Policy", "Referrer-Policy",
    "X-Frame-Options",
)  # fmt: skip
"""Fields whose values Envoy formats."""

#: How a text is spelled in a place, by the key that it stands under; everywhere else as it is.
_SPELLED: dict[str, tuple[Callable[[str], str], ...]] = {
    "regex": (re.escape, re2.escape),
    "substitution": (lambda text: text.replace("\\", "\\\\"),),
    "rewrite": (lambda text: text.replace("\\", "\\\\"),),
    "value": (re2.escape, lambda text: text.replace("%", "%%")),
    **dict.fromkeys(_FORMATTED, (lambda text: text.replace("%", "%%"),)),
}


def changed(value: Any, change: Callable[[str, str], str], place: str = "") -> Any:
    """A part of the model, its texts changed by `change`, which is told whose field each is in."""
    if isinstance(value, Enum):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        made = {
            each.name: changed(getattr(value, each.name), change, f"{type(value).__name__}.{each.name}")
            for each in fields(value)
        }
        return replace(value, **made)
    if isinstance(value, tuple | frozenset):
        return type(value)(changed(item, change, place) for item in value)
    return change(place, value) if isinstance(value, str) else value


def worded(mesh: Mesh) -> tuple[Mesh, set[str]]:
    """`mesh` with a word of its own for each free text; the fields that have one."""
    known: dict[tuple[str, str], str] = {}

    def word(place: str, text: str) -> str:
        if place in NAMES:
            return text
        if re.fullmatch(r"some-[a-z-]+", text):
            return known.setdefault((place, text), f"word{len(known):03d}x")
        if re.fullmatch(r"[A-Za-z-]+: [a-z-]+", text):  # a header line: its value is free, but for line ends
            return text.partition(": ")[0] + ": " + known.setdefault((place, text), f"word{len(known):03d}x")
        return text

    return changed(mesh, word), {place for place, _ in known}


def read(manifest: Manifest) -> Any:
    return json.loads(manifest.text) if manifest.path.endswith(".json") else list(yaml.safe_load_all(manifest.text))


def differences(plain: Any, hostile: Any, key: str = "", where: str = "") -> Iterator[str]:
    """Where `hostile` is not `plain` with its words followed by `HOSTILE`."""
    if isinstance(plain, dict) and isinstance(hostile, dict):
        if len(plain) != len(hostile):
            yield f"{where}: {sorted(plain)} became {sorted(hostile)}"
        for (name, one), (other_name, other) in zip(plain.items(), hostile.items(), strict=False):
            if _WORD.sub(lambda found: found[0] + HOSTILE, name) != other_name:
                yield f"{where}: {name} became {other_name!r}"
            yield from differences(one, other, name, f"{where}/{name}")
    elif isinstance(plain, list) and isinstance(hostile, list):
        if len(plain) != len(hostile):
            yield f"{where}: {len(plain)} became {len(hostile)}"
        for at, (one, other) in enumerate(zip(plain, hostile, strict=False)):
            yield from differences(one, other, key, f"{where}/{at}")
    elif isinstance(plain, str) and isinstance(hostile, str):
        spellings = (str, *_SPELLED.get(key, ()))
        wanted = {_WORD.sub(lambda found: spell(found[0] + HOSTILE), plain) for spell in spellings}  # noqa: B023
        if hostile not in wanted:
            yield f"{where}: {plain!r} became {hostile!r}"
    elif plain != hostile:
        yield f"{where}: {plain!r} became {hostile!r}"


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_a_text_says_it_stays_that_text(target: str) -> None:
    seen = 0
    for name, mesh in MESHES.items():
        plain, _ = worded(mesh)
        hostile = changed(plain, lambda _, text: _WORD.sub(lambda found: found[0] + HOSTILE, text))
        ones, others = render(plain, target, allow_loss=True), render(hostile, target, allow_loss=True)
        assert [one.path for one in ones] == [other.path for other in others], name
        for one, other in zip(ones, others, strict=True):
            assert list(differences(read(one), read(other))) == [], (name, one.path)
            seen += len(_WORD.findall(one.text))
    assert seen > (40 if target != "kubernetes" else -1), "the target says some of the texts"


def test_the_texts_are_those_of_the_model() -> None:
    places = set().union(*(worded(mesh)[1] for mesh in MESHES.values()))
    assert len(places) > 60
    assert places >= {"DirectResponse.body", "HeaderMatch.value", "Maintenance.message", "JwtAuthentication.audiences"}
    assert places >= {"DirectResponse.fields", "SecurityHeaders.sets", "HealthCheck.headers"}


def test_the_comparison_sees_what_it_is_for() -> None:
    word = "word001x"
    for careless in (word + HOSTILE.strip(), word, [word + HOSTILE], {"x": 1}):
        assert list(differences({"a": word}, {"a": careless}))
    assert list(differences({"a": word}, {"a": word + HOSTILE, "b": 1}))
    assert not list(differences({"a": f"x {word} y"}, {"a": f"x {word}{HOSTILE} y"}))
