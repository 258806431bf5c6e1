"""The documentation site: ``sphinx-build docs docs/_build`` (``pip install 'api-gateway-service-mesh[docs]'``).

The reference of the ontology is written here, from the ontology and the shapes, and the one of the command from the
command itself, so that neither can be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from sphinx.application import Sphinx

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.cli import agw
from api_gateway_service_mesh.graph.reference import Entry, agw_reference
from api_gateway_service_mesh.graph.terms import AGW, XSD, local_name

project = "agw"
release = resources.version()
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "agw"
html_show_copyright = False
# A configuration is Turtle, and Pygments knows it; console blocks show `…` for what differs from run to run.
suppress_warnings = ["misc.highlighting_failure", "toc.not_included"]


def _terms(iris: Iterable[str]) -> str:
    names = (
        f"`agw:{local_name(i)}`" if i.startswith(AGW) else f"`xsd:{local_name(i)}`" if i.startswith(XSD) else f"`{i}`"
        for i in iris
    )
    return ", ".join(names)


def _entry(entry: Entry) -> Iterable[str]:
    yield f"### agw:{entry.name}\n"
    yield f"*{entry.kind}{', written by the gateway' if entry.role == 'runtime' else ''}*. {_prose(entry.comment)}\n"
    if entry.example:
        yield f"```turtle\n{entry.example}\n```\n"
    facts = (
        ("on", _terms(entry.domains)),
        ("value", _terms(entry.ranges)),
        ("one of", ", ".join(f"`{value}`" for value in entry.values)),
        ("kind of", _terms(entry.above)),
        ("more special", _terms(entry.below)),
        ("properties", _terms(entry.properties)),
        ("handed down by", _terms(entry.inherited_by)),
    )
    yield from (f"- {title}: {text}" for title, text in facts if text)
    yield from (f"- checked: {_prose(rule)}" for rule in entry.rules)
    yield ""


def _prose(text: str) -> str:
    return "".join("\\" + letter if letter in "\\`*_{}[]<>#|$" else letter for letter in text)


def _reference(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == "reference/ontology":
        parts = [source[0]]
        for subject in agw_reference():
            if subject.entries:
                parts += [f"## {subject.label}\n", _prose(subject.comment) + "\n"]
                parts += [line for entry in subject.entries for line in _entry(entry)]
        source[0] = "\n".join(parts)
    if docname == "reference/command":
        source[0] += "".join(_commands(agw, click.Context(agw, info_name="agw")))
    if docname == "index":
        pages = sorted(path.relative_to(app.srcdir).with_suffix("") for path in Path(app.srcdir).rglob("*/*.md"))
        lines = ("tutorial", *(str(page) for page in pages if page.parts[0] not in exclude_patterns))
        source[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(lines) + "\n```\n"


def _commands(command: click.Command, context: click.Context) -> Iterable[str]:
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _commands(found, click.Context(found, parent=context, info_name=name, terminal_width=100))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _reference)
    assert Path(app.srcdir).name == "docs"
