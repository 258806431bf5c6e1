"""The whole suite of h2spec against a listener."""

from __future__ import annotations

import asyncio
import re
import shutil

import pytest
import uvloop

from tests.support.backend import Conversation, Received, answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

#: libnghttp2 answers these otherwise, on purpose. Frames on streams that are closed already are ignored, as they may
#: have crossed a reset (5.1, 5.1.1); so is PRIORITY, which RFC 9113 §5.3 takes back (5.3.1, 6.3); a stream's window that
#: overflows ends the connection (6.9.1), which RFC 9113 §6.9.1 leaves open. What is no preface is answered 400 as
#: HTTP/1.1, and closed after a while longer than the suite waits here (3.5).
ELSE = {
    "closed: Sends a DATA frame after sending RST_STREAM frame",
    "closed: Sends a HEADERS frame after sending RST_STREAM frame",
    "closed: Sends a DATA frame",
    "closed: Sends a HEADERS frame",
    "Sends stream identifier that is numerically smaller than previous",
    "Sends PRIORITY frame that depend on itself",
    "Sends a PRIORITY frame with 0x0 stream identifier",
    "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream",
    "Sends invalid connection preface",
}
#: These ask what becomes of a stream whose answer is not there yet. A backend that is quicker than the suite's next write
#: closes the stream first, and the frame is then one on a closed stream: so they are asked of a slow backend, apart.
UNANSWERED = {
    "http2/5.1/5": "half closed (remote): Sends a DATA frame",
    "http2/5.1/6": "half closed (remote): Sends a HEADERS frame",
    "http2/5.1.2/1": "Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
}


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.mark.skipif(shutil.which("h2spec") is None, reason="h2spec is not here (.ci/servers/h2spec)")
async def test_the_suite_of_h2spec() -> None:
    async with backend(says(answer(b"hello from behind, with a body of some length"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            text, total, passed = await h2spec(gateway.port)
    assert total >= 140, text[-500:]
    failed = set(re.findall(r"× \d+: (.*)", text))
    elsewhere = set(UNANSWERED.values())
    assert failed <= ELSE | elsewhere, sorted(failed - ELSE - elsewhere)
    assert passed >= total - len(ELSE) - len(elsewhere)


@pytest.mark.skipif(shutil.which("h2spec") is None, reason="h2spec is not here (.ci/servers/h2spec)")
async def test_streams_that_are_not_answered_yet() -> None:
    over = asyncio.Event()

    async def slow(request: Received, conversation: Conversation) -> None:
        await over.wait()

    async with backend(slow) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            for case, name in UNANSWERED.items():
                text, total, passed = await h2spec(gateway.port, case, seconds=20)
                assert name in text and (total, passed) == (1, 1), text
            over.set()


async def h2spec(port: int, *cases: str, seconds: int = 1) -> tuple[str, int, int]:
    """What it says of these cases (none: all), how many they were, and how many passed."""
    process = await asyncio.create_subprocess_exec(
        "h2spec", "-h", "127.0.0.1", "-p", str(port), "-o", str(seconds), *cases, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 100)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.decode())
    total = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", text)
    assert total is not None, text[-500:]
    return text, int(total[1]), int(total[2])
