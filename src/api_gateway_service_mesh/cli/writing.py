"""Files written whole or not at all: a full disk leaves no half of one behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import AgwError

__all__ = ["write_new", "write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Put `text` in the place of whatever `path` holds; its folder is made.

    Raises:
        AgwError: it cannot be written; what was there before still is.
    """
    beside = path.with_name(f".{path.name}.new")
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; its folder is made.

    Raises:
        FileExistsError: it is there.
        AgwError: it cannot be written.
    """
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except BaseException:
                path.unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """The system's words for what went wrong, with the name of the file."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise AgwError(
            f"{path} cannot be written: {error.strerror}", remedy="make room there, or name another folder"
        ) from None
