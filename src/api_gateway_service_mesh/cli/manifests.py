"""``agw manifests``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import AgwError
from .options import build_files, files_argument, gateway_option
from .output import print_report
from .writing import write_whole

__all__ = ["command"]


@click.command("manifests")
@files_argument
@gateway_option
@click.option("--target", type=click.Choice(("envoy", "istio", "kubernetes")), required=True, help="Whose manifests.")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option("--namespace", help="Kubernetes namespace (default: the service mesh's).")
@click.option("--image", help="kubernetes: the gateway's container image.")
def command(
    files: tuple[Path, ...],
    gateway: str | None,
    target: str,
    output: Path | None,
    namespace: str | None,
    image: str | None,
) -> int:
    """Write the same routes and policies as manifests, to a folder or to standard output.

    What the target cannot say is listed on standard error, never dropped in silence.
    """
    from ..manifests import render

    if image and target != "kubernetes":
        raise click.UsageError("--image belongs to --target kubernetes")
    built = build_files(files, gateway)
    options: dict[str, Any] = {"namespace": namespace}
    if target == "kubernetes":
        options["config"] = _texts(built.source.files)
        options |= {"image": image} if image else {}
    rendered = render(built.mesh, target, **options)
    print_report(rendered.report)
    if output is None:
        click.echo("---\n".join(manifest.text for manifest in rendered.manifests).rstrip("\n"))
        return 0
    for manifest in rendered.manifests:
        path = output / manifest.path
        write_whole(path, manifest.text)
        click.echo(str(path))
    return 0


def _texts(files: tuple[str, ...]) -> dict[str, str]:
    """The configuration's files by name, as they go into the ConfigMap: it is flat, so names must differ."""
    texts: dict[str, str] = {}
    for path in map(Path, files):
        if path.name in texts:
            raise AgwError(
                f"two files are named {path.name}; a ConfigMap holds one of a name",
                remedy="give the files different names",
            )
        texts[path.name] = path.read_text(encoding="utf-8")
    return texts
