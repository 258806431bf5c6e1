"""Request validation as a stage: what a description does not take is refused before a backend is touched.

What can be told from the head is told before the body is waited for. The body is looked at and goes on as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import Enforcement, RequestValidation
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.validation import Checker, Fault, Verdict, checker

from .gathering import expects_body, gather, gathered
from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["AUDIT_FLAG", "validation_gates"]

AUDIT_FLAG: Final = "not-as-described"
"""The flag in the access log of a request that was let through because violations are only reported."""

_VALID, _INVALID, _AUDITED = 0, 1, 2


def validation_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose requests are held against a description."""
    config = handler.route.validation
    if config is None:
        return []
    counters = EventCounters(core.cells.view, generation.slots["event", config.iri], core.worker)
    return [_Gate(config, checker(config), counters).gate]


class _Gate:
    """The validation of one route in one worker."""

    def __init__(self, config: RequestValidation, made: Checker, counters: EventCounters) -> None:
        self._config = config
        self._checker = made
        self._counters = counters
        self.gate: Gate = self.ask

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Whether the request is as described, as far as that is known: WAIT, where its body has yet to come."""
        path, _, query = exchange.target_bytes.decode("latin-1").partition("?")
        found = self._checker.find(exchange.method, path)
        if isinstance(found, Verdict):
            return self._decided(exchange, found)
        operation, captured = found
        asked_before = exchange.waits_at is self.gate
        if not asked_before:
            verdict = self._checker.parameters(operation, captured, query, exchange.block.headers)
            if verdict is not None:
                return self._decided(exchange, verdict)
        block = exchange.block
        content_type = block.header("content-type")
        coded = block.header("content-encoding") is not None
        kind = self._checker.type_of(operation, content_type, coded, expects_body(exchange))
        if isinstance(kind, Verdict):
            # Chunks without anything in them are no body.
            if kind.status == 415 and not exchange.waiting and block.length == 0 and exchange.body_done:
                return self._decided(exchange, None)
            return self._decided(exchange, kind)
        if not kind or not self._checker.examined(operation, kind, content_type):
            return self._decided(exchange, None)
        most = self._config.body_bytes
        if not gather(exchange, self.gate, most):
            return WAIT
        body = gathered(exchange, most)
        if body is None:
            return self._decided(exchange, _too_large(most))
        return self._decided(exchange, self._checker.body(operation, kind, content_type, body))

    def _decided(self, exchange: Exchange, verdict: Verdict | None) -> Refusal | None:
        if verdict is None:
            self._counters.count(_VALID)
            return None
        config = self._config
        if config.enforcement is Enforcement.AUDIT:
            self._counters.count(_AUDITED)
            exchange.flags = (*exchange.flags, AUDIT_FLAG)
            exchange.reason = f"{config.iri} would have refused it: {verdict.detail}"
            return None
        self._counters.count(_INVALID)
        fields = b""
        if verdict.allow:
            fields = b"Allow: %b\r\n" % ", ".join(verdict.allow).encode("ascii")
        elif verdict.accepts:
            fields = b"Accept: %b\r\n" % ", ".join(verdict.accepts).encode("ascii", "ignore")
        errors = tuple((fault.place, fault.at, fault.detail) for fault in verdict.faults)
        return Refusal(
            verdict.status, verdict.problem, verdict.detail, fields, config.iri, reason=verdict.detail, errors=errors
        )


def _too_large(most: int) -> Verdict:
    return Verdict(413, "body-too-large", (Fault("body", "", f"must have {most} bytes or fewer"),))
