"""A real Eureka server, Spring Cloud's, for one test module: put together by .ci/servers/eureka."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("eureka")
needs_eureka = pytest.mark.skipif(PROGRAM is None or shutil.which("java") is None, reason="no eureka: see .ci/servers")


class Eureka:
    """What applications tell it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/eureka"

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and text of an answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def register(self, application: str, number: int, status: str = "UP", **more: Any) -> None:
        """An instance ``10.0.0.<number>:8000`` registers itself."""
        instance = {
            "instanceId": f"{application}-{number}",
            "hostName": f"10.0.0.{number}",
            "app": application.upper(),
            "ipAddr": f"10.0.0.{number}",
            "status": status,
            "port": {"$": 8000, "@enabled": "true"},
            "vipAddress": application,
            "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
            "leaseInfo": {"durationInSecs": 3600, "renewalIntervalInSecs": 30},
            **more,
        }
        answer = self.ask("POST", f"/apps/{application.upper()}", {"instance": instance})
        assert answer[0] == 204, answer

    def status(self, application: str, number: int, status: str) -> None:
        """An instance is given another status."""
        answer = self.ask("PUT", f"/apps/{application.upper()}/{application}-{number}/status?value={status}")
        assert answer[0] == 200, answer

    def cancel(self, application: str, number: int) -> None:
        """An instance says that it ends."""
        answer = self.ask("DELETE", f"/apps/{application.upper()}/{application}-{number}")
        assert answer[0] == 200, answer


@contextmanager
def eureka_server(folder: Path) -> Iterator[Eureka]:
    """One whose answers are never old; it ends with the block."""
    assert PROGRAM is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAM, f"--server.port={port}", "--eureka.server.use-read-only-response-cache=false"]
    log = folder / "eureka.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        made, deadline = Eureka(port), time.monotonic() + 120
        while True:
            try:
                if made.ask("GET", "/apps/")[0] == 200:
                    break
            except OSError:
                pass
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.2)
        yield made
    finally:
        process.kill()
        process.wait(30)
