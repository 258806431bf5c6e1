"""How a report looks on paper, in colour and as data."""

from __future__ import annotations

from api_gateway_service_mesh.errors import Finding, Location, Report, Severity
from api_gateway_service_mesh.graph.report import render_report, report_json

FULL = Finding(
    "min-inclusive",
    "the limit must be positive",
    location=Location("shop.ttl", 12, 9),
    subject="urn:limit",
    predicate="urn:rps",
    value="-5",
    allowed="at least 1",
    suggestion="5",
    definition="How many.",
    remedy="write 5",
    related=(Location("shop.ttl", 3, 1),),
    details=(("source", "\tex:rps -5 ;"), ("span", "2"), ("note", "more")),
)


def test_every_part_has_its_line() -> None:
    assert (
        render_report(Report((FULL,)))
        == """\
error[min-inclusive]: the limit must be positive
  --> shop.ttl:12:9
   |
12 |     ex:rps -5 ;
   |            ^^
   = found: -5
   = allowed: at least 1
   = did you mean: 5 ?
   = definition: How many.
   = note: more
   = see also: shop.ttl:3:1
   = remedy: write 5

1 error: the configuration was refused
"""
    )


def test_a_finding_without_place() -> None:
    text = render_report(Report((Finding("x", "odd", Severity.WARNING, subject="urn:s"),)))
    assert text == "warning[x]: odd\n --> <urn:s>\n\n1 warning: the configuration is valid\n"


def test_lines_can_come_from_the_sources() -> None:
    finding = Finding("x", "odd", location=Location("a.ttl", 2, 3))
    assert "2 | second" in render_report(Report((finding,)), sources={"a.ttl": "first\nsecond"})


def test_colour_only_when_asked() -> None:
    assert "\x1b[" not in render_report(Report((FULL,)))
    coloured = render_report(Report((FULL,)), colour=True)
    assert "\x1b[1;31merror[min-inclusive]\x1b[0m" in coloured


def test_nothing_found_is_nothing_said() -> None:
    assert render_report(Report()) == ""


def test_as_data() -> None:
    data = report_json(Report((FULL, Finding("y", "note", Severity.INFO))))
    assert (data["conforms"], data["violations"], data["warnings"]) == (False, 1, 0)
    assert data["findings"][0]["location"] == {"file": "shop.ttl", "line": 12, "column": 9}
    assert data["findings"][1] == {"code": "y", "severity": "info", "message": "note"}


def test_control_characters_are_shown_not_obeyed() -> None:
    evil = Finding(
        "x",
        "a\x1b[2J",
        location=Location("a.ttl", 1, 6),
        value='"\x1b]0;t\x07"',
        details=(("source", "ex:a \x1b[31m x"),),
    )
    text = render_report(Report((evil,)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r'found: "\x1b]0;t\x07"' in text
    assert "1 | ex:a \u241b[31m x\n  |      ^" in text


def test_of_very_many_findings_the_first_are_shown() -> None:
    warnings = [Finding("w", f"warning {n}", Severity.WARNING) for n in range(60)]
    text = render_report(Report((*warnings, Finding("e", "the error"))))
    assert "the error" in text
    assert text.count("warning[w]") == 49
    assert "… and 11 more" in text
    assert "1 error, 60 warnings" in text


def test_nothing_is_wider_than_the_terminal() -> None:
    source = "ex:r a agw:Route ; agw:routePath " + '"/a" ; ex:filler 1 ; ' * 6 + "ex:wrong 5 ; " + "ex:filler 1 ; " * 6
    column = source.index("ex:wrong") + 1
    place = Location("a.ttl", 1, column)
    finding = Finding(
        "x", "odd " * 30, location=place, definition="word " * 30, details=(("source", source), ("span", "8"))
    )
    lines = render_report(Report((finding,)), width=60).splitlines()
    assert max(map(len, lines)) <= 60
    shown = next(line for line in lines if line.startswith("1 |"))
    carets = next(line for line in lines if "^" in line)
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "ex:wrong"
    assert shown.startswith("1 | …")
    assert shown.endswith("…")
