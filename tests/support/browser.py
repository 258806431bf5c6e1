"""Headless Chromium, driven over its DevTools protocol: enough to click through a page as a person does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["CHROMIUM", "Page", "browser"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_KEYS = {
    "Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), " ": (32, " "), "ArrowDown": (40, ""),
    "ArrowRight": (39, ""), "ArrowLeft": (37, ""), "ArrowUp": (38, ""), "Backspace": (8, ""), "End": (35, ""),
}  # fmt: skip


class Page:
    """A tab. ``said`` has what the page wrote on its console and what went wrong in it, ``asked`` the URLs it asked
    for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.said: list[str] = []
        self.asked: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
                continue
            what = told["params"]
            match told["method"]:
                case "Runtime.consoleAPICalled":
                    self.said.append(" ".join(str(item.get("value", item)) for item in what["args"]))
                case "Runtime.exceptionThrown":
                    self.said.append(json.dumps(what["exceptionDetails"])[:1000])
                case "Log.entryAdded":
                    self.said.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")
                case "Page.javascriptDialogOpening":
                    self.said.append(f"dialog: {what['message']}")
                case "Network.requestWillBeSent":
                    self.asked.append(what["request"]["url"])

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(30):
            told = await self._waiting[number]
        if "error" in told:
            raise AssertionError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        told = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise AssertionError(f"{script}: {json.dumps(told['exceptionDetails'])[:800]}")
        return told["result"].get("value")

    async def until(self, script: str, seconds: float = 60.0) -> Any:
        """Wait until an expression is true; its value."""
        value = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(AssertionError):  # between two documents
                        value = await self.run(f"(found => found instanceof Node || found)({script})")
                    if value:
                        return value
                    await asyncio.sleep(0.05)
        except TimeoutError:
            seen = await self.run("document.body.innerText")
            raise AssertionError(f"never true: {script}; said {self.said}; the page:\n{seen}") from None

    async def text(self, selector: str) -> str:
        """What is seen of an element."""
        found = await self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return str(found)

    async def click(self, selector: str, text: str = "") -> None:
        """Press the mouse's button on the first visible element that `selector` finds and that has this text."""
        wanted = f"""(() => {{
            for (const node of document.querySelectorAll({json.dumps(selector)})) {{
                if (!(node.textContent ?? '').includes({json.dumps(text)})) continue;
                node.scrollIntoView({{block: 'center', inline: 'center'}});
                const box = node.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                if (!box.width) continue;
                const top = document.elementFromPoint(x, y);
                if (node.contains(top) || node.control === top) return [x, y];
            }}
            return null;
        }})()"""
        x, y = await self.until(wanted)
        for kind in ("mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def key(self, name: str, *, control: bool = False, shift: bool = False) -> None:
        """Press a key."""
        code, text = _KEYS.get(name, (ord(name.upper()[0]), name))
        held = 2 * control + 8 * shift
        fields = {"key": name, "windowsVirtualKeyCode": code, "modifiers": held, "code": f"Key{name.upper()}"}
        if name in _KEYS:
            fields["code"] = "Space" if name == " " else name
        written = {"text": text} if text and not control else {}
        await self.send("Input.dispatchKeyEvent", type="keyDown" if written else "rawKeyDown", **fields, **written)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **fields)

    async def write(self, text: str) -> None:
        """Type a text where the focus is, letter by letter."""
        for letter in text:
            fields = {"text": letter, "key": letter, "unmodifiedText": letter}
            await self.send("Input.dispatchKeyEvent", type="keyDown", **fields)
            await self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's size, and the system's theme."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[theme])

    async def picture(self, path: Path) -> None:
        """What is seen, as a PNG file."""
        told = await self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))

    async def close(self) -> None:
        """Close it."""
        await self._socket.close()
        await self._reader


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """A Chromium of its own with one empty tab; ended afterwards.

    Raises:
        AssertionError: it does not start.
    """
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="agw-chromium-", ignore_cleanup_errors=True) as home:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-extensions"]
        flags += ["--remote-debugging-port=0", f"--user-data-dir={home}", "--hide-scrollbars", "about:blank"]
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *flags,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            port = await _port(process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = await answer.json()
                tab = next(item for item in tabs if item["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        await page.send(f"{domain}.enable")
                    yield page
                    await page.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    told = b""
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            told += line
            if found := re.search(rb"DevTools listening on ws://[^:]*:(\d+)/", line):
                return int(found[1])
    raise AssertionError(f"Chromium did not start: {told.decode(errors='replace')[-1000:]}")
