"""``agw``: the command line.

Rules of this package: a command parses, calls the floor below, prints. Each command is a module of its own, imported
only when it is called, so that ``agw --help`` answers at once. Exit status 0: done; 1: the configuration (or what it
asks for, a port say) is wrong; 2: the command was called wrongly. Reports and progress go to standard error, answers to
standard output; colour only on a terminal.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from ..errors import AgwError

__all__ = ["agw", "main"]

# In the order of a newcomer's day, which is the order of --help.
COMMANDS = {
    "demo": "The shop example: backends, traffic, limits, a breaker and a canary in 20 seconds.",
    "init": "Write a first gateway.ttl to start from.",
    "validate": "Check configurations; say what is wrong, where, and the remedy.",
    "test": "Hold a configuration against the expectations that stand in it.",
    "serve": "Serve a configuration, and reload it when its files change.",
    "routes": "List the routes in the order in which they are tried.",
    "explain": "Say which route takes a request, and why, down to the triple.",
    "effective": "List every policy that acts on a route, the way it came, and what it overrode.",
    "query": "Ask a configuration, or a running gateway, in SPARQL.",
    "top": "Watch a running gateway: routes and services by rate, errors and latency, second by second.",
    "doctor": "Find what ails a gateway: breakers, handshakes, limiters, dead routes, ill endpoints, clocks.",
    "apply": "Change a running gateway: what the files describe becomes what they say.",
    "diff": "Say what changed between two configurations, or two revisions: in meaning, requests, triples.",
    "impact": "Say what a change would touch: routes, hosts, services, manifests, share of the traffic.",
    "history": "List what a running gateway served: who changed what, when, why.",
    "rollback": "Serve an earlier revision again.",
    "cache": "Purge what a running gateway keeps of answers: by URL, by tag, or all.",
    "load": "Put ontology, shapes and configuration into a triple store.",
    "show": "Print any stage of the compiler: source, inferred, report, rows, model, table.",
    "manifests": "Write manifests for Istio, Kubernetes or Envoy.",
    "import": "Write what others configured (Gateway API, Ingress, Istio) as Turtle.",
    "xds": "Configure a fleet of Envoys from a graph.",
    "cert": "A small certificate authority for mutual TLS.",
    "logs": "Ask access logs: routes that nobody uses, limits never hit, what is slow.",
    "audit": "Check the chain of an audit log: nothing changed, taken out, moved or cut off.",
    "key": "Make API keys; only their hashes stand in a configuration.",
}

# Commands that Python has other plans for.
_MODULES = {"import": "importing"}


class _Commands(click.Group):
    """Imports a command's module when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{_MODULES.get(cmd_name, cmd_name)}", __name__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.format_message()} Did you mean '{near[0]}'?", ctx) from None


def _say_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from .. import resources

        click.echo(f"agw, version {resources.version()}, data plane {resources.build()}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version, and whether the data plane is compiled, and exit.",
)
def agw() -> None:
    """A gateway whose configuration is a knowledge graph.

    Write routes, limits, breakers and certificates as Turtle; agw checks them, serves them, and answers SPARQL about
    them while traffic flows.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        status: Any = agw.main(
            args=list(arguments) if arguments is not None else None, prog_name="agw", standalone_mode=False
        )
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # `agw routes | head`: the reader has what it wants. Keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # A file that cannot be written, a full disk: the system's own words name it best.
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {place}{error.strerror or error}", err=True)
        sys.exit(1)
    except AgwError as error:
        from .output import print_error

        print_error(error)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
