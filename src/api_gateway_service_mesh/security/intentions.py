"""Intentions of Consul's service mesh (Connect): who may call a service.

Consul's agent is asked about each caller once (``POST /v1/agent/connect/authorize``), and its answer is remembered: a
blocking query for the intentions of the service says when one was changed, and then everybody is asked about anew.
Whatever that query tells late is made up for by `REFRESH_SECONDS`: who has an answer that old keeps it while Consul is
asked again. Without Consul what it said last holds, for those about whom it said something that no change has touched;
what becomes of the others is the policy's failure mode. Sources: Consul's "Connect - Agent HTTP API" (Authorize) and
"Intentions - HTTP API" (List Matching Intentions).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Intentions, Registry, Route

from .secret import read_secret

if TYPE_CHECKING:
    import aiohttp

__all__ = ["AT_ONCE", "REFRESH_SECONDS", "Adviser", "Advisers", "Verdict"]

ASK_SECONDS = 4.5
"""How long an answer may take, and so how long a request may wait for one."""
REFRESH_SECONDS = 5.0
SETTLED_SECONDS = 2.0
"""So long after a change an agent may still say what held before: it learns of changes by itself."""
RETRY_SECONDS = 1.0
WAIT_SECONDS = 60
AT_ONCE = 256
"""So many callers are asked about at once; one more is one that nothing is known of."""
MOST_REMEMBERED = 10_000
_ANEW = 3
"""So often a caller is asked about whom a change overtakes."""
MOST_BYTES = 8 * 1024 * 1024

_log = logging.getLogger("agw.intentions")


class Verdict:
    """What Consul said of a caller, when (by the loop's clock), and how many changes ago."""

    __slots__ = ("allowed", "asked_at", "change", "reason")

    def __init__(self, allowed: bool, reason: str, asked_at: float, change: int) -> None:
        self.allowed = allowed
        self.reason = reason
        self.asked_at = asked_at
        self.change = change


class _ConsulError(Exception):
    """Consul gave no usable answer. The message is for the operator and holds nothing secret."""


class Adviser:
    """Knows what Consul says of the callers of one service. Lives on one event loop."""

    def __init__(self, config: Intentions, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self._loop = loop
        self._verdicts: dict[str, Verdict] = {}
        self._asking: dict[str, list[Callable[[], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._change = 0
        """How often intentions were changed, as far as is known."""
        self._changed_at = -1e300
        self._failed_at = -1e300
        self._fault: str | None = None
        self._session: aiohttp.ClientSession | None = None
        self._following: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def fault(self) -> str | None:
        """Why Consul could not be asked the last time; None when it could."""
        return self._fault

    def start(self) -> None:
        """Begin to follow what is changed."""
        if self._following is None:
            self._following = self._loop.create_task(self._follow())

    def known(self, caller: str) -> Verdict | None:
        """What holds for a caller (a SPIFFE ID); None: Consul must be asked first. An old answer has it asked again."""
        verdict = self._verdicts.get(caller)
        if verdict is None or verdict.change != self._change:
            return None
        # What the agent says right behind a change it may have from before: it is asked again soon.
        early = verdict.asked_at < self._changed_at + SETTLED_SECONDS
        if self._loop.time() - verdict.asked_at > (SETTLED_SECONDS / 4 if early else REFRESH_SECONDS):
            self.ask(caller, _nobody)
        return verdict

    def ask(self, caller: str, then: Callable[[], None]) -> bool:
        """Ask about a caller, and call `then` when that is over, however it ends. False: that would not help now."""
        waiting = self._asking.get(caller)
        if waiting is not None:
            waiting.append(then)
            return True
        if self._closed or self._loop.time() - self._failed_at < RETRY_SECONDS or len(self._asking) >= AT_ONCE:
            return False
        self._asking[caller] = [then]
        task = self._loop.create_task(self._run(caller))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def close(self) -> None:
        """End everything now. Who waits is told."""
        self._closed = True
        for task in (*self._tasks, *((self._following,) if self._following is not None else ())):
            task.cancel()
        session, self._session = self._session, None
        if session is not None:
            self._tasks.add(self._loop.create_task(session.close()))

    async def _run(self, caller: str) -> None:
        try:
            for _ in range(_ANEW):
                change, asked_at = self._change, self._loop.time()
                allowed, reason = await self._authorize(caller)
                if change == self._change:
                    break
            if len(self._verdicts) >= MOST_REMEMBERED and caller not in self._verdicts:
                for oldest in list(self._verdicts)[: MOST_REMEMBERED // 2]:
                    del self._verdicts[oldest]
            self._verdicts[caller] = Verdict(allowed, reason, asked_at, change)
            self._heard()
        except _ConsulError as error:
            self._failed_at = self._loop.time()
            self._failed(str(error))
        finally:
            for then in self._asking.pop(caller):
                then()

    async def _authorize(self, caller: str) -> tuple[bool, str]:
        """Whether the caller may, and why.

        Raises:
            _ConsulError: Consul does not say.
        """
        asked = {"Target": self.config.service, "ClientCertURI": caller, "ClientCertSerial": ""}
        status, _, told = await self._ask("POST", "/v1/agent/connect/authorize", ASK_SECONDS, body=asked)
        if status == 400:  # the SPIFFE ID is none of a service of a mesh of Consul's
            return False, "Consul takes it for no service of its mesh"
        if status != 200 or not isinstance(told, dict) or not isinstance(told.get("Authorized"), bool):
            raise _ConsulError(f"it answered {status}" if status != 200 else "it does not say who is authorized")
        return told["Authorized"], str(told.get("Reason", ""))[:200]

    async def _follow(self) -> None:
        """Count the changes of what is intended for the service."""
        index, intended = 0, None
        while True:
            try:
                query = {"by": "destination", "name": self.config.service}
                if index:
                    query |= {"index": str(index), "wait": f"{WAIT_SECONDS}s"}
                path = "/v1/connect/intentions/match"
                status, told, found = await self._ask("GET", path, WAIT_SECONDS * 17 / 16 + ASK_SECONDS, query=query)
                if status != 200 or not isinstance(found, dict):
                    raise _ConsulError(f"it answered {status}" if status != 200 else "it lists no intentions")
                if found != intended:  # an index alone may be another for many reasons, the end of Consul among them
                    self._change += 1
                    self._changed_at = self._loop.time()
                self._heard()
                index, intended = told, found
                await asyncio.sleep(0.05 if told > 0 else RETRY_SECONDS)
            except _ConsulError as error:
                self._failed(str(error))
                index = 0
                await asyncio.sleep(RETRY_SECONDS)

    async def _ask(
        self, method: str, path: str, seconds: float, *, query: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, int, Any]:
        """Status, index, and the JSON that comes back (None where it is none)."""
        registry = self.config.registry
        try:
            async with asyncio.timeout(seconds):
                session = await self._connected()
                headers = {}
                if registry.token_ref is not None:
                    headers["X-Consul-Token"] = await asyncio.to_thread(read_secret, registry.token_ref)
                params = dict(query or {})
                if registry.datacenter is not None and method == "GET":
                    params["dc"] = registry.datacenter
                address = (registry.address or "").rstrip("/")
                url = (address if "://" in address else f"http://{address}") + path
                async with session.request(
                    method, url, params=params, json=body, headers=headers, allow_redirects=False
                ) as answer:
                    text = b""
                    async for piece in answer.content.iter_any():
                        text += piece
                        if len(text) > MOST_BYTES:
                            raise _ConsulError(f"its answer is larger than {MOST_BYTES} bytes")
                    told = answer.headers.get("X-Consul-Index", "0")
                    index = int(told) if told.isascii() and told.isdigit() and len(told) < 20 else 0
                    return answer.status, index, _read(text)
        except TimeoutError:
            raise _ConsulError("it did not answer in time") from None
        except AgwError as error:
            raise _ConsulError(error.message) from None
        except _ConsulError:
            raise
        except Exception as error:  # whatever a network has in store; its text could repeat what was sent
            raise _ConsulError(f"it cannot be asked: {type(error).__name__}") from None

    async def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            trusted = self.config.registry.trust_file
            context = await asyncio.to_thread(ssl.create_default_context, cafile=trusted) if trusted else True
            if self._session is None or self._session.closed:  # somebody else may have made one meanwhile
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context),
                    timeout=aiohttp.ClientTimeout(total=None, connect=ASK_SECONDS),
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
        return self._session

    def _heard(self) -> None:
        if self._fault is not None:
            self._fault = None
            _log.warning("%s: Consul tells again who may call %s", self.config.registry.iri, self.config.service)

    def _failed(self, reason: str) -> None:
        if reason != self._fault:
            self._fault = reason
            _log.warning(
                "%s: Consul does not tell who may call %s: %s; what it said before holds",
                self.config.registry.iri,
                self.config.service,
                reason,
            )


class Advisers:
    """All advisers of one worker. Lives on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._advisers: dict[tuple[Registry, str], Adviser] = {}

    def adopt(self, routes: Iterable[Route]) -> None:
        """Make ready what `routes` ask, and let go of what none of them does."""
        policies = (route.client_certificate for route in routes)
        stated = (each.intentions for each in policies if each is not None)
        wanted = {(each.registry, each.service): each for each in stated if each is not None}
        for key in wanted.keys() - self._advisers.keys():
            adviser = self._advisers[key] = Adviser(wanted[key], self._loop)
            adviser.start()
        for key in self._advisers.keys() - wanted.keys():
            self._advisers.pop(key).close()

    def of(self, config: Intentions) -> Adviser:
        """The adviser for `config`; its routes were adopted before."""
        return self._advisers[config.registry, config.service]

    def close(self) -> None:
        """End everything now."""
        for adviser in self._advisers.values():
            adviser.close()
        self._advisers.clear()


def _nobody() -> None:
    """Who waits for nothing."""


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
