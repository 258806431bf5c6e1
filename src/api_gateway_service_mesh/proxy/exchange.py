"""One request and its answer, as a state machine driven by callbacks: no task, no future, unless someone has to wait.

Client side and backend side call in; the exchange decides what goes where, when to try again, and when it is over. It
ends in exactly one way, through `_end`.

What is replayable: a request whose body was kept whole (up to `REPLAY_BYTES`, or as the retry policy says). What is
tried again without a policy: only a request that was lost on a connection which had served before, and which closed
before the first byte of the answer; and only when its method is idempotent (RFC 9112 §9.3.1).
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import IDEMPOTENT_METHODS, Failure, Overflow
from api_gateway_service_mesh.policies.retry import GRPC_STATUS

from .answer import AnswerHead
from .answering import Answering
from .bulkhead import overflow
from .exchange_state import REPLAY_BYTES
from .problem import WAIT, Refusal
from .retry import retry_delay

if TYPE_CHECKING:
    from .asker import Asker
    from .backend_side import BackendSide
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["Exchange"]

_WAITING_BYTES = 64 * 1024


class Exchange(Answering):
    """See the module: the half that takes the request in and sends it, as often as it takes."""

    # -- from the client's side

    def start(self, body: bytes, done: bool) -> None:
        """Go. `body` is what of the body has arrived with the head, `done` that this is all."""
        if body or not done or self.block.marks.chunked:
            self.body_done = False
            self._keep(body, done)
        handler = self.handler
        if handler is None:
            raise AssertionError("an exchange without a route can only be refused")
        self._pass(handler, handler.gates)

    def resend(self, body: list[bytes]) -> None:
        """Go, with a body that is there in whole."""
        handler = self.handler
        if handler is None:
            raise AssertionError("an exchange without a route can only be refused")
        self.waiting = list(body)
        self.replay = list(body)
        self._pass(handler, handler.gates)

    def proceed(self) -> None:
        """What a gate made this wait for is there, or will not come: ask that gate again, and go on."""
        handler, waits_at = self.handler, self.waits_at
        if self.over or handler is None or waits_at is None:
            return
        self._pass(handler, handler.gates[handler.gates.index(waits_at) :])

    def _pass(self, handler: RouteHandler, gates: tuple[Gate, ...]) -> None:
        for gate in gates:
            refusal = gate(self)
            if refusal is not None:
                if refusal is not WAIT:
                    self.refuse(refusal)
                return
        if handler.timed:
            if handler.total_seconds is not None:
                self.deadline = self.started + handler.total_seconds
            allowed = self.allowed_seconds
            if allowed is not None and (self.deadline is None or self.started + allowed < self.deadline):
                self.deadline = self.started + allowed
            self._watch()
        self._attempt()

    def _watch(self) -> None:
        self.watched = True
        self.core.deadlines.add(self)

    def body(self, payload: bytes, done: bool) -> None:
        """A piece of the request's body; `done`: the last."""
        self.idle_ticks = 0
        if self.over or self.body_done:
            return
        if self.unwrap is not None:
            try:
                payload = self.unwrap(payload)
            except ValueError as error:
                self.body_broken(str(error))
                return
        self._keep(payload, done)
        connection = self.connection
        if connection is not None:
            self._send_waiting(connection)
        elif self.gathering is not None:
            self.gathering(self)
        elif self.waiting and sum(map(len, self.waiting)) > _WAITING_BYTES and not self.body_paused:
            self.body_paused = True
            self.down.pause_body()

    def _keep(self, payload: bytes, done: bool) -> None:
        if done:
            self.body_done = True
        if payload:
            size = len(payload)
            self.bytes_in += size
            self.waiting.append(payload)
            if self.replay is not None:
                self.kept += size
                if self.kept > (REPLAY_BYTES if self.handler is None else self.handler.replay_bytes):
                    self.replay = None
                else:
                    self.replay.append(payload)

    def client_gone(self) -> None:
        """The client left before the end."""
        if self.over:
            return
        self._drop_connection(ok=True)
        self._end(gone=True)

    def break_off(self, refused_by: str, reason: str) -> None:
        """The client loses its connection, over HTTP/2 its stream, and gets no answer."""
        if self.over:
            return
        self.refused_by = refused_by
        self.reason = reason
        self.down.reset()
        self._end(gone=True)

    def body_broken(self, detail: str) -> None:
        """The client's framing of its body is broken: both sides are closed."""
        if self.over:
            return
        self._drop_connection(ok=True)
        if self.committed:
            self.down.cut()
            self._end(gone=True)
        else:
            self.refuse(Refusal(400, "malformed-framing", detail))

    def client_full(self) -> None:
        """The client takes no more for now."""
        if self.connection is not None:
            self.connection.pause()

    def client_ready(self) -> None:
        """The client takes more again."""
        if self.connection is not None:
            self.connection.resume()

    # -- attempts

    def _attempt(self) -> None:
        handler = self.handler
        assert handler is not None
        self.attempt += 1
        pool = handler.direct if self.target is None else None
        if pool is None:
            pool = self._chosen(handler)
            if pool is None:
                return
        self.pool = pool
        if handler.attempt_seconds is not None:
            now = self.started if self.attempt == 1 else monotonic()
            self.attempt_deadline = now + handler.attempt_seconds
        counters = pool.counters
        self.endpoint_counters = counters
        counters.start()
        connection = pool.take()
        if connection is not None:
            self.connected(connection)
        elif not pool.wait(self):
            self._attempt_over(ok=False)
            target = self.target or handler.target
            assert target is not None
            self.refuse(overflow(target, Overflow.QUEUE_FULL, pool.authority))
        elif pool.parent.bounds.queue_timeout_seconds is not None:
            self.queue_deadline = monotonic() + pool.parent.bounds.queue_timeout_seconds
            self._watch()

    def _chosen(self, handler: RouteHandler) -> EndpointPool | None:
        """The endpoint for this attempt; None when there is none, and that was said."""
        target = self.target or handler.target
        if target is None:
            self.refuse(handler.no_upstream)
            return None
        pool = target.only
        if pool is None:
            breakers = target.breakers
            index = target.pick(self) if breakers is None else breakers.pick(target, self)
            if index < 0:
                self.refuse(target.nowhere if breakers is None else breakers.refusal())
                return None
            self.tried |= 1 << index
            pool = target.pools[index]
        if target.on_attempt and not self._enters(target, pool):
            return None
        return pool

    def _enters(self, target: Target, pool: EndpointPool) -> bool:
        """Take a place among the requests under way to the upstream; False when there is none, and that was said. Who
        has a bound watches attempts; note the time for all who do."""
        bulkhead = target.bulkhead if target.bounded else None
        if bulkhead is None or bulkhead.enter():
            self.entered = bulkhead
            self.attempt_started = monotonic()
            self.head_at = 0.0
            return True
        if self.attempt_breaker is not None and self.attempt_ticket:
            self.attempt_breaker.cancel(self.attempt_ticket)
            self.attempt_ticket = 0.0
        self.refuse(overflow(target, Overflow.REQUESTS, pool.authority))
        return False

    def connected(self, connection: BackendSide) -> None:
        """A connection for this attempt."""
        self.connection = connection
        paused, self.body_paused = self.body_paused, False
        self.sent = connection.ask(self, self, self.waiting)
        if self.waiting:
            self.waiting.clear()
        if self.down.writing_paused:
            connection.pause()
        if paused and not self.body_paused:  # unless that has filled the transport
            self.down.resume_body()

    @property
    def wants_upgrade(self) -> bool:
        """The client asks for a WebSocket."""
        return self.block.marks.websocket and self.method == "GET"

    @property
    def began(self) -> float:
        """When the attempt under way began."""
        return self.attempt_started

    def told(self, asker: Asker) -> bytes:
        """The header lines for an attempt that is about to be sent, beside ``fields``; `asker`: whose attempt."""
        return b"".join([tell(self, asker) for tell in self.tells])

    def attempt_failed(self, failure: Failure | None, status: int) -> None:
        """Count the attempt that is the exchange's now as failed, without a consequence for the request."""
        self._attempt_over(ok=False, failure=failure, status=status)

    def _send_waiting(self, connection: BackendSide) -> None:
        pieces, self.waiting = self.waiting, []
        self.sent += connection.more(self, pieces)

    def connect_failed(self, detail: str) -> None:
        """There will be no connection. Where to is for the operator to know (CWE-209)."""
        said = "no connection to the backend could be made"
        self._failed(Failure.CONNECT, Refusal(502, "upstream-connect-failure", said, failure=True, reason=detail))

    def lost(self, connection: BackendSide, detail: str, malformed: bool = False) -> None:
        """The connection broke, or what came on it cannot be understood."""
        if self.over:
            return
        self.connection = None
        if self.committed:
            self._attempt_over(ok=False, failure=Failure.RESET)
            self.down.cut()
            self._end(failed=True)
            return
        pool = self.pool
        unseen = connection.refused or (
            connection.served and not connection.started and self.method in IDEMPOTENT_METHODS
        )
        if unseen and not self.stale_retried and pool is not None and self.replay is not None:
            self.stale_retried = True
            self.waiting = list(self.replay)
            pool.flush()
            if pool.wait(self):
                return
        problem = "upstream-bad-answer" if malformed else "upstream-reset"
        failure = Failure.REFUSED if connection.refused else Failure.RESET
        self._failed(failure, Refusal(502, problem, detail, failure=True))

    def _failed(self, failure: Failure, refusal: Refusal, status: int = 0) -> None:
        """An attempt came to nothing: once more, or tell the client."""
        self._attempt_over(ok=False, failure=failure)
        if self.hedge is not None:
            self.parked = (failure, refusal)
            self.attempt_deadline = None
        elif not self._try_again(failure, status):
            self.refuse(refusal)

    def hedge_failed(self) -> None:
        """The second attempt came to nothing. When the first did before, that is how this one ends too."""
        parked, self.parked = self.parked, None
        if parked is not None and not self.over and not self._try_again(parked[0], 0):
            self.refuse(parked[1])

    def _try_again(self, failure: Failure, status: int, answer: AnswerHead | None = None) -> bool:
        handler = self.handler
        assert handler is not None
        retry = handler.retry
        if retry is None:
            return False
        delay = retry_delay(self, retry, failure, status, answer)
        if delay is None:
            return False
        if self.replay is not None:
            self.waiting = list(self.replay)
        self.sent = 0
        self.attempt_deadline = None
        self.retrying = True
        self.core.loop.call_later(delay, self._retry_now)
        return True

    def grpc_failed(self, connection: BackendSide, head: AnswerHead, code: int) -> bool:
        """A call of gRPC was answered with nothing but this status; whether it is tried again, the answer dropped."""
        handler = self.handler
        if handler is None or handler.retry is None or code not in handler.retry.grpc_statuses:
            return False
        if self.hedge is not None or not self._try_again(Failure.STATUS, GRPC_STATUS + code, head):
            return False
        self.connection = None
        connection.finish(self.body_done, monotonic())
        self._attempt_over(ok=False, status=head.status)
        return True

    def _retry_now(self) -> None:
        if not self.over:
            self.retrying = False
            self.parked = None
            self._attempt()

    def expire(self, now: float) -> None:
        """Called by the deadlines' sweep: act on what is over."""
        if self.over or self.committed:
            return
        waiting = self.queue_deadline is not None and self.connection is None and not self.retrying
        if waiting and self.queue_deadline is not None and now >= self.queue_deadline:
            target, pool = self.target or (self.handler.target if self.handler is not None else None), self.pool
            self._drop_connection(ok=False)
            if target is not None and pool is not None:
                self.refuse(overflow(target, Overflow.QUEUE_TIMEOUT, pool.authority))
        elif self.deadline is not None and now >= self.deadline:
            if not self.retrying:
                self._drop_connection(ok=False, failure=Failure.TIMEOUT)
            self.refuse(Refusal(504, "timeout", "no answer within the route's time", failure=True))
        elif self.attempt_deadline is not None and now >= self.attempt_deadline:
            self._drop_connection(ok=False, counted=False)
            self._failed(
                Failure.TIMEOUT,
                Refusal(504, "timeout", "no answer within the time for one attempt", failure=True),
            )

    def stalled(self) -> None:
        """Nothing has moved for too long."""
        if self.over:
            return
        self._drop_connection(ok=False, failure=Failure.TIMEOUT)
        if self.committed:
            self.down.cut()
            self._end(failed=True)
        else:
            self.refuse(Refusal(504, "timeout", "nothing moved on this request for too long", failure=True))

    def abandon(self, refusal: Refusal) -> None:
        """Answer for ourselves in place of an answer that still comes, and of which the client has seen nothing."""
        if not self.over:
            self._drop_connection(ok=True)
            head, payload = self.replaced(refusal)
            self.down.respond(self, head, payload, None)
            self._end(failed=True)

    def give_up_first(self) -> None:
        """The second attempt has won: the first is given up, which says nothing of its backend."""
        if self.parked is None:
            self._drop_connection(ok=True)
        self.parked = None

    def drop_attempt(self) -> None:
        """Give up the attempt under way, which says nothing of its backend."""
        self._drop_connection(ok=True)

    def _drop_connection(self, *, ok: bool, counted: bool = True, failure: Failure | None = None) -> None:
        """Give up the attempt under way, wherever it is."""
        if self.pool is not None:
            self.pool.leave(self)
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.detach()
            connection.abort()
        if counted:
            self._attempt_over(ok=ok, failure=failure)
