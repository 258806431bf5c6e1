"""YASGUI as its project builds it, in a browser, on a page of another origin: it asks a gateway and shows the answer."""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import CHROMIUM, browser
from tests.support.serving import serve_process

from .test_clients import PATHS
from .test_serve import shop

YASGUI = shutil.which("yasgui")
HTML = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="yasgui.min.css"><div id="here"></div>
<script src="yasgui.min.js"></script>"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Where the page is."""
    assert YASGUI is not None
    folder = Path(subprocess.run([YASGUI], capture_output=True, text=True, check=True).stdout.strip())
    for name in ("yasgui.min.js", "yasgui.min.css"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "index.html").write_text(HTML)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(YASGUI is None, reason="no yasgui: .ci/servers/yasgui puts it there")
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_yasgui(tmp_path_factory: pytest.TempPathFactory, site: str, backend_port: int) -> None:
    file = tmp_path_factory.mktemp("yasgui") / "gateway.ttl"
    file.write_text(shop(backend_port, routes=2))
    asked = f"""(window.gui = new Yasgui(document.getElementById('here'), {{
        requestConfig: {{ endpoint: 'ENDPOINT' }}, copyEndpointOnNewTab: false, persistenceId: null }}),
        gui.getTab().setQuery({json.dumps(PATHS)}), gui.getTab().yasqe.query().then(() => true, e => String(e)))"""
    with serve_process(file, "--workers", "1", "--allow-origin", site) as gateway:
        async with browser() as page:
            await page.open(site + "/index.html")
            await page.until("typeof Yasgui === 'function'")
            assert await page.run(asked.replace("ENDPOINT", gateway.admin + "/sparql")) is True
            await page.until("document.querySelector('.yasr')?.innerText.includes('/r1/*')")
            assert "/r0/*" in await page.text(".yasr")
            text = PATHS.partition("SELECT")[0] + "CONSTRUCT { ?r agw:routePath ?p } WHERE { ?r agw:routePath ?p }"
            await page.run(f"(gui.getTab().setQuery({json.dumps(text)}), gui.getTab().yasqe.query().then(() => true))")
            await page.until("document.querySelector('.yasr')?.innerText.includes('routePath')")
    with serve_process(file, "--workers", "1") as gateway:  # not allowed: the browser shows the page nothing
        async with browser() as page:
            await page.open(site + "/index.html")
            await page.until("typeof Yasgui === 'function'")
            await page.run(asked.replace("ENDPOINT", gateway.admin + "/sparql"))
            async with asyncio.timeout(30):
                while not any("CORS" in line for line in page.said):
                    await asyncio.sleep(0.05)
            assert "/r0/*" not in await page.text(".yasr")
