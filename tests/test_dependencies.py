"""What agw is built on: bounded below, locked for CI, under licences that let anyone use it."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

packaging = pytest.importorskip("packaging.requirements", reason="packaging is not installed")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_USERS = sorted(set(EXTRAS) - {"test", "dev", "docs"})
LOCK = ROOT / f".ci/constraints-{sys.version_info[0]}.{sys.version_info[1]}.txt"
PERMISSIVE = (
    "mit", "bsd", "apache", "isc", "psf", "python software foundation", "mozilla public license 2.0", "mpl-2.0",
    "w3c", "0bsd", "zlib", "unlicense",
)  # fmt: skip


def name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def closure() -> Iterator[Distribution]:
    """Everything an installation with every extra for users brings along, where it is installed."""
    waiting = [packaging.Requirement(text) for text in PROJECT["dependencies"]]
    waiting += [packaging.Requirement(text) for extra in FOR_USERS for text in EXTRAS[extra]]
    seen: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        if name(wanted.name) in seen:
            continue
        seen.add(name(wanted.name))
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            continue
        yield found
        for text in found.requires or ():
            further = packaging.Requirement(text)
            asked = ("", *wanted.extras)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in asked):
                waiting.append(further)


def licence(found: Distribution) -> str:
    said = found.metadata
    classified = [
        line.rpartition("::")[2].strip() for line in said.get_all("Classifier") or () if line.startswith("License ::")
    ]
    stated = (said.get("License-Expression"), *classified, (said.get("License") or "").partition("\n")[0])
    return "; ".join(filter(None, stated))


def test_every_licence_lets_anyone_use_agw() -> None:
    found = {item.metadata["Name"]: licence(item) for item in closure()}
    assert len(found) > 15
    assert {who: what for who, what in found.items() if not any(word in what.lower() for word in PERMISSIVE)} == {}
    assert {who: what for who, what in found.items() if re.search(r"\bA?GPL", what) and " OR " not in what} == {}


def locked() -> dict[str, str]:
    """Versions by name."""
    lines = [line.partition("==") for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return {name(package): version for package, _, version in lines}


@pytest.mark.skipif(not LOCK.exists(), reason="CI is locked for another version of Python")
def test_the_list_of_licences_is_whole() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", (ROOT / "THIRD-PARTY.md").read_text(), re.MULTILINE)
    told, versions = dict(rows[1:]), locked()
    assert len(told) == len(rows) - 1 and list(told) == sorted(told)
    for found in closure():
        who = name(found.metadata["Name"])
        assert who in told, f"THIRD-PARTY.md lacks: | {who} | {licence(found)} |"
        if found.version == versions.get(who):
            assert told[who] == licence(found).replace("|", "/"), who
    assert set(told) - set(versions) == set(), "these are in no installation"


def test_every_dependency_is_bounded_below() -> None:
    texts = [*PROJECT["dependencies"], *(text for extra in FOR_USERS for text in EXTRAS[extra])]
    loose = [
        text
        for text in texts
        if not any(part.operator in (">=", "==", "~=") for part in packaging.Requirement(text).specifier)
    ]
    assert loose == []


def test_what_users_may_install_is_tested() -> None:
    tested = {name(packaging.Requirement(text).name) for text in EXTRAS["test"]}
    wanted = {name(packaging.Requirement(text).name) for extra in FOR_USERS for text in EXTRAS[extra]}
    assert wanted - tested == set()


@pytest.mark.skipif(not LOCK.exists(), reason="CI is locked for another version of Python")
def test_the_lock_holds_what_is_demanded() -> None:
    versions = locked()
    texts = [*PROJECT["dependencies"], *(text for extra in EXTRAS for text in EXTRAS[extra])]
    for text in texts:
        wanted = packaging.Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            assert wanted.specifier.contains(versions[name(wanted.name)]), text
    assert {name(item.metadata["Name"]) for item in closure()} - set(versions) == set()
