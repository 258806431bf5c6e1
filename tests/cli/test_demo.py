"""A demo that is ended from outside, and a table on a narrow terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_demo_that_is_killed_leaves_no_gateway_behind(number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "api_gateway_service_mesh", "demo", "--keep"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as demo:
        assert demo.stdout is not None
        admin = next(found for found in map(re.compile(r"^admin +(\S+)").match, demo.stdout) if found)[1]
        demo.send_signal(number)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{admin}livez", timeout=5).close()
        except OSError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the demo's gateway still answers")
    if number == signal.SIGTERM:
        assert list(tmp_path.iterdir()) == []


def test_a_table_too_wide_for_the_terminal_is_folded(gateway_file: Path) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run(
        [sys.executable, "-m", "api_gateway_service_mesh", "routes", str(gateway_file)],
        stdout=slave,
        stderr=subprocess.DEVNULL,
        check=True,
        env={**environment, "NO_COLOR": "1"},
    )
    os.close(slave)
    text = ""
    with contextlib.suppress(OSError):  # EIO: no terminal any more
        while data := os.read(master, 4096):
            text += data.decode()
    os.close(master)
    lines = text.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["#", "PATH", "KIND", "METHOD", "TARGET", "POLICIES", "ROUTE"]
    assert "client-address" in text
