"""``agw xds``."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import sys
from pathlib import Path

import click

from .options import gateway_option, policy_option
from .output import coloured, terminal_width

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("xds")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--store", metavar="DIR|URL", help="Keep the configuration in a folder, or in a triple store.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that Envoys connect to.")
@click.option("--port", type=click.IntRange(0, 65535), default=18000, show_default=True, help="Port likewise.")
@click.option("--certificate", type=_FILE, help="PEM certificate of that port.")
@click.option("--key", type=_FILE, help="PEM key of that port.")
@click.option("--trust", type=_FILE, help="PEM authority whose certificates Envoys must show.")
@click.option(
    "--bootstrap", metavar="NODE", help="Print what the Envoy of this name (sidecar/SERVICE) is started with, and end."
)
@click.option(
    "--envoy-admin",
    default="127.0.0.1:9902",
    show_default=True,
    help="With --bootstrap: Envoy's own admin side, host:port, a socket's path, or none.",
)
@click.option("--whole", is_flag=True, help="With --bootstrap: state of the world, not only what changes.")
@click.option("--allow-loss", is_flag=True, help="Leave out what Envoy cannot say.")
@click.option("--admin-host", default="127.0.0.1", show_default=True, help="Address of the admin port.")
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), default=9901, show_default=True, help="Port of the admin side."
)
@click.option("--watch/--no-watch", default=True, show_default=True, help="Reload when the files change.")
@gateway_option
@policy_option
def command(
    files: tuple[Path, ...],
    store: str | None,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    trust: Path | None,
    bootstrap: str | None,
    envoy_admin: str,
    whole: bool,
    allow_loss: bool,
    admin_host: str,
    admin_port: int,
    watch: bool,
    gateway: str | None,
    policies: tuple[str, ...],
) -> int:
    """Configure a fleet of Envoys from a graph, over gRPC (xDS); each good edit is on all of them at once.

    Start each of them with what --bootstrap prints: a gateway by any name, the sidecar of a service as sidecar/NAME
    (and /INSTANCE, of several). Off loopback the port speaks mutual TLS, and nothing else; a sidecar must show the
    certificate of its service there, and is told no keys but that service's. Where Envoys do not prove who they are,
    they are told the names of keys' files, and no key.
    """
    if bootstrap is not None:
        admin = None if envoy_admin == "none" else envoy_admin
        click.echo(json.dumps(_bootstrap(bootstrap, host, port, trust, admin, delta=not whole), indent=1))
        return 0
    if not files and store is None:
        raise click.UsageError("name the files to serve, or say --store")
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    if not _is_loopback(host) and (certificate is None or trust is None):
        raise click.UsageError(
            "off loopback Envoys have to prove who they are, since they are told keys: "
            "say --certificate, --key and --trust (agw cert makes them)"
        )
    from ..control.options import ServeOptions
    from ..control.serve import serve
    from ..control.xds.plane import FleetDoor
    from ..control.xds.server import Credentials

    credentials = Credentials(certificate, key, trust) if certificate is not None and key is not None else None
    options = ServeOptions(
        files=files,
        store=None if store is None else store if store.startswith(("http://", "https://")) else Path(store),
        admin_host=admin_host,
        admin_port=admin_port,
        admin_token=os.environ.get("AGW_ADMIN_TOKEN"),
        data_plane="envoy",
        fleet=FleetDoor(host, port, credentials),
        allow_loss=allow_loss,
        watch=watch,
        gateway=gateway,
        policies=policies,
        drain_seconds=0.0,
        colour=coloured(sys.stderr),
        width=terminal_width() if sys.stderr.isatty() else None,
    )
    return asyncio.run(serve(options))


def _bootstrap(node: str, host: str, port: int, trust: Path | None, admin: str | None, *, delta: bool) -> object:
    from ..manifests.envoy import ControlPlane, dynamic_bootstrap

    plane = ControlPlane(host, port)
    if trust is not None:
        plane = ControlPlane(host, port, trust, Path("envoy.pem"), Path("envoy-key.pem"))
    return dynamic_bootstrap(plane, node=node, admin=admin, delta=delta)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
