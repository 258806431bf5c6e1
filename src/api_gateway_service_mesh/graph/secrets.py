"""Keeping secrets out of everything printed.

A secret is stated by reference (``agw:secretRef "env:NAME"`` or ``"file:PATH"``). What stands there in any other form
may be the secret itself, written by mistake: it is loaded (so that a shape can refuse it) and never shown.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "is_reference", "masked_source"]

MASK = "•••"
_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+)\Z")
_STATED = re.compile(
    r"(?P<name>\b(?:secretRef|privateKeyRef)>?\s+)"
    r'(?P<values>(?:"""[^"]*(?:""")?|"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?)(?:\s*,\s*(?:"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?))*)'
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?')


def is_reference(value: str) -> bool:
    """True for ``env:NAME`` and ``file:PATH``, which say where a secret is without being one."""
    return _REFERENCE.match(value) is not None


def masked_source(line: str) -> str:
    """A source line in which values of ``secretRef`` and ``privateKeyRef`` that are no references are masked.

    Works on the text alone, since it is also used for lines no parser understood.
    """
    return _STATED.sub(lambda found: found["name"] + _QUOTED.sub(_mask, found["values"]), line)


def _mask(quoted: re.Match[str]) -> str:
    text = quoted.group()
    return text if is_reference(text.strip("\"'")) else f'"{MASK}"'
