"""``agw manifests``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from ..errors import AgwError
from .options import build_files, gateway_option
from .output import print_report
from .writing import write_whole

__all__ = ["command"]

_TARGETS = ("consul", "envoy", "gateway-api", "grafana", "istio", "kubernetes", "linkerd", "prometheus")
#: Options that some targets alone have.
_OWN = {
    "image": ("kubernetes",),
    "gateway_class": ("gateway-api",),
    "plain": ("consul",),
    "profiles": ("linkerd",),
    "form": ("kubernetes",),
    "canary": ("istio",),
    "job": ("prometheus", "grafana"),
}


@click.command("manifests")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@gateway_option
@click.option("--target", type=click.Choice(_TARGETS), help="Whose manifests.")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option("--namespace", help="Kubernetes namespace (default: the service mesh's).")
@click.option("--image", help="kubernetes: the gateway's container image.")
@click.option(
    "--form", type=click.Choice(("plain", "kustomize", "helm")), help="kubernetes: how the files are laid out."
)
@click.option("--gateway-class", help="gateway-api: the GatewayClass of your implementation.")
@click.option("--plain", is_flag=True, help="consul: config entries for a plain agent, as JSON.")
@click.option("--profiles", is_flag=True, help="linkerd: ServiceProfiles with retry budgets, too.")
@click.option("--canary", type=click.Choice(("flagger",)), help="istio: who delivers the canaries that have steps.")
@click.option("--job", help="prometheus, grafana: what the gateway is scraped as (default: agw).")
@click.option("--allow-loss", is_flag=True, help="Leave out what the target cannot say, and list it.")
@click.option("--explain", is_flag=True, help="Print what each target can say of the ontology, and why not.")
@click.option(
    "--diff",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Print what would change in a folder of manifests, and write nothing.",
)
def command(
    files: tuple[Path, ...],
    gateway: str | None,
    target: str | None,
    output: Path | None,
    namespace: str | None,
    allow_loss: bool,
    explain: bool,
    folder: Path | None,
    **own: Any,
) -> int:
    """Write the same routes and policies as manifests, to a folder or to standard output.

    A configuration that the target cannot say whole is refused, unless --allow-loss; what is missing, or works
    otherwise there, is listed on standard error, never dropped in silence. --explain prints the table of what each
    target can say (with files: of what they state). --diff FOLDER shows what -o FOLDER would change; exit status 1 when
    there is something.
    """
    if explain:
        from .capability import print_capabilities

        print_capabilities(target, build_files(files, gateway).mesh if files else None)
        return 0
    if not files:
        raise click.UsageError("Missing argument 'FILE...'")
    if target is None:
        raise click.UsageError("Missing option '--target'")
    stated = {name: value for name, value in own.items() if value}
    for name in stated:
        if target not in _OWN[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to --target {' or '.join(_OWN[name])}")
    from ..manifests import render

    built = build_files(files, gateway)
    options: dict[str, Any] = {"namespace": namespace, **stated}
    if target == "kubernetes":
        options["config"] = _texts(built.source.files)
    rendered = render(built.mesh, target, allow_loss=allow_loss, **options)
    print_report(rendered.report)
    made = {manifest.path: manifest.text for manifest in rendered.manifests}
    if folder is not None:
        return _print_difference(folder, target, made)
    if output is None:
        click.echo("---\n".join(made.values()).rstrip("\n"))
        return 0
    for path, text in made.items():
        write_whole(output / path, text)
        click.echo(str(output / path))
    return 0


def _print_difference(folder: Path, target: str, made: dict[str, str]) -> int:
    """What writing `made` to `folder` would change, file by file; files of the target that it no longer has, too."""
    there = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((folder / target).rglob("*"))
        if path.is_file()
    }
    changed = 0
    for path in sorted({*made, *there}):
        old, new = there.get(path), made.get(path)
        if old == new:
            continue
        changed = 1
        lines = difflib.unified_diff(
            (old or "").splitlines(),
            (new or "").splitlines(),
            f"{path} (there)" if old is not None else "/dev/null",
            f"{path} (new)" if new is not None else "/dev/null",
            lineterm="",
        )
        click.echo("\n".join(lines))
    return changed


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
