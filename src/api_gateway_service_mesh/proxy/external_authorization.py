"""A service that is asked who may do what, as a stage behind the rules: the request waits, nothing else does.

What is asked is an exchange of its own, like a mirror's copy: with its own connections and counters, over the pool of
the service, within the time that it has. It has the request's method and path, the fields that are named, and no body.
An answer of the service itself decides; one that the gateway had to make up for it (no connection, no time) is none.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import AuthorizationFailureMode, ExternalAuthorization
from api_gateway_service_mesh.policies import EventCounters, RouteCounters

from .answer import AnswerHead
from .head import Block, Marks
from .problem import WAIT, Direct, Refusal
from .target import Target, find_target

if TYPE_CHECKING:
    from .answering import Answering
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .tunnel import Tunnel

__all__ = ["OPEN_FLAG", "external_authorization_gates"]

OPEN_FLAG = "authorization-open"
"""The flag in the access log of a request that nobody decided about and that was let through."""

_ALLOWED, _DENIED, _UNAVAILABLE, _REMEMBERED = 0, 1, 2, 3
_MOST_BODY_BYTES = 64 * 1024
_MOST_REMEMBERED = 10_000
_ALWAYS = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
_DENIAL = ("location", "www-authenticate", "set-cookie")


def external_authorization_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that asks a service."""
    config = handler.route.external_authorization
    return [] if config is None else [_Gate(config, handler, generation, core).gate]


class Verdict:
    """What the service said. ``fields`` are lines for the backend, or for the client where it refuses."""

    __slots__ = ("allowed", "body", "fields", "kind", "known", "status", "until")

    def __init__(self, status: int, fields: bytes = b"", kind: bytes = b"", body: bytes = b"") -> None:
        self.status = status
        self.allowed = 200 <= status < 300
        self.known = self.allowed or 300 <= status < 500
        """False: it is no verdict, but a failure."""
        self.fields = fields
        self.kind = kind
        """The type of ``body``."""
        self.body = body
        self.until = 0.0


class _Gate:
    """The asking of one route in one worker."""

    def __init__(
        self, config: ExternalAuthorization, handler: RouteHandler, generation: Generation, core: Core
    ) -> None:
        view, slots = core.cells.view, generation.slots
        self._config = config
        self.core = core
        self._generation = generation.unlogged()
        self._counters = EventCounters(view, slots["event", config.iri], core.worker)
        # What the route finds out about its own services must not be told by what is asked.
        plain = replace(
            handler.route, breaker=None, retry=None, hedging=None, concurrency=None, balancer=None, splits=(), subset=()
        )
        target = find_target(config.upstream, plain, generation, core, ())
        self._handler: RouteHandler | None = None
        if isinstance(target, Target):
            own = self._handler = type(handler)(plain, RouteCounters(view, slots["asked", config.iri], core.worker))
            own.retry = None
            own.target = target
            own.timed = True
            own.total_seconds = config.timeout_seconds
            own.attempt_seconds = None
        self._sends = _lines_of((*_ALWAYS, *config.sends))
        self._takes = _lines_of(config.takes) if config.takes else None
        self._removes = _lines_of(config.takes, alike=True) if config.takes else None
        self._denial = _lines_of(_DENIAL)
        self._prefix = config.path_prefix.encode("ascii")
        self._remembered: dict[bytes, Verdict] = {}
        self.gate: Gate = self.ask

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Whether the request may go on: as the service said, or when it has."""
        verdict = exchange.external_verdict
        if exchange.waits_at is self.gate and verdict is not None:
            exchange.external_verdict = None
            return self._decide(exchange, verdict)
        sent = b"".join(match.group() for match in self._sends.finditer(exchange.fields))
        key = b""
        if self._config.lifetime_seconds is not None:
            key = sha256(b"%b %b\r\n%b" % (exchange.method.encode(), exchange.target_bytes, sent)).digest()
            known = self._remembered.get(key)
            if known is not None:
                if exchange.started < known.until:
                    self._counters.count(_REMEMBERED)
                    return self._decide(exchange, known)
                del self._remembered[key]
        handler = self._handler
        if handler is None:
            return self._decide(exchange, Verdict(0))
        exchange.waits_at = self.gate
        host = exchange.fields.partition(b"\r\n")[0] + b"\r\n"
        length = b"Content-Length: 0\r\n" if exchange.method in ("POST", "PUT", "PATCH") else b""
        asked = type(exchange)(
            self.core,
            self._generation,
            _Asker(self, exchange, key),
            handler,
            exchange.method,
            self._prefix + exchange.target_bytes,
            _NO_BLOCK,
            b"%b%b%b" % (host, sent, length),
            exchange.client,
            exchange.request_id,
        )
        asked.resend([])
        return WAIT

    def told(self, exchange: Exchange, key: bytes, verdict: Verdict) -> None:
        """The service has answered, or will not."""
        lifetime = self._config.lifetime_seconds
        if lifetime is not None and verdict.known:
            if len(self._remembered) >= _MOST_REMEMBERED:
                for oldest in list(self._remembered)[: _MOST_REMEMBERED // 2]:
                    del self._remembered[oldest]
            verdict.until = monotonic() + lifetime
            self._remembered[key] = verdict
        exchange.external_verdict = verdict
        exchange.proceed()

    def read(self, head: AnswerHead, body: bytes) -> Verdict:
        """The verdict in an answer of the service itself."""
        status = head.status
        if 200 <= status < 300:
            taken = b"" if self._takes is None else b"".join(m.group() for m in self._takes.finditer(head.block))
            return Verdict(status, taken)
        if not self._config.passes_denial:
            return Verdict(status)
        told = b"".join(match.group() for match in self._denial.finditer(head.block))
        kind = _KIND.search(head.block)
        return Verdict(status, told, kind[1] if kind is not None else b"text/plain", body[:_MOST_BODY_BYTES])

    def _decide(self, exchange: Exchange, verdict: Verdict) -> Refusal | None:
        config = self._config
        if verdict.allowed:
            self._counters.count(_ALLOWED)
            if self._removes is not None:
                exchange.fields = self._removes.sub(b"", exchange.fields) + verdict.fields
            return None
        if not verdict.known:
            self._counters.count(_UNAVAILABLE)
            if config.failure_mode is AuthorizationFailureMode.OPEN:
                exchange.flags = (*exchange.flags, OPEN_FLAG)
                if self._removes is not None:  # what nobody vouched for is not told either
                    exchange.fields = self._removes.sub(b"", exchange.fields)
                return None
            said = f"answered {verdict.status}" if verdict.status else "did not answer"
            return Refusal(
                503,
                "external-unavailable",
                "whether this caller may do that cannot be told at the moment",
                b"Retry-After: 1\r\n",
                config.iri,
                failure=True,
                reason=f"the service that {config.iri} asks {said}",
            )
        self._counters.count(_DENIED)
        reason = f"the service that {config.iri} asks answered {verdict.status}"
        if config.passes_denial:
            return Direct(
                verdict.status,
                "external-denied",
                "",
                verdict.fields,
                config.iri,
                reason=reason,
                body=verdict.body,
                content_type=verdict.kind,
            )
        return Refusal(403, "external-denied", "this caller may not do that", b"", config.iri, reason=reason)


class _Asker:
    """The client's side of what is asked: keeps the answer."""

    writing_paused = False

    def __init__(self, gate: _Gate, exchange: Exchange, key: bytes) -> None:
        self._gate = gate
        self._exchange = exchange
        self._key = key
        self._head: AnswerHead | None = None
        self._body = b""
        self._told = False

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer; of the gateway itself, where it could not ask."""
        self._tell(Verdict(0) if exchange.problem else self._gate.read(head, payload))

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head of an answer."""
        self._head = head

    def more(self, payload: bytes) -> None:
        """A piece of its body."""
        if len(self._body) < _MOST_BODY_BYTES:
            self._body += payload

    def end(self) -> None:
        """The body has ended."""
        if self._head is not None:
            self._tell(self._gate.read(self._head, self._body))

    def cut(self) -> None:
        """The answer broke off."""
        self._tell(Verdict(0))

    def reset(self) -> None:
        """Nothing that could be asked for here: no fault strikes what the gateway asks."""
        self.cut()

    def interim(self, head: AnswerHead) -> None:
        """Says nothing."""

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """Never: none is asked for."""

    def pause_body(self) -> None:
        """There is none."""

    def resume_body(self) -> None:
        """There is none."""

    def finished(self, exchange: Answering) -> None:
        """It is over, however it went."""
        self._tell(Verdict(0))

    def _tell(self, verdict: Verdict) -> None:
        if not self._told:
            self._told = True
            # Not from within the asking itself: it may not have waited yet.
            self._gate.core.loop.call_soon(self._gate.told, self._exchange, self._key, verdict)


_KIND = re.compile(rb"(?im)^content-type:[ \t]*([!-~]([ -~]{0,253}[!-~])?)[ \t]*\r\n")
_NO_BLOCK = Block(Marks(), b"", b"", 0, None)


def _lines_of(names: tuple[str, ...], *, alike: bool = False) -> re.Pattern[bytes]:
    """The lines of the fields with these names; `alike`: also where _ is written for -."""
    escaped = [re.escape(name.encode("ascii")) for name in names]
    if alike:
        escaped = [each.replace(rb"\-", b"-").replace(b"-", b"[-_]") for each in escaped]
    return re.compile(rb"(?im)^(?:" + b"|".join(escaped) + rb")[ \t]*:[^\r\n]*\r\n")
