"""``agw cert``: a small certificate authority, enough for mutual TLS on a desk or in a test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import format_option
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..security.authority import IssuedCertificate

__all__ = ["command"]

folder_option = click.option(
    "-d",
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("certs"),
    show_default=True,
    help="Where the authority and its certificates lie.",
)
days_option = click.option("--days", type=click.IntRange(1, 36500), help="How long it is valid.")


@click.group("cert")
def command() -> None:
    """Make an authority, issue certificates for servers and clients, and see when they expire."""


@command.command("ca")
@folder_option
@click.option("--name", default="agw certificate authority", show_default=True, help="The authority's common name.")
@days_option
def authority(folder: Path, name: str, days: int | None) -> int:
    """Make an authority in the folder. An authority that is there already is never overwritten."""
    from ..security.authority import create_authority

    issued = create_authority(folder, name, days=days) if days else create_authority(folder, name)
    _print_issued(issued)
    click.echo(f"next: agw cert issue -d {folder} --name localhost --name 127.0.0.1")
    return 0


@command.command("issue")
@folder_option
@click.option("--name", "names", multiple=True, help="DNS name or IP address; several allowed.")
@click.option("--uri", "uris", multiple=True, help="SPIFFE ID; several allowed.")
@days_option
def issue(folder: Path, names: tuple[str, ...], uris: tuple[str, ...], days: int | None) -> int:
    """Issue a certificate for names and SPIFFE IDs; it serves servers and clients alike."""
    from ..security import authority as ca

    if not names and not uris:
        raise click.UsageError("name at least one --name or --uri")
    _print_issued(ca.issue(folder, names, uris, days=days) if days else ca.issue(folder, names, uris))
    return 0


@command.command("rotate")
@folder_option
@click.argument("stem")
@days_option
def rotate(folder: Path, stem: str, days: int | None) -> int:
    """Replace STEM.pem and its key by new ones with the same names."""
    from ..security import authority as ca

    _print_issued(ca.rotate(folder, stem, days) if days else ca.rotate(folder, stem))
    return 0


@command.command("status")
@folder_option
@format_option("human", "json")
def status(folder: Path, form: str) -> int:
    """List the folder's certificates, the soonest to expire first. Exit status 1 when one has expired."""
    from ..security import authority as ca

    found = ca.status(folder)
    if form == "json":
        print_json(
            [
                {
                    "file": str(one.certificate_file),
                    "notAfter": one.facts.not_after.isoformat(),
                    "remainingDays": round(one.remaining_days, 2),
                    "dnsNames": one.facts.dns_names,
                    "ipAddresses": one.facts.ip_addresses,
                    "uris": one.facts.uris,
                    "authority": one.facts.is_authority,
                }
                for one in found
            ]
        )
    else:
        print_table(
            ["FILE", "EXPIRES", "DAYS", "NAMES"],
            [
                [
                    str(one.certificate_file),
                    f"{one.facts.not_after:%Y-%m-%d}",
                    "expired" if one.remaining_days < 0 else f"{one.remaining_days:.0f}",
                    ", ".join((*one.facts.dns_names, *one.facts.ip_addresses, *one.facts.uris)) or one.facts.subject,
                ]
                for one in found
            ],
        )
    return 1 if any(one.remaining_days < 0 for one in found) else 0


def _print_issued(issued: IssuedCertificate) -> None:
    """In the words of the ontology, so that the lines can be pasted into a configuration."""
    click.echo(f'agw:certificateFile "{issued.certificate_file}" ;')
    click.echo(f'agw:privateKeyRef "file:{issued.key_file}" ;')
    click.echo(f'agw:trustBundleFile "{issued.trust_bundle_file}" .')
    click.echo(f"# valid until {issued.not_after:%Y-%m-%d %H:%M} UTC")
