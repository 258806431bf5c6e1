"""Manifests as YAML text.

Written by PyYAML's safe dumper, never by templates. YAML 1.1 (PyYAML) and the reader of the Kubernetes API (go-yaml)
disagree about what is plain text (``1e3``, ``0o7``, ``y``), so every string that does not look like a plain word is
quoted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import yaml

from api_gateway_service_mesh.errors import Finding, Report

from .gap import LOSS

__all__ = ["Document", "Manifest", "Rendering", "manifest_files", "yaml_text"]

#: One Kubernetes object.
Document: TypeAlias = dict[str, Any]

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]+")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file: a path relative to the output folder, and its text."""

    path: str
    text: str


class Rendering(tuple[Manifest, ...]):
    """The manifests in the order in which to apply them, and a report of what the target cannot say."""

    report: Report

    def __new__(cls, manifests: Sequence[Manifest], report: Report) -> Self:
        made = super().__new__(cls, manifests)
        made.report = report
        return made

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests alone."""
        return tuple(self)

    @property
    def losses(self) -> tuple[Finding, ...]:
        """What of the configuration is missing from the manifests."""
        return tuple(finding for finding in self.report.findings if finding.code == LOSS)

    def __iter__(self) -> Iterator[Manifest]:
        return super().__iter__()


class _Dumper(yaml.SafeDumper):
    """No anchors, lists indented under their key, doubtful strings quoted."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text and all(char.isprintable() or char in "\n\t" for char in text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def yaml_text(document: Document) -> str:
    """One object as YAML, keys in the order given."""
    return str(
        yaml.dump(document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10_000)
    )


def manifest_files(folder: str, documents: Sequence[Document]) -> list[Manifest]:
    """`documents` as files of `folder`, in their order, called by kind and name.

    Objects of one kind and name in several namespaces carry theirs behind a dot, which no name has.
    """
    stems = [f"{document['kind'].lower()}-{document['metadata']['name']}" for document in documents]
    taken = Counter(stems)
    made: list[Manifest] = []
    for document, stem in zip(documents, stems, strict=True):
        space = document["metadata"].get("namespace")
        file = f"{stem}.{space}" if taken[stem] > 1 and space else stem
        made.append(Manifest(f"{folder}/{file}.yaml", yaml_text(document)))
    return made
