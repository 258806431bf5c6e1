"""``agw manifests``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import build_files, files_argument, gateway_option
from .output import print_report

__all__ = ["command"]


@click.command("manifests")
@files_argument
@gateway_option
@click.option("--target", type=click.Choice(("istio", "kubernetes")), required=True, help="Whose manifests.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to; else standard output."
)
def command(files: tuple[Path, ...], gateway: str | None, target: str, output: Path | None) -> int:
    """Write the same routes and policies as manifests.

    What the target cannot say is listed on standard error, never dropped in silence.
    """
    from ..manifests import render

    built = build_files(files, gateway)
    rendered = render(built.mesh, target)
    print_report(rendered.report)
    if output is None:
        click.echo("---\n".join(manifest.text for manifest in rendered.manifests).rstrip("\n"))
        return 0
    for manifest in rendered.manifests:
        path = output / manifest.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.text, encoding="utf-8")
        click.echo(str(path))
    return 0
