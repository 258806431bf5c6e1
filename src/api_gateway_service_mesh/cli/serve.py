"""``agw serve``."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from .cluster_routes import cluster_routes, routes_options
from .options import gateway_option, policy_option
from .output import coloured, terminal_width

__all__ = ["command"]


@click.command("serve")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option(
    "--store",
    metavar="DIR|URL",
    help="Keep the configuration in a folder, or in a triple store, where updates can change it; FILEs only begin it.",
)
@click.option(
    "--poll-seconds",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="How often a triple store is asked for changes.",
)
@click.option("--writable", is_flag=True, help="Take updates, and write them back to the FILEs.")
@click.option("--host", help="Address to listen on, in place of the listener's.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, in place of the listener's; 0: a free one."
)
@click.option("--admin-host", default="127.0.0.1", show_default=True, help="Address of the admin port.")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), default=9901, show_default=True, help="Port of the admin side."
)
@click.option("--allow-origin", "allow_origins", multiple=True, metavar="ORIGIN",
              help="A site (http://localhost:3000) whose pages may talk to the admin port from a browser.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), help="Data-plane processes (default: one a core).")
@click.option(
    "--data-plane",
    type=click.Choice(("embedded", "envoy")),
    default="embedded",
    show_default=True,
    help="Who carries the requests: agw's own workers, or an Envoy that agw starts and configures.",
)
@click.option("--allow-loss", is_flag=True, help="With envoy: leave out what Envoy cannot say, and say so.")
@click.option("--watch/--no-watch", default=True, show_default=True, help="Reload when the files change.")
@click.option(
    "--drain-seconds",
    type=click.FloatRange(0, 3600),
    default=10.0,
    show_default=True,
    help="How long running requests may end after SIGTERM.",
)
@routes_options
@gateway_option
@policy_option
def command(
    files: tuple[Path, ...],
    store: str | None,
    poll_seconds: float,
    writable: bool,
    host: str | None,
    port: int | None,
    admin_host: str,
    admin_port: int,
    allow_origins: tuple[str, ...],
    workers: int | None,
    data_plane: str,
    allow_loss: bool,
    watch: bool,
    drain_seconds: float,
    gateway: str | None,
    policies: tuple[str, ...],
    **routes: str | None,
) -> int:
    """Serve a configuration: one worker a core, a control process, and an admin port.

    A good edit is live without a dropped request; a bad one changes nothing and prints its report. SIGHUP reloads,
    SIGTERM drains and ends. AGW_ADMIN_TOKEN lets the admin port be opened off loopback.
    """
    if not files and store is None:
        raise click.UsageError("name the files to serve, or say --store")
    if writable and store is not None:
        raise click.UsageError("--writable is for files; a store can be written anyway")
    if routes["routes_from"] is not None and (store is not None or writable or not files):
        raise click.UsageError("--routes-from adds a file to FILEs; it goes with neither --store nor --writable")
    from ..control.options import ServeOptions
    from ..control.serve import serve

    source, files = cluster_routes(files, gateway, **routes)
    options = ServeOptions(
        files=files,
        routes=source,
        store=None if store is None else store if store.startswith(("http://", "https://")) else Path(store),
        writable=writable,
        poll_seconds=poll_seconds,
        host=host,
        port=port,
        admin_host=admin_host,
        admin_port=admin_port,
        admin_token=os.environ.get("AGW_ADMIN_TOKEN"),
        allow_origins=allow_origins,
        workers=workers,
        data_plane=data_plane,
        allow_loss=allow_loss,
        watch=watch,
        gateway=gateway,
        policies=policies,
        drain_seconds=drain_seconds,
        colour=coloured(sys.stderr),
        width=terminal_width() if sys.stderr.isatty() else None,
    )
    return asyncio.run(serve(options))
