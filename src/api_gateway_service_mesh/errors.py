"""One tree of errors, and the report a refused configuration answers with.

Rules of this module:

- Every error says its *origin* (who has to act), whether trying again can help, and the HTTP status it maps to.
  Only ``proxy.problem`` and ``control.admin`` turn one into HTTP (RFC 9457 problem details).
- A configuration is refused with a `Report`: `Finding`s, each with place, value, what is allowed and a remedy.
  Findings are plain data, so the command line, the admin port and the tests show the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "AgwError",
    "ClientError",
    "ConfigError",
    "Finding",
    "InternalError",
    "Location",
    "Origin",
    "Report",
    "Severity",
    "UpstreamError",
]


class Origin(StrEnum):
    """Who has to act on an error."""

    CONFIG = "config"
    CLIENT = "client"
    UPSTREAM = "upstream"
    INTERNAL = "internal"


class Severity(StrEnum):
    """SHACL severities (SHACL §2.1.4): a violation refuses the configuration, the others are only shown."""

    VIOLATION = "violation"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a source: lines and columns count from 1, columns in characters."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong (or worth a look) in a configuration.

    ``code`` is a stable slug (``syntax``, ``unknown-term``, ``min-count``, ``shadowed-route`` …). ``subject`` and
    ``predicate`` are full IRIs; ``value`` and ``allowed`` are as people write them in Turtle. ``location`` is the
    offending property where it stands in the source, else its subject; ``related`` are further places (the other route
    of a pair, the line that declares the limit).
    """

    code: str
    message: str
    severity: Severity = Severity.VIOLATION
    location: Location | None = None
    subject: str | None = None
    predicate: str | None = None
    value: str | None = None
    allowed: str | None = None
    suggestion: str | None = None
    definition: str | None = None
    remedy: str | None = None
    related: tuple[Location, ...] = ()
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in one configuration, in source order."""

    findings: tuple[Finding, ...] = ()

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that refuse the configuration."""
        return tuple(f for f in self.findings if f.severity is Severity.VIOLATION)

    @property
    def conforms(self) -> bool:
        """True when nothing refuses the configuration (warnings may stand)."""
        return not self.violations

    def merged(self, more: Iterable[Finding]) -> Report:
        """This report with `more` findings, sorted by place, then code, so that the order never depends on a hash."""
        unique = dict.fromkeys((*self.findings, *more))
        return Report(tuple(sorted(unique, key=_source_order)))


def _source_order(finding: Finding) -> tuple[str, int, int, str, str, str, str]:
    place = finding.location or Location("", 0)
    return (
        place.file,
        place.line,
        place.column,
        finding.code,
        finding.subject or "",
        finding.value or "",
        finding.message,
    )


_SHOWN = 10


def _in_a_line(finding: Finding) -> str:
    place = f"{finding.location}: " if finding.location else ""
    meant = f"; did you mean {finding.suggestion} ?" if finding.suggestion else ""
    remedy = f" ({finding.remedy})" if finding.remedy and not finding.suggestion else ""
    return f"{place}{finding.message}{meant}{remedy}"


class AgwError(Exception):
    """Root of all errors agw raises on purpose.

    ``problem`` is the last part of the RFC 9457 ``type`` (``urn:agw:problem:<problem>``); ``status`` the HTTP status.
    """

    origin: Origin = Origin.INTERNAL
    retryable: bool = False
    status: int = 500
    problem: str = "internal"

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class ConfigError(AgwError):
    """The configuration is wrong; `report` says where and what to do. Nothing of it was put to use."""

    origin = Origin.CONFIG
    status = 422
    problem = "invalid-configuration"

    def __init__(self, report: Report | Finding) -> None:
        self.report = report if isinstance(report, Report) else Report((report,))
        violations = self.report.violations
        first = violations[0].message if violations else "invalid configuration"
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(first + more)

    def __str__(self) -> str:
        """What a Python traceback ends with: of each violation (ten at most) place, sentence, nearest name, remedy."""
        violations = self.report.violations
        if not violations:
            return self.message
        lines = [_in_a_line(finding) for finding in violations[:_SHOWN]]
        if len(violations) > _SHOWN:
            lines.append(f"… and {len(violations) - _SHOWN} more")
        return "\n".join(lines)


class ClientError(AgwError):
    """The request is at fault (malformed, unknown path, over a limit)."""

    origin = Origin.CLIENT
    status = 400
    problem = "bad-request"


class UpstreamError(AgwError):
    """A backend could not be reached, answered wrongly, or too late."""

    origin = Origin.UPSTREAM
    retryable = True
    status = 502
    problem = "bad-gateway"


class InternalError(AgwError):
    """agw itself is at fault."""
