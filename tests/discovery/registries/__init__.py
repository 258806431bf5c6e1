"""Registries that speak each protocol over real sockets and can be told to misbehave: one file a registry.

A further source gets the whole fault suite by one further file here, and one line in `STAND_INS`.
"""

from __future__ import annotations

from collections.abc import Callable

from .consul import ConsulStandIn
from .dns import DnsStandIn
from .eureka import EurekaStandIn
from .kubernetes import KubernetesStandIn
from .stand_in import Place, StandIn

__all__ = ["STAND_INS", "Place", "StandIn"]

STAND_INS: dict[str, Callable[[], StandIn]] = {
    "consul": ConsulStandIn,
    "dns": DnsStandIn,
    "eureka": EurekaStandIn,
    "kubernetes": KubernetesStandIn,
}
