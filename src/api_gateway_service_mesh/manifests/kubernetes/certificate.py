"""Certificates from cert-manager, into the Secrets that the other targets name too."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.name import name_of
from api_gateway_service_mesh.model import Certificate, Mesh

from .settings import Settings

__all__ = ["certificates"]

_DAY = 86400.0
_LEAST = 3600.0  # cert-manager's own bound


def certificates(settings: Settings) -> list[Document]:
    """An Issuer, by the authority in the Secret ``NAME-ca``, and a Certificate for each of the configuration's."""
    wanted = _wanted(settings.mesh)
    if not wanted:
        return []
    issuer: Document = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": settings.metadata(),
        "spec": {"ca": {"secretName": f"{settings.name}-ca"}},
    }
    return [issuer, *(_certificate(settings, one, usages) for one, usages in wanted.values())]


def _wanted(mesh: Mesh) -> dict[str, tuple[Certificate, tuple[str, ...]]]:
    found: dict[str, tuple[Certificate, tuple[str, ...]]] = {}
    pairs = [
        *((listener.certificate, "server auth") for listener in mesh.listeners),
        *((upstream.tls.certificate, "client auth") for upstream in mesh.upstreams if upstream.tls is not None),
    ]
    for certificate, usage in pairs:
        if certificate is not None and certificate.certificate_file is not None:
            held = found.get(certificate.iri)
            usages = (*held[1], usage) if held else (usage,)
            found[certificate.iri] = (certificate, tuple(dict.fromkeys(usages)))
    return dict(sorted(found.items()))


def _certificate(settings: Settings, one: Certificate, usages: tuple[str, ...]) -> Document:
    name = name_of(one.iri)
    hosts = sorted(
        {
            host
            for route in settings.mesh.routes
            for host in route.match.hosts
            if not host.startswith("[") and host != "*"
        }
    )
    service = f"{settings.name}.{settings.namespace}.svc" if settings.namespace else settings.name
    spec: dict[str, Any] = {
        "secretName": name,
        "issuerRef": {"name": settings.name, "kind": "Issuer"},
        "dnsNames": [*hosts, service],
        "usages": ["digital signature", "key encipherment", *usages],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
    }
    if one.rotation_seconds is not None:
        # cert-manager replaces a certificate at two thirds of its life unless told otherwise.
        life = max(_LEAST, one.rotation_seconds * 1.5)
        spec["duration"] = f"{round(life)}s"
        spec["renewBefore"] = f"{round(life / 3)}s"
    made = settings.metadata()
    made["name"] = name
    made["annotations"] = {**_stated(made), "agw.ggen.ai/service": one.iri}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": made, "spec": spec}


def _stated(metadata: dict[str, object]) -> dict[str, str]:
    held = metadata.get("annotations")
    return dict(held) if isinstance(held, dict) else {}
