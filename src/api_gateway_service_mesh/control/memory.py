"""How much memory this process takes."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["resident_bytes"]

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident memory, in bytes (Linux ``/proc/self/statm``)."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()
