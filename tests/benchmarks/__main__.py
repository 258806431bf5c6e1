"""agw beside Envoy, nginx, HAProxy and Caddy: ``python -m tests.benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from . import machine, report
from .bench import Bench
from .cases import NAMES
from .figures import CaseResult
from .peers import PEERS


def main() -> int:
    """Run the cases that were asked for; 0 when all ran, whatever became of the goals."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=5, help="alternations of each case (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one run (default: 2)")
    parser.add_argument("--peer", nargs="+", choices=list(PEERS), default=[], help="programs beside agw (default: all)")
    parser.add_argument("--json", type=Path, help="write every sample there")
    parser.add_argument("--svg", type=Path, help="draw the rates there")
    options = parser.parse_args()
    missing = [name for name in ("nginx", "wrk", "taskset") if machine.find(name) is None]
    if missing:
        parser.exit(1, f"needed, and not here: {', '.join(missing)}\n")
    if machine.cores() < 2:
        parser.exit(1, "two cores are needed: one for the program, one for the load\n")
    about = machine.describe() | {"each": f"{options.rounds} rounds, runs of {options.seconds:g} s"}
    print(report.heading(about, [name for name, peer in PEERS.items() if peer.executable is None]))
    results: list[CaseResult] = []
    loads = [machine.load_average()]
    with tempfile.TemporaryDirectory(prefix="agw-benchmarks-") as name:
        bench = Bench(options.rounds, options.seconds, frozenset(options.peer), Path(name))
        for case in (name for name in NAMES if name in options.case):
            bench.say(f"{case} ({machine.load_average():.1f} processes wanted a core over the last minute)")
            began = time.monotonic()
            result = importlib.import_module(f"{__package__}.cases.{case}").run(bench)
            bench.say(f"  {case} took {time.monotonic() - began:.0f} s")
            loads.append(machine.load_average())
            results.append(result)
            print(report.section(result), flush=True)
            if options.json:
                told = {
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "machine": about,
                    "rounds": options.rounds,
                    "seconds": options.seconds,
                    "load": loads,
                    "cases": [report.as_json(one) for one in results],
                }
                options.json.write_text(json.dumps(told, indent=1) + "\n")
            if options.svg:
                from .chart import draw

                options.svg.write_text(draw(results))
    print(report.summary(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
