"""The options of ``agw serve`` that have it follow the routes of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import click

from ..errors import AgwError

if TYPE_CHECKING:
    from ..control.cluster_routes import ClusterRoutes

__all__ = ["cluster_routes", "routes_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])


def routes_options(command: _Command) -> _Command:
    """Adds them."""
    for option in reversed(
        (
            click.option(
                "--routes-from",
                metavar="URL|cluster",
                help="Serve the routes of a Kubernetes cluster too (Gateway API, annotated Services): its API server,"
                " or the cluster that agw runs in.",
            ),
            click.option(
                "--routes-file",
                metavar="FILE",
                help="Where they are kept (default: cluster-routes.ttl beside the first FILE).",
            ),
            click.option("--routes-namespace", metavar="NAME", help="Of one namespace only."),
            click.option(
                "--routes-class",
                metavar="NAME",
                default="agw",
                show_default=True,
                help="The gatewayClassName of Gateways that are meant.",
            ),
            click.option("--routes-token", metavar="REF", help="The API server's token: env:NAME or file:PATH."),
            click.option("--routes-trust", metavar="FILE", help="PEM file of the API server's authorities."),
        )
    ):
        command = option(command)
    return command


def cluster_routes(
    files: tuple[Path, ...],
    gateway: str | None,
    *,
    routes_from: str | None,
    routes_file: str | None,
    routes_namespace: str | None,
    routes_class: str | None,
    routes_token: str | None,
    routes_trust: str | None,
) -> tuple[ClusterRoutes | None, tuple[Path, ...]]:
    """What follows the cluster, if any, and the files that are served.

    Raises:
        AgwError: the file cannot be written, or where the cluster is cannot be told.
    """
    if routes_from is None:
        return None, files
    _judge(routes_from)
    from ..control.cluster_routes import BASE, ClusterRoutes
    from ..model import Registry, RegistryType

    file = Path(routes_file) if routes_file is not None else files[0].parent / "cluster-routes.ttl"
    others = tuple(each for each in files if each.resolve() != file.resolve())
    registry = Registry(
        f"{BASE}registry",
        RegistryType.KUBERNETES,
        None if routes_from == "cluster" else routes_from,
        routes_token,
        trust_file=routes_trust,
    )
    found = ClusterRoutes(registry, routes_namespace, routes_class or "agw", file, others, gateway)
    try:
        found.prepare()
    except OSError as error:
        raise AgwError(f"{file} cannot be written: {error.strerror}", remedy="name another: --routes-file") from None
    return found, (*others, file)


def _judge(routes_from: str) -> None:
    """Refuse at the start what could only fail ever after."""
    if routes_from == "cluster":
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise AgwError(
                "--routes-from cluster: agw does not run in a cluster (KUBERNETES_SERVICE_HOST is not set)",
                remedy="name its API server: --routes-from https://HOST:6443, with --routes-token and --routes-trust",
            )
        return
    try:
        url = urlsplit(routes_from)
        known = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        known = False
    if not known:
        raise AgwError(
            f"--routes-from {routes_from}: not the URL of an API server",
            remedy="write --routes-from https://HOST:6443, or --routes-from cluster for the one that agw runs in",
        )
