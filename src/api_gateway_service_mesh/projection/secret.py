"""Secrets by reference: ``env:NAME``, or ``file:PATH`` with a path relative to the file that states it."""

from __future__ import annotations

import os

from .file import named_file
from .reading import Reading, name_of

__all__ = ["secret_reference"]


def secret_reference(iri: str, term: str, reference: str | None, reading: Reading, *, noun: str) -> str | None:
    """What `iri` states by the property `term`, with an absolute path; findings where no secret can be had there.

    Args:
        noun: what the secret is, for those who are told.
    """
    if reference is None:
        return None
    kind, _, name = reference.partition(":")
    if kind == "file" and name:
        path = named_file(iri, term, name, reading, code="secret-missing", stated=reference, hint="; one line of text")
        return f"file:{path}"
    if kind != "env" or not name:
        # The value is not shown: what stands here may be the secret itself.
        reading.note(
            "literal-secret",
            f"{name_of(iri)}: agw:{name_of(term)} is not a reference",
            iri,
            term,
            allowed='"file:PATH" or "env:NAME"',
            remedy=f"put the {noun} into a file and name that; if this was it, replace it: it has been written down",
        )
        return None
    if name not in os.environ:
        reading.note(
            "secret-missing",
            f"{name_of(iri)}: the environment variable {name}, which is to hold the {noun}, is not set",
            iri,
            term,
            reference,
            remedy=f"set {name} before starting agw",
        )
    return reference
