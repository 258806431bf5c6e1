"""What all Kubernetes renderers share."""

from __future__ import annotations

from dataclasses import dataclass

from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.model import Mesh

__all__ = ["DEFAULT_PORT", "Settings"]

DEFAULT_PORT = 8080  # where ``agw serve`` listens when the graph states no listener


@dataclass(frozen=True, slots=True)
class Settings:
    """One gateway to run."""

    mesh: Mesh
    name: str
    namespace: str | None
    image: str
    files: tuple[str, ...]
    admin_port: int
    minimum: int
    maximum: int
    monitoring_namespace: str = "monitoring"

    @property
    def admin_secret(self) -> str:
        """The Secret whose key ``token`` opens the admin port."""
        return f"{self.name}-admin"

    @property
    def labels(self) -> dict[str, str]:
        """The labels by which the pods are selected."""
        return {"app.kubernetes.io/name": "agw", "app.kubernetes.io/instance": self.name}

    @property
    def ports(self) -> tuple[tuple[str, int], ...]:
        """Name and number of each listener's port."""
        stated = {
            listener.port: f"{'https' if listener.certificate else 'http'}-{listener.port}"
            for listener in self.mesh.listeners
        }
        return tuple((name, port) for port, name in sorted(stated.items())) or (("http-8080", DEFAULT_PORT),)

    def metadata(self, suffix: str = "") -> dict[str, object]:
        """``metadata`` of one of the objects."""
        made = metadata(self.name + suffix, self.namespace, gateway=self.mesh.iri)
        made["labels"] = {**self.labels, "app.kubernetes.io/managed-by": "agw"}
        return made
