"""``agw load``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from .options import build_files, files_argument, gateway_option
from .output import print_report, step

__all__ = ["command"]

_LARGE = 1 << 20


@click.command("load")
@files_argument
@click.option("--store", metavar="URL", required=True, help="The triple store, or its Graph Store endpoint.")
@gateway_option
def command(files: tuple[Path, ...], store: str, gateway: str | None) -> int:
    """Put ontology, shapes and configuration into a triple store, each in its named graph, over the Graph Store
    Protocol. What the store held of these graphs is replaced; a configuration that is wrong is not loaded.

    AGW_STORE_AUTHORIZATION is sent as the Authorization field. agw serve --store URL serves from there.
    """
    from ..control.load import graph_store_of, graphs_to_load, put_graph

    built = build_files(files, gateway)
    print_report(built.report)
    endpoint = graph_store_of(store)
    for name, count, body in graphs_to_load(built.source):
        step(f"{name}: {count} triples, {len(body)} bytes …")
        put_graph(endpoint, name, body, _progress(name, len(body)))
        click.echo(f"{name}: {count} triples")
    return 0


def _progress(name: str, size: int) -> Callable[[int], None]:
    """Tells every tenth of a body that takes a while."""
    tenths = 0

    def told(sent: int) -> None:
        nonlocal tenths
        if size >= _LARGE and sent * 10 // size > tenths:
            tenths = sent * 10 // size
            step(f"{name}: {tenths * 10} %")

    return told
