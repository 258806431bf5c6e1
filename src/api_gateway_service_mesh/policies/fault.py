"""Faults made on purpose (``agw:FaultInjection``): which requests they strike."""

from __future__ import annotations

from api_gateway_service_mesh.model import Fault

__all__ = ["FAULT_ABORTED", "FAULT_DELAYED", "FAULT_RESET", "FAULT_TRUNCATED", "FaultPolicy"]

FAULT_DELAYED = 0
FAULT_ABORTED = 1
FAULT_RESET = 2
FAULT_TRUNCATED = 3
"""Kinds of `policies.event`."""


class FaultPolicy:
    """The draws of a fault. Each comes out by a number in [0, 1)."""

    __slots__ = ("_abort", "_delay", "_reset", "_truncate", "seconds", "status")

    def __init__(self, fault: Fault) -> None:
        self.seconds = fault.delay_seconds
        self.status = fault.abort_status
        self._delay = fault.delay_percent / 100.0 if fault.delay_seconds is not None else 0.0
        self._abort = fault.abort_percent / 100.0 if fault.abort_status is not None else 0.0
        self._reset = fault.reset_percent / 100.0
        self._truncate = fault.truncate_percent / 100.0

    def delays(self, rand: float) -> bool:
        """Whether a request is held back, for `seconds`."""
        return rand < self._delay

    def aborts(self, rand: float) -> bool:
        """Whether a request is answered with `status`."""
        return rand < self._abort

    def resets(self, rand: float) -> bool:
        """Whether a request's connection is reset."""
        return rand < self._reset

    def truncates(self, rand: float) -> bool:
        """Whether a request's answer breaks off."""
        return rand < self._truncate
