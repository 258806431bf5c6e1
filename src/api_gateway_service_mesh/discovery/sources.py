"""Which source speaks to which registry."""

from __future__ import annotations

from api_gateway_service_mesh.model import Discovery, RegistryType

from .source import Source

__all__ = ["source_of"]


def source_of(discovery: Discovery) -> Source:
    """What looks up `discovery`. Each is imported when somebody uses it."""
    if discovery.registry.type is RegistryType.CONSUL:
        from .consul import ConsulSource

        return ConsulSource(discovery)
    if discovery.registry.type is RegistryType.EUREKA:
        from .eureka import EurekaSource

        return EurekaSource(discovery)
    if discovery.registry.type is RegistryType.KUBERNETES:
        from .kubernetes import KubernetesSource

        return KubernetesSource(discovery)
    from .dns import DnsSource

    return DnsSource(discovery)
