"""Reports for people and for programs.

For people, in the manner of a good compiler: what is wrong, where, the line itself, what was found, what is allowed,
what was probably meant, what the term means, and what to do.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from api_gateway_service_mesh.errors import Finding, Location, Report, Severity

__all__ = ["render_report", "report_json"]

_WIDTH = 100
_SHOWN = 50
_WORDS = {Severity.VIOLATION: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_COLOURS = {Severity.VIOLATION: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;36"}


def render_report(
    report: Report,
    colour: bool = False,
    sources: Mapping[str, str] | None = None,
    *,
    width: int | None = None,
    verdict: str | None = None,
    most: int = _SHOWN,
) -> str:
    """The report as text, one block a finding and a summary line; empty for a report without findings.

    Of very many findings `most` are shown, violations before others; `report_json` has all. The last line counts, and
    ends in `verdict`, else whether the configuration is valid. Control characters are escaped,
    so that no value draws on the terminal. ``sources`` (file name → text) gives the source lines of findings that
    do not bring theirs along. With a `width` nothing is wider: of a long source line the part that matters is shown.
    """
    if not report.findings:
        return ""
    shown = report.findings
    if len(shown) > most:
        kept = set(sorted(range(len(shown)), key=lambda at: shown[at].severity is not Severity.VIOLATION)[:most])
        shown = tuple(finding for at, finding in enumerate(shown) if at in kept)
    blocks = [_block(finding, colour, sources or {}, width) for finding in shown]
    if len(shown) < len(report.findings):
        blocks.append(f"… and {len(report.findings) - len(shown)} more")
    return "\n\n".join((*blocks, _summary(report, colour, verdict))) + "\n"


def report_json(report: Report) -> dict[str, Any]:
    """The report as plain data: ``conforms``, the number of each severity, and the findings (absent parts left out)."""
    return {
        "conforms": report.conforms,
        "violations": len(report.violations),
        "warnings": sum(f.severity is Severity.WARNING for f in report.findings),
        "findings": [_finding_json(finding) for finding in report.findings],
    }


def _block(finding: Finding, colour: bool, sources: Mapping[str, str], width: int | None) -> str:
    details = dict(finding.details)
    tint = _COLOURS[finding.severity]
    head = _paint(f"{_WORDS[finding.severity]}[{finding.code}]", tint, colour)
    message = _printable(finding.message)
    if width:
        taken = len(_WORDS[finding.severity]) + len(finding.code) + 4
        message = textwrap.fill(message, width, initial_indent=" " * taken, break_on_hyphens=False).removeprefix(
            " " * taken
        )
    lines = [f"{head}: {_paint(message, '1', colour)}"]
    place = finding.location
    source = details.pop("source", None)
    span = int(details.pop("span", "1"))
    if source is None and place is not None and place.file in sources:
        listed = sources[place.file].split("\n")
        source = listed[place.line - 1] if place.line <= len(listed) else None
    if source is not None:
        source = _pictured(source)
    margin = " " * (len(str(place.line)) if place and source is not None else 1)
    bar = _paint("|", "34", colour)
    if place is not None:
        lines.append(f"{margin}{_paint('-->', '34', colour)} {place}")
        if source is not None:
            excerpt, column, length = _excerpt(source, place, span, width - len(margin) - 3 if width else None)
            lines += (
                f"{margin} {bar}",
                f"{_paint(str(place.line), '34', colour)} {bar} {excerpt}".rstrip(),
                f"{margin} {bar} {' ' * column}{_paint('^' * length, tint, colour)}",
            )
    elif finding.subject:
        lines.append(f"{margin}{_paint('-->', '34', colour)} <{_printable(finding.subject)}>")
    for name, text in _notes(finding, details):
        mark = f"{margin} {_paint('=', '34', colour)} {name}: "
        body = textwrap.wrap(
            _printable(text),
            min(_WIDTH, width or _WIDTH) - len(margin) - len(name) - 5,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines.append(mark + ("\n" + " " * (len(margin) + len(name) + 5)).join(body or [""]))
    return "\n".join(lines)


def _printable(text: str) -> str:
    """Control characters as escapes."""
    return (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)
    )


def _pictured(line: str) -> str:
    """Control characters of a source line as one sign each, so that the carets below stay in their columns."""
    return (
        line
        if line.isprintable()
        else "".join(
            char if char.isprintable() or char == "\t" else chr(0x2400 + ord(char)) if ord(char) < 32 else "\ufffd"
            for char in line
        )
    )


def _excerpt(source: str, place: Location, span: int, room: int | None) -> tuple[str, int, int]:
    """The line as it is printed, where the carets begin under it, and how many. Of a line longer than `room` the part
    around the carets."""
    text = source.expandtabs(4)
    column = len(source[: place.column - 1].expandtabs(4))
    length = max(1, min(span, len(source) - place.column + 1))
    if room is None or len(text) <= room or room < 20:
        return text, column, length
    start = min(max(0, column - room // 3), len(text) - room)
    part = text[start : start + room]
    if start:
        part = "…" + part[1:]
    if start + room < len(text):
        part = part[:-1] + "…"
    return part, column - start, min(length, room - (column - start))


def _notes(finding: Finding, details: Mapping[str, str]) -> list[tuple[str, str]]:
    notes = [
        ("found", finding.value),
        ("allowed", finding.allowed),
        ("did you mean", f"{finding.suggestion} ?" if finding.suggestion else None),
        ("definition", finding.definition),
        *details.items(),
        ("see also", ", ".join(str(place) for place in finding.related) or None),
        ("remedy", finding.remedy),
    ]
    return [(name, text) for name, text in notes if text]


def _summary(report: Report, colour: bool, verdict: str | None) -> str:
    violations = len(report.violations)
    warnings = sum(f.severity is Severity.WARNING for f in report.findings)
    parts = [f"{n} {word}{'s' if n != 1 else ''}" for n, word in ((violations, "error"), (warnings, "warning")) if n]
    if verdict is None:
        verdict = "the configuration was refused" if violations else "the configuration is valid"
    tint = _COLOURS[Severity.VIOLATION if violations else Severity.WARNING]
    return _paint(f"{', '.join(parts) or 'notes only'}: {verdict}", tint, colour)


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def _finding_json(finding: Finding) -> dict[str, Any]:
    data: dict[str, Any] = {"code": finding.code, "severity": finding.severity.value, "message": finding.message}
    if finding.location:
        data["location"] = _place(finding.location)
    for name in ("subject", "predicate", "value", "allowed", "suggestion", "definition", "remedy"):
        text = getattr(finding, name)
        if text is not None:
            data[name] = text
    if finding.related:
        data["related"] = [_place(place) for place in finding.related]
    if finding.details:
        data["details"] = dict(finding.details)
    return data


def _place(place: Location) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}
