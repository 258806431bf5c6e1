"""Closed-loop load: wrk with one thread, its findings as numbers, and no run with a wrong answer counted."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .client import WrongAnswer
from .machine import LOAD_CORE, find

__all__ = ["Load", "Run", "run"]

_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"bytes":%d,"errors":%d,"statuses":%d,"p50":%d,"p99":%d}',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
"""

# Requests are put together once; `seen` (a number of its own for each request) goes where they have a mark.
_MANY = """
local heads, tails, seen = {}, {}, %d
local made = {%s}
for i = 1, #made do
  local from, to = string.find(made[i], "@SEEN@", 1, true)
  if from then heads[i], tails[i] = string.sub(made[i], 1, from - 1), string.sub(made[i], to + 1)
  else heads[i] = made[i] end
end
local count, at, step = #made, %d, %d
request = function()
  at = at + step
  if at >= count then at = at - count end
  local tail = tails[at + 1]
  if not tail then return heads[at + 1] end
  seen = seen + 1
  return heads[at + 1] .. string.format("%%032x", seen) .. tail
end
"""

# As many fields, and as long, as a browser behind a tracing library sends.
_VARIED_FIELDS = {
    "User-Agent": "benchmark/1.0 (a client of its own)",
    "Accept": "application/json",
    "traceparent": "00-@SEEN@-00f067aa0ba902b7-01",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked. Without anything set: the same GET again and again.

    `varied`: no two requests alike (a trace header of its own in each), as in real traffic. `paths` are asked for in
    turn (by a stride that is no divisor), `tokens` as bearer tokens likewise.
    """

    path: str
    connections: int = 64
    varied: bool = False
    traced: bool = True
    """What varies is a trace that the caller began; else a correlation id of its own making, and no word of traces."""
    paths: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    method: str = "GET"
    body: int = 0
    """Bytes of body in each request."""

    def script(self) -> str:
        """For ``wrk -s``."""
        if self.body:
            return (
                f'wrk.method = "{self.method}"\nwrk.body = string.rep("0123456789abcdef", {self.body // 16})\n{_DONE}'
            )
        if not (self.varied or self.paths or self.tokens):
            return _DONE
        many = [self._request(path, token) for path in self.paths or (self.path,) for token in self.tokens or (None,)]
        seed = random.SystemRandom()
        step = max(1, len(many) * 5 // 13)
        while len(many) > 1 and _divides(step, len(many)):
            step += 1
        quoted = ",\n".join(json.dumps(one) for one in many)
        return _MANY % (seed.randrange(2**40), quoted, seed.randrange(len(many)), step % max(len(many), 1)) + _DONE

    def _request(self, path: str, token: str | None) -> str:
        fields = {"Host": "127.0.0.1", **(_VARIED_FIELDS if self.varied else {})}
        if self.varied and not self.traced:
            fields["X-Correlation-Id"] = f"{fields.pop('traceparent')[3:-3]}"
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        return f"{self.method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"


def _divides(step: int, count: int) -> bool:
    """Whether steps of `step` leave some of `count` out."""
    while count:
        step, count = count, step % count
    return step != 1


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk found; times in seconds, over right answers only."""

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float


def run(port: int, load: Load, seconds: float, folder: Path, *, scheme: str = "http", wire: int | None = None) -> Run:
    """Put `load` on 127.0.0.1:`port` for `seconds` (whole ones: wrk knows no others).

    `wire` is how long one right answer is in bytes: the bytes of all answers must come to that, within two in a hundred
    (heads hold times and ids; some answers are under way at the end).

    Raises:
        WrongAnswer: an error, a status above 399, or answers of another length.
    """
    wrk = find("wrk")
    assert wrk is not None
    script = folder / "load.lua"
    script.write_text(load.script())
    url = f"{scheme}://127.0.0.1:{port}{load.path}"
    options = [
        "-t1",
        f"-c{load.connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
        "-s",
        str(script),
        url,
    ]
    ran = subprocess.run(["taskset", "-c", str(LOAD_CORE), wrk, *options], capture_output=True, text=True, check=False)
    line = next((line for line in ran.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise WrongAnswer(f"wrk says: {ran.stdout[-400:]}{ran.stderr[-400:]}")
    found = json.loads(line.removeprefix("RESULT "))
    if found["errors"] or found["statuses"] or not found["requests"]:
        raise WrongAnswer(
            f"{found['statuses']} wrong statuses and {found['errors']} errors in {found['requests']} requests"
        )
    count, told = found["requests"], found["bytes"]
    if wire is not None and not 0.98 * count * wire <= told <= 1.02 * (count + load.connections) * wire:
        raise WrongAnswer(f"answers of {told / count:.0f} bytes on average instead of {wire}")
    return Run(found["requests"], found["microseconds"] / 1e6, found["bytes"], found["p50"] / 1e6, found["p99"] / 1e6)
