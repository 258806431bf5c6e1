"""Certificates in the runtime graph and in metrics: what each says, who uses it, and how its renewals do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.vocabulary import AGW, XSD

from .issuing import RenewalState
from .used import certificate_users

if TYPE_CHECKING:
    from .live import Live

__all__ = ["certificate_families", "certificate_triples"]


def certificate_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """Subject, predicate, and the object as N-Triples has it."""
    users = certificate_users(live.mesh)
    today = datetime.now(UTC).date()
    for certificate, chain in live.certificates():
        iri, leaf = certificate.iri, chain[0]
        yield iri, AGW.certificateExpiry, _moment(leaf.not_after)
        yield iri, AGW.certificateDaysLeft, _integer((leaf.not_after.astimezone(UTC).date() - today).days)
        yield iri, AGW.certificateSubject, _text(leaf.subject)
        yield iri, AGW.certificateIssuer, _text(leaf.issuer)
        yield iri, AGW.certificateFingerprint, _text(leaf.fingerprint)
        yield iri, AGW.certificateChain, _text(" <- ".join(each.subject for each in chain) + f" <- {chain[-1].issuer}")
        for name in (*leaf.dns_names, *leaf.ip_addresses, *leaf.uris, *leaf.emails):
            yield iri, AGW.certificateAltName, _text(name)
        for user in users.get(iri, ()):
            yield iri, AGW.certificateUser, f"<{user}>"
    for iri, status in live.renewals.items():
        yield iri, AGW.renewalState, _text(status.state)
        yield iri, AGW.renewedTotal, _integer(status.renewed)
        yield iri, AGW.renewalFailedTotal, _integer(status.failed)
        if status.due is not None:
            yield iri, AGW.renewalDue, _moment(status.due)
        if status.error:
            yield iri, AGW.renewalError, _text(status.error)


def certificate_families(live: Live) -> Iterator[Family]:
    """Metrics."""
    ends = [Sample(chain[0].not_after.timestamp(), (("certificate", each.iri),)) for each, chain in live.certificates()]
    yield Family("agw_certificate_expiry_timestamp_seconds", "End of a certificate's validity.", Kind.GAUGE, ends)
    statuses = list(live.renewals.items())
    renewals = [
        Sample(count, (("certificate", iri), ("result", result)))
        for iri, status in statuses
        for result, count in (("renewed", status.renewed), ("failed", status.failed))
    ]
    yield Family("agw_certificate_renewals", "Renewals of issued certificates.", Kind.COUNTER, renewals)
    failing = [Sample(float(status.state is RenewalState.FAILING), (("certificate", iri),)) for iri, status in statuses]
    yield Family("agw_certificate_renewal_failing", "1 while a certificate is not renewed.", Kind.GAUGE, failing)
    due = [Sample(each.due.timestamp(), (("certificate", iri),)) for iri, each in statuses if each.due is not None]
    yield Family("agw_certificate_renewal_due_timestamp_seconds", "When it is renewed next.", Kind.GAUGE, due)


def _integer(value: int) -> str:
    return f'"{value}"^^<{XSD.integer}>'


def _moment(value: datetime) -> str:
    stamp = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f'"{stamp}"^^<{XSD.dateTime}>'


def _text(value: str) -> str:
    """A literal; what N-Triples escapes is escaped, and nothing but printable ASCII is left of a stranger's text."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in value)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
