"""Golden files: what the code makes now against what was agreed; `pytest --update-golden` writes the agreement anew.

A difference is shown as a diff with the stage's file in its head. An update also removes what no case makes any more.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["check_text", "remove_orphans"]

_ROOT = Path(__file__).resolve().parents[2]


def check_text(path: Path, made: str, *, update: bool) -> None:
    """Hold `made` to the golden file at `path`; an empty text is agreed on by there being no file.

    Raises:
        AssertionError: with a diff.
    """
    agreed = path.read_text(encoding="utf-8") if path.exists() else ""
    if made == agreed:
        return
    if update:
        if made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made, encoding="utf-8")
        else:
            path.unlink()
        return
    name = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path
    diff = difflib.unified_diff(
        agreed.splitlines(), made.splitlines(), f"{name} (agreed)", f"{name} (made now)", lineterm=""
    )
    raise AssertionError("\n".join(("", *diff, "", "If that is meant: pytest --update-golden, and read the diff.")))


def remove_orphans(folder: Path, expected: Iterable[Path], *, update: bool) -> None:
    """Hold a golden folder to the files that its tests read and make; an update removes the others.

    Raises:
        AssertionError: there are files that no test asks for.
    """
    orphans = sorted({path for path in folder.rglob("*") if path.is_file()} - set(expected))
    if update:
        for path in orphans:
            path.unlink()
        for empty in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(empty.iterdir()):
                empty.rmdir()
        return
    assert not orphans, f"no test asks for {', '.join(str(path.relative_to(folder)) for path in orphans)}"
