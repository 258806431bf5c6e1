"""Many RE2 expressions asked in one scan.

Rules of this module:

- RE2 only (https://github.com/google/re2/wiki/Syntax): linear in the text, so no route can be made slow by a request.
- An expression must match the *whole* text, as Envoy's ``safe_regex`` and Istio's ``regex`` do.
- A set's automaton has a memory budget, and RE2 answers "nothing matched" when it is spent. That must not turn into a
  404, so each set carries one more expression that matches every text: an empty answer then means "budget spent", and
  the expressions are asked one by one (each of those falls back to RE2's NFA, which needs no budget).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

__all__ = ["PatternSet", "syntax_error"]

_MATCHES_EVERYTHING = rb"\C*"
_MEMORY_BYTES = 64 << 20


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY_BYTES
    return options


def syntax_error(text: str) -> str | None:
    """What RE2 has against `text`, or None when it compiles."""
    try:
        re2.compile(text.encode("utf-8", "surrogateescape"), options=_options())
    except re2.error as error:
        reason = error.args[0] if error.args else "not an RE2 expression"
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return None


class PatternSet:
    """Which of several expressions match a text. Expressions must have passed `syntax_error`."""

    __slots__ = ("_count", "_one_by_one", "_set", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(text.encode("utf-8", "surrogateescape") for text in texts)
        self._count = len(self._texts)
        self._one_by_one: tuple[Any, ...] = ()
        compiled = re2.Set.FullMatchSet(_options())
        for text in (*self._texts, _MATCHES_EVERYTHING):
            compiled.Add(text)
        try:
            compiled.Compile()
            self._set: Any = compiled
        except re2.error:  # the program alone is over the budget
            self._set = None

    def matching(self, text: str) -> list[int]:
        """Positions of the expressions that match the whole of `text`, ascending."""
        raw = text.encode("utf-8", "surrogateescape")
        found = self._set.Match(raw) if self._set is not None else None
        if found is None:
            if not self._one_by_one:
                self._one_by_one = tuple(re2.compile(pattern, options=_options()) for pattern in self._texts)
            return [i for i, pattern in enumerate(self._one_by_one) if pattern.fullmatch(raw) is not None]
        found = [i for i in found if i != self._count]
        found.sort()
        return found
