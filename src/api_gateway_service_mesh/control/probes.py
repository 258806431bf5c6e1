"""Whether the gateway lives, has started and is ready, each with its reasons.

They need no token, so they say how things stand and never what is configured. A word of text, as probes want it, or
JSON for who asks for that; a failure is a problem document, as everywhere on the admin port, with the checks in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ClientError

from .sparql.formats import choose
from .supervisor import Supervisor

__all__ = ["NotReady", "probe_routes"]

_LOADING = "the first configuration is still being loaded"
_FORMS = (("text", "text/plain"), ("json", "application/json"))

_Check = dict[str, Any]
"""``check``: its name; ``ok``; ``reason``: why it is not, with figures where there are any."""


class NotReady(AgwError):
    """Not yet, or no longer. ``checks`` are those that were made, where they were."""

    status = 503
    problem = "not-ready"
    retryable = True
    retry_after = 1

    def __init__(self, message: str = _LOADING, checks: list[_Check] | None = None) -> None:
        super().__init__(message)
        self.checks = checks


def probe_routes(supervised: Callable[[web.Request], Supervisor]) -> list[web.RouteDef]:
    """``/livez``, ``/readyz`` and ``/startupz``."""

    async def live(request: web.Request) -> web.Response:
        # It is the loop that answers: who cannot, does not.
        return _answer(request, "live", [_check("loop", True)])

    async def ready(request: web.Request) -> web.Response:
        supervisor = supervised(request)
        return _answer(request, "ready", _readiness(supervisor), supervisor.counters.workers_failing)

    async def started(request: web.Request) -> web.Response:
        return _answer(request, "started", [_check("table", supervised(request).started, _LOADING)])

    return [web.get("/livez", live), web.get("/readyz", ready), web.get("/startupz", started)]


def _readiness(supervisor: Supervisor) -> list[_Check]:
    """Of what `Supervisor.ready` is made. A worker that is down is no reason as long as another serves."""
    if supervisor.draining:
        return [_check("draining", False, "draining")]
    served, counters = supervisor.served, supervisor.counters
    ports, failing = len(supervisor.addresses), counters.workers_failing
    table = _check("table", served is not None, _LOADING)
    if served is not None:
        table["revision"] = served
    serving = counters.workers_serving if served is not None else 0  # who waits for the first revision serves nothing
    return [
        table,
        _check("listeners", ports > 0, "no port is open yet", open=ports),
        _check("draining", True),
        _check(
            "workers",
            serving > 0,
            "; ".join(("no worker serves yet", *failing)),
            serving=serving,
            wanted=supervisor.workers,
            failing=list(failing),
        ),
    ]


def _check(name: str, ok: bool, reason: str = "", **figures: object) -> _Check:
    return {"check": name, "ok": ok, **({} if ok else {"reason": reason}), **figures}


def _answer(request: web.Request, word: str, checks: list[_Check], remarks: tuple[str, ...] = ()) -> web.Response:
    """`word` when all checks are well; `remarks` are told beside it.

    Raises:
        NotReady: one is not.
    """
    form = request.query.get("format") or choose(request.headers.get("Accept", "*/*"), _FORMS) or "text"
    if form not in ("text", "json"):
        raise ClientError("a probe answers in text or json")
    reasons = [check["reason"] for check in checks if not check["ok"]]
    if reasons:
        raise NotReady("; ".join(reasons), checks)
    headers = {"Cache-Control": "no-store"}
    if form == "json":
        text = json.dumps({"status": word, "checks": checks}, ensure_ascii=False) + "\n"
        return web.Response(text=text, content_type="application/json", headers=headers)
    return web.Response(text="\n".join((word, *remarks, "")), headers=headers)
