"""The answering half of an exchange: what came from the backend goes to the client, or the gateway answers for itself.

An exchange ends in exactly one way, through `_end`: there it is counted, its breaker told, its line logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.policies import Failure

from .answer import AnswerHead
from .attempt import AttemptOutcome
from .exchange_state import ExchangeState
from .grpc import grpc_answer, speaks_grpc
from .problem import Refusal, problem_answer
from .refusals import flags_with
from .request_cost import settle
from .tunnel import Tunnel

if TYPE_CHECKING:
    from .backend_side import BackendSide
    from .exchange import Exchange

__all__ = ["Answering"]


class Answering(ExchangeState):
    """See the module."""

    __slots__ = ()

    # -- what the other half does

    def _try_again(self, failure: Failure, status: int, answer: AnswerHead | None = None) -> bool:
        """Arrange for another attempt; False when there will be none. `answer`: what came, when something did."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """Act on a deadline that is over."""
        raise NotImplementedError

    # -- from the backend's side

    def answered(self, connection: BackendSide, head: AnswerHead, payload: bytes, raw: bytes) -> None:
        """The whole answer at once."""
        status = head.status
        if status >= 400 and self._retry_status(connection, head, whole=True):
            return
        self.status = status
        self.committed = True
        self.bytes_out = len(payload)
        if self.ticket:
            self._tell_breaker(status)
        if self.attempt_started:
            self._tell_attempt(status, None)
        if self.answer_fields or self.answer_drops:
            self.down.respond(self, self._for_client(head), payload, None)
        else:
            self.down.respond(self, head, payload, raw if head.unchanged else None)
        self._answer_over(connection)

    def answer_begins(self, connection: BackendSide, head: AnswerHead) -> bool:
        """The head of an answer whose body follows; False when this answer is not wanted."""
        if head.status >= 400 and self._retry_status(connection, head, whole=False):
            return False
        self.status = head.status
        self.committed = True
        if self.ticket and self.breaker is not None and self.breaker.fails(head.status):
            self._tell_breaker(head.status)
        if self.attempt_started or self.ticket:
            self.head_at = monotonic()
        if self.answer_fields or self.answer_drops:
            head = self._for_client(head)
        self.down.begin(self, head)
        return True

    def _for_client(self, head: AnswerHead) -> AnswerHead:
        """A backend's head, changed as policies want it; what it says for the gateway alone is read before."""
        if self.costs:
            settle(self.costs, head)
        return head.with_fields(self.answer_fields, self.answer_drops)

    def _retry_status(self, connection: BackendSide, head: AnswerHead, *, whole: bool) -> bool:
        status = head.status
        if status >= 500 and self.hedge is not None:
            said = "the backend answered with an error, and the second attempt failed too"
            self.parked = (Failure.STATUS, Refusal(502, "upstream-error", said, failure=True))
        elif not self._try_again(Failure.STATUS, status, head):
            return False
        self.connection = None
        if whole:
            connection.finish(self.body_done, monotonic())
        else:
            connection.detach()
            connection.abort()
        self._attempt_over(ok=False, status=status)
        return True

    def answer_body(self, payload: bytes) -> None:
        """A piece of the answer's body."""
        self.idle_ticks = 0
        self.bytes_out += len(payload)
        self.down.more(payload)

    def answer_ends(self, connection: BackendSide) -> None:
        """The body ended exactly where it should."""
        if self.attempt_started and not self.over:
            self._tell_attempt(self.status, None)
        self.down.end()
        self._answer_over(connection)

    def trailed(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """Trailers of the answer, which ends now: they go on to a client that takes them."""
        if self.wants_trailers or speaks_grpc(self.block):
            taken = self.answer_drops
            if self.answer_fields:
                taken = taken.union([line.partition(b":")[0].lower() for line in self.answer_fields.split(b"\r\n")])
            self.answer_trailers = [field for field in trailers if field[0] not in taken] if taken else trailers

    def _answer_over(self, connection: BackendSide) -> None:
        if self.over:
            return
        now = monotonic()
        self.connection = None
        connection.finish(self.body_done, now)
        counters = self.endpoint_counters
        if counters is not None:
            self.endpoint_counters = None
            counters.finish(self.status < 500)
        self._end(now=now)

    def interim(self, head: AnswerHead) -> None:
        """A 1xx answer other than 101."""
        if not self.committed:
            self.down.interim(head)

    def upgraded(self, connection: BackendSide, head: AnswerHead, rest: bytes) -> None:
        """101 as asked for: from now on it is a tunnel. The exchange ends when the tunnel does."""
        self.status = 101
        self.committed = True
        self.core.deadlines.discard(self)
        connection.detach()
        connection.resume()
        tunnel = Tunnel(self, connection)
        if self.answer_fields or self.answer_drops:
            head = self._for_client(head)
        self.down.tunnel(head, tunnel)
        if self.websocket is not None:
            self.websocket.opened(tunnel, self.core.loop)
        if rest:
            tunnel.from_upstream(rest)

    def tunnel_over(self, bytes_in: int, bytes_out: int) -> None:
        """The tunnel is closed on both sides."""
        if self.over:
            return
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        if self.websocket is not None and self.websocket.ended_by:
            self.reason = self.websocket.ended_by
        self.connection = None
        self._attempt_over(ok=True, status=101)
        self._end()

    def upstream_full(self) -> None:
        """The backend takes no more for now."""
        if not self.body_paused:
            self.body_paused = True
            self.down.pause_body()

    def upstream_ready(self) -> None:
        """The backend takes more again."""
        if self.body_paused:
            self.body_paused = False
            self.down.resume_body()

    # -- the end

    def refuse(self, refusal: Refusal) -> None:
        """Answer for ourselves."""
        if self.over:
            return
        handler = self.handler
        head, payload = self._refusal(refusal)
        if handler is not None:
            if refusal.failure:
                handler.counters.gateway_error()
                if self.ticket:
                    self._tell_breaker(0, failed=True)
            elif self.ticket and self.breaker is not None:
                self.breaker.cancel(self.ticket)  # the client is at fault: that says nothing of the backend
                self.ticket = 0.0
        self.down.respond(self, head, payload, None)
        self._end(failed=refusal.failure)

    def _refusal(self, refusal: Refusal) -> tuple[AnswerHead, bytes]:
        """The answer for `refusal`, which is this exchange's from now on."""
        route = self.handler.route.iri if self.handler is not None else None
        head, payload = problem_answer(refusal, self.request_id.decode("ascii"), route, self.trace_id.decode("ascii"))
        if speaks_grpc(self.block):
            told = grpc_answer(refusal, self.request_id)
            if told is not None:
                head, payload = told, b""
        self.status = refusal.status
        self.refused_by = refusal.refused_by
        self.problem = refusal.problem
        self.flags = flags_with(self.flags, refusal.problem)
        self.generation.count_refusal(refusal.problem)
        self.reason = refusal.reason or (refusal.detail if refusal.failure else None)
        self.committed = True
        if self.answer_fields or self.answer_drops:
            head = head.with_fields(self.answer_fields, self.answer_drops)
        if self.is_head:
            payload = b""
        self.bytes_out = len(payload)
        return head, payload

    def replaced(self, refusal: Refusal) -> tuple[AnswerHead, bytes]:
        """The answer for `refusal`, which goes to the client in place of one that came from the backend: that one stays
        the backend's outcome."""
        if self.ticket:
            self._tell_breaker(self.status)
        counters = self.endpoint_counters
        if counters is not None:
            self.endpoint_counters = None
            counters.finish(self.status < 500)
        if self.handler is not None:
            self.handler.counters.gateway_error()
        return self._refusal(refusal)

    def abandon(self, refusal: Refusal) -> None:
        """Answer for ourselves in place of an answer that still comes, and of which the client has seen nothing."""
        raise NotImplementedError

    def give(self, head: AnswerHead, payload: bytes) -> None:
        """Answer with what is at hand: nobody is asked, nothing is refused."""
        if self.over:
            return
        self.status = head.status
        self.committed = True
        if self.answer_fields or self.answer_drops:
            head = head.with_fields(self.answer_fields, self.answer_drops)
        if self.is_head:
            payload = b""
        self.bytes_out = len(payload)
        self.down.respond(self, head, payload, None)
        self._end()

    def _end(self, *, now: float | None = None, failed: bool = False, gone: bool = False) -> None:
        """The one way out."""
        self.over = True
        handler = self.handler
        if now is None:
            now = monotonic()
        if handler is not None:
            if self.watched:
                self.core.deadlines.discard(self)
            status = self.status
            if self.ticket:
                if not gone:
                    self._tell_breaker(status, failed=failed)
                elif self.breaker is not None:
                    self.breaker.cancel(self.ticket)
            handler.counters.observe(status, now - self.started, self.bytes_in, self.bytes_out)
            if handler.on_end:
                for ended in handler.on_end:
                    ended(cast("Exchange", self), now)
        if self.generation.access_log:
            self.core.log(self, now)
        if not gone:
            self.down.finished(self)

    def _tell_breaker(self, status: int, *, failed: bool = False) -> None:
        """The outcome, as soon as it is certain: before the client hears of it, so that its next request, on whichever
        worker, meets a breaker that knows."""
        breaker = self.breaker
        assert breaker is not None
        ticket, self.ticket = self.ticket, 0.0
        now = monotonic()
        breaker.record(ticket, not failed and not breaker.fails(status), now, (self.head_at or now) - self.started)

    def _attempt_over(self, *, ok: bool, status: int = 0, failure: Failure | None = None) -> None:
        counters = self.endpoint_counters
        if counters is not None:
            self.endpoint_counters = None
            counters.finish(ok)
        if self.attempt_started:
            self._tell_attempt(status or self.status, failure)

    def _tell_attempt(self, status: int, failure: Failure | None) -> None:
        """The attempt under way is over: tell those who watch."""
        handler, pool = self.handler, self.pool
        assert handler is not None
        target = self.target or handler.target
        if target is not None and pool is not None:
            now = monotonic()
            outcome = AttemptOutcome(status, failure, (self.head_at or now) - self.attempt_started, now)
            for told in target.on_attempt:
                told(cast("Exchange", self), pool, outcome)
        self.attempt_started = 0.0
