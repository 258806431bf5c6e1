"""``python -m api_gateway_service_mesh.cli.leash PARENT ARGUMENTS…``: ``agw ARGUMENTS`` that ends with process PARENT.

``agw demo`` starts its gateway with it, so that a demo that is killed leaves none behind (Linux; elsewhere only an
orderly end takes the gateway along).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

from . import main

_PR_SET_PDEATHSIG = 1  # prctl(2)


def leashed(parent: int, arguments: list[str]) -> None:
    """Run the command line; SIGTERM comes when `parent` is gone, and at once when it already is."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it went before it could be watched
            return
    main(arguments)


if __name__ == "__main__":
    leashed(int(sys.argv[1]), sys.argv[2:])
