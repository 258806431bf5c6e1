"""Files that a configuration names: whether they may be named, and whether they can be read.

A relative path is taken from the folder of the file that states it. Whatever it leads to, symbolic links followed, must
lie under that folder or under a folder that the operator allowed: a configuration must not make agw read, or offer to
clients, a file of the host. The path that enters the model is the one that was written, not what its links lead to
today, because a renewal may move them (a Kubernetes secret volume does).
"""

from __future__ import annotations

import os
from pathlib import Path

from .reading import Reading, name_of

__all__ = ["named_file", "written_file"]


def named_file(
    iri: str, term: str, text: str, reading: Reading, *, code: str, stated: str | None = None, hint: str = ""
) -> str:
    """The absolute path of the file `text`, which `iri` names by the property `term`; findings when it may not be read.

    Args:
        code: of the finding when it is not there or not readable.
        stated: the literal as it was written, where the path is only a part of it.
        hint: how such a file is made, for the remedy.
    """
    stated = stated or text
    document = reading.graph.file_of(iri, term, stated)
    folder = (document.folder if document else None) or Path.cwd()
    path = Path(os.path.normpath(folder / text))
    trusted = (folder.resolve(), *reading.allowed_folders)
    label = f"{name_of(iri)}: agw:{name_of(term)}"
    try:
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in trusted):
            reading.note(
                "file-outside-folder",
                f"{label} names {text!r}, which leads out of the configuration's folder",
                iri,
                term,
                stated,
                allowed=f"a file under {folder}",
                remedy="keep the file beside the configuration, or allow its folder when starting agw",
            )
        elif not real.is_file():
            what = "is a folder" if real.is_dir() else "does not exist"
            reading.note(
                code,
                f"{label} names the file {text!r}, which {what} (looked for {path})",
                iri,
                term,
                stated,
                remedy=f"put it there or correct the path, which starts at {folder}{hint}",
            )
        elif not os.access(real, os.R_OK):
            reading.note(
                code,
                f"{label} names the file {text!r}, which agw may not read",
                iri,
                term,
                stated,
                remedy="let the user that runs agw read it (chmod, chown)",
            )
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL in it, links that run in a circle
        reading.note(code, f"{label} names {text!r}, which is no usable path: {error}", iri, term, stated)
    return str(path)


def written_file(iri: str, term: str, text: str, reading: Reading) -> str:
    """The absolute path of a file that agw is to write, which `iri` names by the property `term`; a finding when it
    leads out of the configuration's folder."""
    document = reading.graph.file_of(iri, term, text)
    folder = (document.folder if document else None) or Path.cwd()
    path = Path(os.path.normpath(folder / text))
    try:
        real = path.resolve()
        inside = any(real.is_relative_to(root) for root in (folder.resolve(), *reading.allowed_folders))
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        reading.note(
            "file-outside-folder",
            f"{name_of(iri)}: agw:{name_of(term)} names {text!r}, which leads out of the configuration's folder",
            iri,
            term,
            text,
            allowed=f"a file under {folder}",
            remedy="have it written beside the configuration, or allow its folder when starting agw",
        )
    return str(path)
