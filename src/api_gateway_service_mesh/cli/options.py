"""Arguments that several commands share, and the one way a command gets from files to a build."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .output import step

if TYPE_CHECKING:
    from ..control.build import Build

__all__ = ["build_files", "files_argument", "format_option", "gateway_option", "policy_option"]

Command = TypeVar("Command", bound=Callable[..., Any])


def files_argument(command: Command) -> Command:
    """``FILE…``: Turtle files. Whether they exist is the loader's to say."""
    return click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")(command)


def gateway_option(command: Command) -> Command:
    """``--gateway IRI`` picks one agw:ApiGateway where a graph holds several."""
    return click.option("--gateway", metavar="IRI", help="Which agw:ApiGateway to take, where there are several.")(
        command
    )


def format_option(*formats: str) -> Callable[[Command], Command]:
    """``--format``: the first one named is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of the answer.",
    )


def policy_option(command: Command) -> Command:
    """``--policy PACK``, several times: rules of an organisation that configurations must keep."""
    return click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="PACK",
        help="A policy pack to keep: its name, or a Turtle file of SHACL shapes and change gates. Repeatable.",
    )(command)


def build_files(files: tuple[Path, ...], gateway: str | None = None, policies: tuple[str, ...] = ()) -> Build:
    """Load, infer, validate (with the policy packs named), project and compile.

    Raises:
        ConfigError: with the whole report.
    """
    from ..control.build import build
    from ..control.packs import load_packs
    from ..graph import SourceGraph

    packs = load_packs(policies)
    started = time.perf_counter()
    source = SourceGraph.load(list(files))
    step(f"loaded {len(source.triples)} triples from {', '.join(map(str, files))}")
    result = build(source, gateway=gateway, packs=packs, told=step)
    step(f"compiled {len(result.mesh.routes)} routes in {time.perf_counter() - started:.2f} s")
    return result
