"""A bar chart in plain SVG: rates as multiples of Envoy's. A bar that would dwarf the others is cut, with a mark."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from .figures import CaseResult

__all__ = ["draw"]

_COLOURS = {"agw": "#2563eb", "envoy": "#94a3b8", "nginx": "#16a34a", "haproxy": "#d97706", "caddy": "#9333ea"}
_LEFT, _WIDTH, _BAR, _GAP, _TOP = 190, 460, 11, 14, 52
_FIGURES = ("rate", "mib_s")
_LONGEST = 4.0

Group = tuple[str, list[tuple[str, float]]]


def _groups(results: Sequence[CaseResult]) -> list[Group]:
    """For each variant in which Envoy ran: each program's rate, divided by Envoy's."""
    found: list[Group] = []
    for result in (one for one in results if not one.paced):
        for variant in dict.fromkeys(series.variant for series in result.series):
            envoy = result.one(variant, "envoy")
            figure = next((name for name in _FIGURES if envoy and envoy.median(name)), None)
            base = envoy.median(figure) if envoy and figure else None
            if not base or figure is None:
                continue
            bars = []
            for program in _COLOURS:
                series = result.one(variant, program)
                value = series.median(figure) if series else None
                if value:
                    bars.append((program, value / base))
            if any(program == "agw" for program, _ in bars):
                found.append((f"{result.name}: {variant}" if variant not in result.name else result.name, bars))
    return found


def draw(results: Sequence[CaseResult]) -> str:
    """The chart; readable on light and dark pages."""
    groups = _groups(results)
    longest = max((value for _, bars in groups for _, value in bars), default=1.0)
    scale = _WIDTH / max(min(longest, _LONGEST), 1.0)
    height = _TOP + sum(len(bars) * _BAR + _GAP for _, bars in groups) + 10
    total = _LEFT + _WIDTH + 60
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" width="{total}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="11" role="img">',
        "<title>Throughput on one core, Envoy = 1</title>",
        f'<rect width="{total}" height="{height}" fill="#ffffff"/>',
        '<text x="10" y="18" font-size="13" font-weight="600" fill="#0f172a">Throughput on one core, Envoy = 1</text>',
    ]
    for number, (program, colour) in enumerate(_COLOURS.items()):
        x = 10 + number * 80
        text.append(f'<rect x="{x}" y="28" width="10" height="10" fill="{colour}"/>')
        text.append(f'<text x="{x + 14}" y="37" fill="#334155">{program}</text>')
    y = _TOP
    for name, bars in groups:
        middle = y + len(bars) * _BAR / 2 + 4
        text.append(f'<text x="{_LEFT - 8}" y="{middle:.0f}" text-anchor="end" fill="#0f172a">{escape(name)}</text>')
        for program, value in bars:
            wide = max(min(value, _LONGEST) * scale, 1)
            mark = " »" if value > _LONGEST else ""
            text.append(
                f'<rect x="{_LEFT}" y="{y}" width="{wide:.1f}" height="{_BAR - 2}" fill="{_COLOURS[program]}"/>'
            )
            weight = ' font-weight="600"' if program == "agw" else ""
            text.append(
                f'<text x="{_LEFT + wide + 4:.1f}" y="{y + _BAR - 3}" font-size="9"{weight} fill="#334155">{value:.2f}{mark}</text>'
            )
            y += _BAR
        y += _GAP
    line = _LEFT + scale
    text.append(
        f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{_TOP - 6}" y2="{height - 8}" stroke="#475569" stroke-dasharray="2 3"/>'
    )
    return "\n".join([*text, "</svg>", ""])
