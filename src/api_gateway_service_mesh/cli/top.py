"""``agw top``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from ..errors import AgwError
from .live import ask
from .output import coloured, print_json

__all__ = ["command", "lines"]

_WINDOWS = {"10s": "PT10S", "1m": "PT1M", "5m": "PT5M"}
_SORTS: dict[str, Callable[[dict[str, Any]], float]] = {
    "rate": lambda rate: rate.get("requests_per_second") or 0.0,
    "errors": lambda rate: rate.get("error_share") or 0.0,
    "latency": lambda rate: rate.get("p99") or 0.0,
}
_KEYS = {"1": ("window", "10s"), "2": ("window", "1m"), "3": ("window", "5m"), "r": ("sort", "rate"),
         "e": ("sort", "errors"), "l": ("sort", "latency")}  # fmt: skip
_ERRORS_ARE_MANY = 0.01
_HEADER = ("REQ/S", "ERRORS", "P50", "P95", "P99")


@click.command("top")
@click.option(
    "--live", metavar="ADMIN_URL", default="http://127.0.0.1:9901", show_default=True,
    help="The admin port of the running gateway.",
)  # fmt: skip
@click.option("--window", type=click.Choice(list(_WINDOWS)), default="10s", show_default=True, help="Of how long.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="rate", show_default=True, help="What comes first.")
@click.option("-n", "count", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many of each.")
@click.option("--once", is_flag=True, help="Print it once, as plain text; so it is where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print it once, as JSON, with all windows.")
def command(live: str, window: str, sort: str, count: int, once: bool, as_json: bool) -> int:
    """Watch a running gateway: routes and services by rate, errors and latency, with the state of breakers, limiters
    and instances, refreshed each second.

    Keys: 1, 2, 3 the window (10 s, 1 min, 5 min); r, e, l first by rate, errors or latency; q ends.
    """
    if as_json:
        print_json(_asked(live, count))
    elif once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        click.echo("\n".join(lines(_asked(live, count), window, sort)))
    else:
        _watch(live, count, {"window": window, "sort": sort})
    return 0


def _asked(live: str, count: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        ask(live, f"/overview?limit={count}", accept="application/json", seconds=10).body
    )
    return found


def _watch(live: str, count: int, shown: dict[str, str]) -> None:
    """On a terminal, until q or Ctrl-C; what was there before comes back."""
    import select
    import shutil
    import termios
    import tty

    found = _asked(live, count)  # a gateway that is not there is told on the ordinary screen
    lost: str | None = None
    before = termios.tcgetattr(sys.stdin)
    sys.stdout.write("\x1b[?1049h\x1b[?25l")
    try:
        tty.setcbreak(sys.stdin)
        due = time.monotonic() + 1.0
        while True:
            size = shutil.get_terminal_size((100, 40))
            text = list(lines(found, shown["window"], shown["sort"], size.columns, colour=coloured(sys.stdout)))
            if lost is not None:
                text[:1] = [_dyed(f"{lost}; asked again each second"[: size.columns], "red")]
            body = "\x1b[K\r\n".join(text[: size.lines - 1])
            sys.stdout.write(f"\x1b[H{body}\x1b[K\x1b[J")
            sys.stdout.flush()
            ready, _, _ = select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))
            if ready:
                key = os.read(sys.stdin.fileno(), 1).decode("ascii", "replace")
                if key in ("q", ""):
                    return
                if key in _KEYS:
                    name, value = _KEYS[key]
                    shown[name] = value
                continue
            due = time.monotonic() + 1.0
            try:
                found, lost = _asked(live, count), None
            except AgwError as error:
                lost = error.message
    except KeyboardInterrupt:
        return
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()


def lines(
    found: dict[str, Any], window: str, sort: str, width: int | None = None, *, colour: bool = False
) -> Iterator[str]:
    """What ``/overview`` answered, as people read it; cut at `width` columns."""
    gateway = found["gateway"]
    rate = _rate(gateway, window)
    workers = f"{found['workers']} worker{'' if found['workers'] == 1 else 's'}"
    told = f"{gateway['name']}  revision {found['revision']}  {workers}  {found['at'][11:19]} UTC"
    if gateway["overload"] not in (None, "CALM"):
        told += f"  overload {gateway['overload']}"
    per, errors, p50, p95, p99 = _figures(rate)
    yield _cut(_clean(told), width)
    yield _cut(f"last {window}: {per} requests/s, {errors} errors, p50 {p50}, p95 {p95}, p99 {p99}", width)
    for title, key, named, state in (
        ("ROUTE", "routes", _route_name, _route_state),
        ("SERVICE", "services", _name, _service_state),
    ):
        chosen = sorted(found[key], key=lambda each: -_SORTS[sort](_rate(each, window)))
        rows = [(named(each), *_figures(_rate(each, window)), state(each)) for each in chosen]
        yield ""
        yield from _table((title, *_HEADER, "STATE"), rows, width, colour)
        left = found[f"{key}_total"] - len(chosen)
        if left > 0:
            yield f"… and {left} more, with fewer requests"


def _rate(subject: dict[str, Any], window: str) -> dict[str, Any]:
    rate: dict[str, Any] = subject["rates"].get(_WINDOWS[window], {})
    return rate


def _figures(rate: dict[str, Any]) -> tuple[str, str, str, str, str]:
    if not rate:
        return "0", "-", "-", "-", "-"
    per, share = rate["requests_per_second"], rate["error_share"]
    shown = f"{per:.0f}" if per >= 100 else f"{per:.1f}"
    return (
        shown,
        f"{share * 100:.2g} %" if share < 0.995 else "100 %",
        *(_seconds(rate[name]) for name in ("p50", "p95", "p99")),
    )  # type: ignore[return-value]


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 10:
        return "≥ 10 s"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _name(subject: dict[str, Any]) -> str:
    return _clean(subject["name"])


def _route_name(route: dict[str, Any]) -> str:
    methods = ",".join(route["methods"])
    path = route["path"].rstrip("/") + "/*" if route["path_kind"] == "Prefix" else route["path"]
    return _clean(" ".join(part for part in (route["name"], methods, path) if part))


def _route_state(route: dict[str, Any]) -> str:
    told = []
    if route["breaker"] not in (None, "CLOSED"):
        told.append(f"breaker {route['breaker']}")
    rejected = sum(limiter["rejected"] for limiter in route["limiters"])
    if rejected:
        told.append(f"limited {rejected}")
    concurrency = route["concurrency"]
    if concurrency is not None:
        told.append(f"{concurrency['in_use']}/{concurrency['limit']} at once")
        if concurrency["refused"]:
            told.append(f"shed {concurrency['refused']}")
    return ", ".join(told)


def _service_state(service: dict[str, Any]) -> str:
    instances = service["instances"]
    ejected = sum(each["ejected_seconds"] > 0 for each in instances)
    ill = sum(each["ill"] for each in instances)
    out = sum(each["ejected_seconds"] > 0 or each["ill"] for each in instances)
    open_breakers = sum(each["breaker"] not in (None, "CLOSED") for each in instances)
    told = [f"{len(instances) - out}/{len(instances)} up"]
    if service["breaker"] not in (None, "CLOSED"):
        told.append(f"breaker {service['breaker']}")
    for count, what in ((ill, "unhealthy"), (ejected, "ejected"), (open_breakers, "instances' breakers open")):
        if count:
            told.append(f"{count} {what}")
    active = sum(each["active"] for each in instances)
    if active:
        told.append(f"{active} under way")
    if service["pending"]:
        told.append(f"{service['pending']} waiting")
    if service["overflow"]:
        told.append(f"overflow {service['overflow']}")
    return ", ".join(told)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, colour: bool) -> Iterator[str]:
    """The first column gives way where there is no room; figures stand to the right."""
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    if width is not None:
        widths[0] = max(12, min(widths[0], width - sum(widths[1:]) - 2 * (len(widths) - 1)))
    for number, row in enumerate((header, *rows)):
        cells = [_cut(row[0], widths[0]).ljust(widths[0])]
        cells += [cell.rjust(room) for cell, room in zip(row[1:-1], widths[1:-1], strict=True)]
        line = _cut("  ".join((*cells, row[-1])).rstrip(), width)
        if colour and number == 0:
            line = click.style(line, bold=True)
        elif colour and _alarming(row):
            line = _dyed(line, "red")
        elif colour and row[1] == "0":
            line = click.style(line, dim=True)
        yield line


def _alarming(row: Sequence[str]) -> bool:
    share = row[2].partition(" ")[0]
    failing = share != "-" and float(share) >= _ERRORS_ARE_MANY * 100
    return failing or any(word in row[-1] for word in ("OPEN", "unhealthy", "ejected"))


def _dyed(text: str, colour: str) -> str:
    return click.style(text, fg=colour)


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def _clean(text: str) -> str:
    """Without what a terminal would take for an order."""
    return "".join(char if char.isprintable() else "�" for char in text)
