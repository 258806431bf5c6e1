"""Secrets written where references belong, and configurations that hold them: no command tells one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from api_gateway_service_mesh.cli import agw
from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.graph.report import render_report
from tests.support.planted import Planted

from .planted_gateway import REFERENCES, plant

TARGETS = ("consul", "envoy", "gateway-api", "istio", "kubernetes", "linkerd")
STAGES = ("source", "inferred", "report", "rows", "model", "table")
STATED = "https://ggen.ai/ontology/api-gateway#"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def file(tmp_path: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> Path:
    file, environment = plant(tmp_path, planted, 9, 9)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return file


def said(*arguments: str | Path) -> str:
    """What a command prints."""
    done = CliRunner().invoke(agw, [str(each) for each in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit | AgwError), (arguments, done.exception)
    report = getattr(done.exception, "report", "")  # what the program prints of it
    return f"{done.output}{done.exception or ''}{report and render_report(report)}"


def test_no_command_tells_a_secret_of_a_good_configuration(file: Path, tmp_path: Path, planted: Planted) -> None:
    other = tmp_path / "other.ttl"
    other.write_text(file.read_text().replace("agw:requestsPerSecond 50", "agw:requestsPerSecond 51"))
    commands: list[tuple[str | Path, ...]] = [
        ("validate", file),
        ("validate", file, "--format", "json"),
        ("routes", file),
    ]
    commands += [("show", file, "--stage", stage) for stage in STAGES]
    commands += [
        ("manifests", file, "--target", target, "--allow-loss", "-o", tmp_path / "out" / target) for target in TARGETS
    ]
    commands += [("query", file, "-q", "SELECT * { ?s ?p ?o }", "--format", form) for form in ("json", "csv")]
    commands += [("query", file, "-q", "CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }")]
    commands += [
        ("explain", file, "GET", "http://127.0.0.1/partners/a?key=x"),
        ("effective", file, "http://example.org/partners"),
    ]
    commands += [("diff", file, other), ("impact", file, "--change", other)]
    for command in commands:
        text = said(*command)
        assert text and "Usage" not in text, (command, text)
        assert not planted.found(text), (command, planted.found(text))
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        # What enforces keys is told their hashes; nobody is told a secret.
        assert not planted.found(path.read_bytes()) - {"api-key's hash"}, path


def _ways(value: str) -> Iterator[tuple[str, str]]:
    """Ways to write a secret by mistake: the property (%s), and what stands behind it."""
    for end in ("", " BROKEN"):
        yield "agw:%s", f'"{value}"{end}'
        yield "agw:%s", f"'{value}'{end}"
        yield "agw:%s", f'"""{value}"""{end}'
        yield "agw:%s", f"'''{value}'''{end}"
        yield "agw:%s", f'"env:X" , "{value}"{end}'
        yield f"<{STATED}%s>", f'"{value}"{end}'
        yield "agw:%s", f'# here\n  "{value}"{end}'
        yield "agw:%s", f'"first\\n{value}"{end}'
        yield "agw:%s", f'"env:{value}"{end}'
        yield "agw:%s", f'"{value}"@en{end}'
        yield "agw:%s", f'"{value}"^^<http://www.w3.org/2001/XMLSchema#string>{end}'
        yield "agw:%s", f'( "{value}" ){end}'
    yield "agw:%s", f'"{value}'
    yield "agw:%s", f'"{value}\n'
    yield "agw:%s", value.strip("+/=&")
    yield "agw:%s", f"{value[2:18]}:{value[18:34]}"
    yield "agw:%s", f"<{value}"
    yield "agw:%s", f"[ agw:x '{value}'"


@pytest.mark.parametrize("name", REFERENCES)
def test_a_secret_written_by_mistake_is_not_repeated(name: str, file: Path, planted: Planted) -> None:
    good, (subject, term) = file.read_text(), REFERENCES[name]
    others = {"keyHash": ("key", "apiKey"), "clientSecretRef": ("clientSecret", "secret", "password")}
    leaks = []
    ways = list(_ways(planted.new("typed")))
    # All ways for one, some for the others: they go through the same doors.
    for number, (prefixed, value) in enumerate(ways if name == "introspection" else ways[:24:11]):
        for stated in (term, *others.get(term, (term.removesuffix("Ref"),))[: 9 if number < 2 else 0]):
            file.write_text(f"{good}\n{subject} {prefixed % stated} {value} .\n")
            for form in ("human", "json")[number % 2 :]:
                text = said("validate", file, "--format", form)
                assert "error" in text or '"conforms": false' in text, text
                if found := planted.found(text):
                    leaks.append(
                        f"{form} {prefixed % stated} {value[:60]}: {found}\n{text}"
                        if not leaks
                        else f"{form} {prefixed % stated} {value}"
                    )
    assert not leaks, "\n".join(leaks)
