"""The examples as tests see them: a copy to work in, what they expect, and the commands of their READMEs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from api_gateway_service_mesh import resources

__all__ = ["NAMES", "Expectation", "commands", "copied", "expectations"]

NAMES = tuple(sorted(path.parent.name for path in resources.examples().glob("*/gateway.ttl")))


@dataclass(frozen=True)
class Expectation:
    """A line of expected.txt. ``outcome`` is a route's short name (``ex:getUser``) or a status; ``facts`` are the
    ``to=``, ``limit=`` and ``timeout=`` after it."""

    line: str
    method: str
    url: str
    headers: dict[str, str]
    outcome: str
    facts: dict[str, list[str]] = field(default_factory=dict)


def expectations(folder: Path) -> list[Expectation]:
    """What is written in the folder's expected.txt."""
    found = []
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        request, arrow, result = line.partition(" -> ")
        assert arrow, f"no arrow in {line!r}"
        method, url, *_ = request.split()
        headers = dict(re.findall(r"\[([^:\]]+): ([^\]]*)\]", request))
        outcome, *facts = result.split()
        pairs = (fact.split("=", 1) for fact in facts)
        found.append(Expectation(line, method, url, headers, outcome, {name: text.split(",") for name, text in pairs}))
    return found


def commands(readme: Path) -> list[list[str]]:
    """Every line of the README's ``sh`` blocks, in words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def copied(name: str, target: Path) -> Path:
    """A copy of one example at ``target/examples/NAME``, with certificates where it makes some."""
    folder = target / "examples" / name
    shutil.copytree(resources.examples() / name, folder, ignore=shutil.ignore_patterns("certs", "__pycache__"))
    if (folder / "make-certs.sh").exists():
        source = Path(resources.__file__).resolve().parents[1]
        path = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "AGW": f"{sys.executable} -m api_gateway_service_mesh", "PYTHONPATH": path}
        subprocess.run(
            ["sh", f"examples/{name}/make-certs.sh"], cwd=target, env=environment, check=True, capture_output=True
        )
    return folder
