"""``agw cert``: a small certificate authority, enough for mutual TLS on a desk or in a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from .live import ask
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
live_option = click.option("--live", metavar="ADMIN_URL", help="The admin port of a running gateway.")
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


@command.command("revoke")
@folder_option
@click.argument("stem", default="")
@click.option("--days", type=click.IntRange(1, 7300), default=30, show_default=True, help="How long the list is valid.")
def revoke(folder: Path, stem: str, days: int) -> int:
    """Put STEM.pem on the authority's revocation list, ca.crl; without STEM only renew the list."""
    from ..security import authority as ca

    click.echo(f'agw:crlFile "{ca.revoke(folder, stem, days)}" .')
    return 0


@command.command("rotate")
@folder_option
@live_option
@click.argument("stem")
@days_option
def rotate(folder: Path, live: str | None, stem: str, days: int | None) -> int:
    """Replace STEM.pem and its key by new ones with the same names; with --live have a running gateway renew the
    certificate whose IRI is STEM, by whatever authority issues it."""
    if live is not None:
        query = urlencode({"certificate": stem})
        ask(live, f"/certificates/rotate?{query}", accept="application/json", body=b"", content_type="text/plain")
        click.echo(f"{stem} is being renewed; agw cert status --live {live} tells how it went")
        return 0
    from ..security import authority as ca

    _print_issued(ca.rotate(folder, stem, days) if days else ca.rotate(folder, stem))
    return 0


@command.command("status")
@folder_option
@live_option
@format_option("human", "json")
def status(folder: Path, live: str | None, form: str) -> int:
    """List the folder's certificates, the soonest to expire first; with --live those that a running gateway uses, and
    how their renewals do. Exit status 1 when one has expired, or is not renewed."""
    if live is not None:
        return _live_status(live, form)
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


def _live_status(admin: str, form: str) -> int:
    told = json.loads(ask(admin, "/certificates", accept="application/json").body)
    now = datetime.now(UTC)
    bad, rows = False, []
    for each in sorted(told, key=lambda each: each.get("notAfter", "")):
        renewal, ends = each.get("renewal") or {}, each.get("notAfter")
        left = (datetime.fromisoformat(ends) - now) / timedelta(days=1) if ends else None
        bad = bad or renewal.get("state") == "FAILING" or (left is not None and left < 0)
        state = renewal.get("state", "file")
        days = "-" if left is None else "expired" if left < 0 else f"{left:.0f}"
        said = renewal.get("error") or ", ".join(each.get("names", ()))
        rows.append([each["certificate"], (ends or "-")[:10], days, state, (renewal.get("due") or "-")[:16], said])
    if form == "json":
        print_json(told)
    else:
        print_table(["CERTIFICATE", "EXPIRES", "DAYS", "RENEWAL", "DUE", "NAMES"], rows)
    return 1 if bad else 0


def _print_issued(issued: IssuedCertificate) -> None:
    """In the words of the ontology, so that the lines can be pasted into a configuration."""
    click.echo(f'agw:certificateFile "{issued.certificate_file}" ;')
    click.echo(f'agw:privateKeyRef "file:{issued.key_file}" ;')
    click.echo(f'agw:trustBundleFile "{issued.trust_bundle_file}" .')
    click.echo(f"# valid until {issued.not_after:%Y-%m-%d %H:%M} UTC")
