"""The story of examples/live, told to a real gateway with the commands of its README."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.examples import copied
from tests.support.serving import SRC, serve_process


def test_the_story(tmp_path: Path) -> None:
    folder = copied("live", tmp_path)
    blocks = re.findall(r"^```console\n(.*?)^```", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    with serve_process(folder / "gateway.ttl", "--store", tmp_path / "shop.store", "--workers", "1") as gateway:

        def run(words: list[str]) -> subprocess.CompletedProcess[str]:
            words = [word.replace("http://127.0.0.1:9901", gateway.admin) for word in words]
            program = [sys.executable, "-m", "api_gateway_service_mesh"] if words[0] == "agw" else [words[0], "-sS"]
            return subprocess.run(
                [*program, *words[1:]],
                cwd=tmp_path,
                env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                timeout=60,
            )

        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if not line.startswith("$ ") or line.startswith("$ agw serve"):
                continue
            words = shlex.split(line[2:])
            done = run(words)
            for _ in range(20):  # a machine under load answers 503, and asks to come again in a second
                if "urn:agw:problem:query-" not in done.stdout:
                    break
                time.sleep(1)
                done = run(words)
            if "mistake.ru" in line:
                assert done.returncode == 1
                assert "A route needs a path." in done.stderr
                assert "422" in done.stderr
            else:
                assert done.returncode == (1 if re.search("agw (diff|doctor)|--why-not", line) else 0), done.stderr
                assert "urn:agw:problem" not in done.stdout, done.stdout
            if after.startswith("revision "):
                assert done.stdout.strip() == after
            if "agw diff" in line:
                assert done.stdout.strip() in (folder / "README.md").read_text()
            if "--as-of 1" in line:
                assert "sale" not in done.stdout
            if "--as-of 2" in line:
                assert "revision 2" in done.stdout
                assert "/sale/*" in done.stdout
            if "--why-not" in line:
                assert "✘ method POST, got 'GET'" in done.stdout
                assert 'INSERT DATA { <http://shop.example/#orders> agw:httpMethod "GET" }' in done.stdout
            if "agw doctor" in line:
                assert after.removesuffix("…") in done.stdout
            told = {
                "/sparql -H 'Accept: text/csv'": "http://shop.example/#orders",
                "/queries/routes?": "http://shop.example/#orders",
                "/shacl": "Nobody waits for ever",
                "--iri ex:browsing": "1 route",
                "/impact": "http://shop.example/#orders",
                "void": "void:sparqlEndpoint",
            }
            for piece, answer in told.items():
                assert piece not in line or answer in done.stdout, (line, done.stdout)
            if "agw history" in line:
                assert "the sale begins" in done.stdout
                assert done.stdout.splitlines()[0].split()[0] == "REVISION"

        with urllib.request.urlopen(gateway.admin + "/revisions") as answer:
            listed = json.loads(answer.read())
        assert [item["revision"] for item in listed] == [5, 4, None, 3, 2, 1]
        assert [item["why"] for item in listed][-2:] == ["the sale begins", "loaded"]
        assert listed[-2]["where"].startswith("examples/live/sale.ttl")
        assert listed[0]["rolled_back_to"] == 1
        assert "<urn:agw:graph:history> {" in (tmp_path / "shop.trig").read_text()
        again = run(["agw", "apply", "examples/live/gateway.ttl", "--live", gateway.admin])
        assert "nothing changed" in again.stdout
        whole = run(
            [
                "agw",
                "apply",
                "examples/live/gateway.ttl",
                "examples/live/sale.ttl",
                "--replace",
                "--live",
                gateway.admin,
            ]
        )
        assert whole.returncode == 1  # two limits of one limiter: the files contradict each other
        stale = run(["agw", "apply", "examples/live/sale.ttl", "--live", gateway.admin, "--if-match", '"x"'])
        assert "412" in stale.stderr
