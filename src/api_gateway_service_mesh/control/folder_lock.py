"""One gateway alone writes back to the files of a folder (``agw serve --writable``).

The folder is locked, not the file: a file is replaced when it is written, by editors too, and a lock would stay with
the one that is gone; and the note of what several files are to become lies in the folder, for one gateway to carry out.
The lock leaves nothing on disk and ends with the process, however that ends. Readers never ask for it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError, Origin

__all__ = ["FolderLock"]

_TAKEN = (errno.EAGAIN, errno.EACCES)


class FolderLock:
    """The folders of `files`, for this process, until `release`.

    Raises:
        AgwError: another gateway has one of them.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.remark: str | None = None
        """What to say of a folder that cannot be locked (NFS does not always know how); it is written all the same."""
        self._held: list[int] = []
        # In one order for all: of two that want the same folders, one gets them.
        for folder, file in sorted({_folder(file): file for file in reversed(files)}.items()):
            self._take(folder, file)

    def _take(self, folder: Path, file: Path) -> None:
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # so is the file: whoever reads it says so
        except OSError as error:
            self._unlocked(folder, error)
            return
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(held)
            if error.errno not in _TAKEN:
                self._unlocked(folder, error)
                return
            self.release()
            raise _taken(folder, file) from None
        self._held.append(held)

    def _unlocked(self, folder: Path, error: OSError) -> None:
        self.remark = (
            f"{folder} cannot be locked ({error.strerror}): "
            "see to it that no other gateway is started with --writable there"
        )

    def release(self) -> None:
        """Let others have them."""
        for held in self._held:
            os.close(held)
        self._held.clear()


def _folder(file: Path) -> Path:
    try:
        return file.resolve().parent
    except (OSError, RuntimeError):  # links in a ring: whoever reads the file says so
        return file.absolute().parent


def _taken(folder: Path, file: Path) -> AgwError:
    error = AgwError(
        f"{file} cannot be served with --writable: another gateway writes back to files in {folder}",
        remedy="serve it without --writable (the other one's changes are loaded as they are written), end the other "
        "gateway, or give each a folder of its own; several gateways share a triple store: --store http://…",
    )
    error.origin = Origin.CONFIG
    return error
