"""Keeping secrets out of everything printed.

A secret is stated by reference (``agw:secretRef "env:NAME"`` or ``"file:PATH"``). What stands there in any other form
may be the secret itself, written by mistake: it is loaded (so that a shape can refuse it) and never shown.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "blot", "is_reference", "masked_source"]

MASK = "•••"
_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+)\Z")
_QUOTE = r'"""[^"]*(?:""")?|"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?'
_STATED = re.compile(
    r"(?P<name>\b(?:secretRef|privateKeyRef|keyHash|storePasswordRef|stickyCookieKeyRef|accountMacKeyRef|clientSecretRef"
    r"|sessionKeyRef|formerSessionKeyRef|registryTokenRef)>?\s+)"
    rf"(?P<values>(?:{_QUOTE})(?:\s*,\s*(?:{_QUOTE}))*)",
    re.DOTALL,
)
_QUOTED = re.compile(_QUOTE, re.DOTALL)


def is_reference(value: str) -> bool:
    """True for ``env:NAME`` and ``file:PATH``, which say where a secret is without being one."""
    return _REFERENCE.match(value) is not None


def blot(text: str) -> str:
    """Dots as long as the text, so that what stands behind it keeps its column; quotes stay."""
    return re.sub(r"[^\"'\s]", "•", text)


def masked_source(text: str) -> str:
    """Source text in which values of ``secretRef`` and of the properties below it that are no references are blotted
    out.

    Works on the text alone, for sources that no parser understood.
    """
    return _STATED.sub(lambda found: found["name"] + _QUOTED.sub(_mask, found["values"]), text)


def _mask(quoted: re.Match[str]) -> str:
    text = quoted.group()
    return text if is_reference(text.strip("\"'")) else blot(text)
