"""Where an issuer's keys come from: fetched once, refreshed in the background, kept while the issuer fails.

Rules of this module: the address is the configuration's, never a token's; one fetch at a time, whoever asks; a token
with a kid that is not known starts at most one every `UNKNOWN_KID_SECONDS` (CVE-2026-48524 is a library without that);
no redirects, no proxies, no unpacking, 64 kB and `FETCH_SECONDS` are the bounds. Keys older than `MAX_AGE_SECONDS` are
used no more: then nobody gets in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from .jwk import MAX_JWKS_BYTES, KeyRing, read_jwks

__all__ = ["FETCH_SECONDS", "MAX_AGE_SECONDS", "REFRESH_SECONDS", "UNKNOWN_KID_SECONDS", "KeySource"]

FETCH_SECONDS = 4.5
"""How long a fetch may take, and so how long a request may wait for one."""
REFRESH_SECONDS = 300.0
UNKNOWN_KID_SECONDS = 30.0
RETRY_SECONDS = 5.0
"""When to try again where no keys are known yet."""
FILE_SECONDS = 2.0
"""A file is looked at so often."""
MAX_AGE_SECONDS = 6 * 3600.0

_log = logging.getLogger("agw.authentication")


class KeySource:
    """The keys behind one ``agw:jwksUri``. Lives on one event loop.

    `revision` counts up whenever the keys change; who remembers verdicts compares it.
    """

    def __init__(
        self,
        uri: str,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float] = monotonic,
        refresh_seconds: float | None = None,
        unknown_kid_seconds: float = UNKNOWN_KID_SECONDS,
        max_age_seconds: float = MAX_AGE_SECONDS,
    ) -> None:
        self.uri = uri
        self.revision = 0
        self._file = Path(uri.removeprefix("file:")) if uri.startswith("file:") else None
        standard = FILE_SECONDS if self._file else REFRESH_SECONDS
        self._refresh_seconds = standard if refresh_seconds is None else refresh_seconds
        self._unknown_kid_seconds = min(unknown_kid_seconds, FILE_SECONDS) if self._file else unknown_kid_seconds
        self._max_age_seconds = max_age_seconds
        self._loop = loop
        self._clock = clock
        self._ring: KeyRing | None = None
        self._fresh = 0.0
        self._tried = 0.0
        self._wanted: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[Callable[[], None]] = []
        self._retired = False
        self._fault: str | None = None

    @property
    def name(self) -> str:
        """The address without its query, where secrets end up: for logs."""
        return self.uri.partition("?")[0]

    @property
    def fetching(self) -> bool:
        """Whether a fetch is under way: waiting helps."""
        return self._task is not None

    def keys(self) -> KeyRing | None:
        """The keys to check with; None when there are none, or none young enough."""
        ring = self._ring
        if ring is not None and self._clock() - self._fresh > self._max_age_seconds:
            return None
        return ring

    def start(self) -> None:
        """Fetch now, and go on refreshing."""
        if self._task is None and not self._retired:
            self._fetch()

    def want(self) -> bool:
        """A token's key is not known: fetch, if that may help and was not done just now. Whether to wait for it."""
        if self._task is not None:
            return True
        if self._retired:
            return False
        now = self._clock()
        if self.keys() is None:
            if now - self._tried < RETRY_SECONDS:
                return False
        elif self._wanted is not None and now - self._wanted < self._unknown_kid_seconds:
            return False
        else:
            self._wanted = now
        self._fetch()
        return True

    def wait(self, then: Callable[[], None]) -> None:
        """Call `then` once the fetch under way is over, however it ends."""
        self._waiting.append(then)

    def retire(self) -> None:
        """Refresh no more. A fetch under way comes to its end, because requests may wait for it."""
        self._retired = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """End everything now."""
        self.retire()
        if self._task is not None:
            self._task.cancel()

    def _fetch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tried = self._clock()
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._done)

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                document = await (self._read_file() if self._file else self._read_url())
            self._adopt(read_jwks(document))
        except TimeoutError:
            self._failed("it did not answer in time")
        except (ValueError, OSError) as error:
            self._failed(str(error))
        except Exception as error:  # whatever a network has in store: keys stay as they are
            self._failed(f"{type(error).__name__}: {error}")

    def _adopt(self, ring: KeyRing) -> None:
        self._fresh = self._clock()
        if self._fault is not None:
            _log.warning("keys of %s: read again", self.name)
            self._fault = None
        if self._ring is None or ring.keys != self._ring.keys:
            self.revision += 1
            for reason in ring.left_out:
                _log.warning("keys of %s: %s; it is left out", self.name, reason)
        self._ring = ring

    def _failed(self, reason: str) -> None:
        if reason != self._fault:
            self._fault = reason
            kept = "the keys known are used on" if self.keys() is not None else "nobody gets in"
            _log.warning("keys of %s: %s; %s", self.name, reason, kept)

    def _done(self, _: asyncio.Task[None]) -> None:
        self._task = None
        waiting, self._waiting = self._waiting, []
        if not self._retired:
            pause = self._refresh_seconds
            if self._fault is not None:
                pause = min(pause, self._unknown_kid_seconds if self.keys() is not None else RETRY_SECONDS)
            self._timer = self._loop.call_later(pause, self.start)
        for then in waiting:
            then()

    async def _read_file(self) -> bytes:
        file = self._file
        assert file is not None
        return await asyncio.to_thread(_file_bytes, file)

    async def _read_url(self) -> bytes:
        import aiohttp

        # No environment proxies, no cookies, no unpacking: the bytes of this address and nothing else.
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        async with (
            aiohttp.ClientSession(
                timeout=timeout, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.get(
                self.uri,
                allow_redirects=False,
                headers={"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"},
            ) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"it answered {answer.status}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise ValueError("it answered in an encoding that was not asked for")
            document = b""
            async for piece in answer.content.iter_any():
                document += piece
                if len(document) > MAX_JWKS_BYTES:
                    raise ValueError(f"it is larger than {MAX_JWKS_BYTES} bytes")
            return document


def _file_bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_JWKS_BYTES + 1)
