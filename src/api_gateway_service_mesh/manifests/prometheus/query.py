"""Pieces of PromQL."""

from __future__ import annotations

__all__ = ["labelled"]


def labelled(**labels: str) -> str:
    """A selector's braces; what is in quotes is escaped."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
