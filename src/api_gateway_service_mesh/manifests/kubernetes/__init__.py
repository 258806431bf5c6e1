"""Kubernetes: what runs agw itself in a cluster. Deployment, Service, autoscaler, disruption budget, configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping

from api_gateway_service_mesh.errors import AgwError, Report
from api_gateway_service_mesh.manifests.document import Document, Rendering
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import name_of
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.vocabulary import AGW

from .access import network_policy, service_account
from .certificate import certificates
from .deployment import deployment
from .form import Form, written
from .monitoring import admin_service, prometheus_rule, service_monitor
from .scaling import autoscaler, disruption_budget
from .service import service
from .settings import Settings

__all__ = ["render_kubernetes"]

_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")  # as the API server has it; a chart has files of these names
_LARGEST_CONFIG_MAP = 1 << 20  # bytes; the API server refuses more


def render_kubernetes(
    mesh: Mesh,
    *,
    name: str | None = None,
    namespace: str | None = None,
    image: str = "api-gateway-service-mesh:latest",
    config: str | Mapping[str, str] | None = None,
    admin_port: int = 9901,
    minimum: int = 2,
    maximum: int = 10,
    monitoring_namespace: str = "monitoring",
    form: str = "plain",
) -> Rendering:
    """Render what runs agw with `mesh`.

    `config`: the Turtle of the configuration, or several files by name; without it the ConfigMap has to be made by
    hand. `minimum`, `maximum`: how many pods the autoscaler keeps. Namespace: the service mesh's unless given.
    `monitoring_namespace`: where Prometheus is. `form`: ``plain``, ``kustomize`` (a base) or ``helm`` (a chart).

    Raises:
        AgwError: a file of the configuration has a name that a ConfigMap cannot have.
    """
    texts = {"gateway.ttl": config} if isinstance(config, str) else dict(config or {})
    for file in texts:
        if _FILE_NAME.fullmatch(file) is None or file in (".", ".."):
            raise AgwError(
                f"{file!r} cannot be the name of a file in a ConfigMap.",
                remedy="Name it with letters, digits, dots, hyphens and underscores.",
            )
    settings = Settings(
        mesh=mesh,
        name=name or name_of(mesh.name),
        namespace=namespace or (mesh.service_mesh.namespace if mesh.service_mesh else None),
        image=image,
        files=tuple(sorted(texts)) or ("gateway.ttl",),
        admin_port=admin_port,
        minimum=minimum,
        maximum=maximum,
        monitoring_namespace=monitoring_namespace,
    )
    documents: list[Document] = []
    findings = []
    config_map = f"{settings.name}-config"
    if texts:
        data = dict(sorted(texts.items()))
        documents.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings.metadata("-config"), "data": data}
        )
        if sum(len(text.encode()) for text in texts.values()) > _LARGEST_CONFIG_MAP:
            message = "the configuration is over 1 MiB, more than a ConfigMap may hold"
            findings.append(lost(mesh.iri, None, message, "bake the files into the image, or mount a volume"))
    else:
        message = f"the ConfigMap {config_map!r} with the configuration is not among the manifests"
        remedy = f"kubectl create configmap {config_map} --from-file=gateway.ttl"
        findings.append(differs(mesh.iri, None, message, remedy))
    message = f"the Secret {settings.admin_secret!r} with the admin port's token is not among the manifests"
    remedy = f'kubectl create secret generic {settings.admin_secret} --from-literal=token="$(openssl rand -hex 24)"'
    findings.append(differs(mesh.iri, None, message, remedy))
    named = {
        certificate.iri: certificate
        for certificate in (
            *(listener.certificate for listener in mesh.listeners),
            *(upstream.tls.certificate for upstream in mesh.upstreams if upstream.tls),
        )
        if certificate is not None
    }
    for iri in sorted(named):
        message = "the files of this certificate are not among the manifests"
        remedy = "mount a Secret below /etc/agw at the paths that the configuration names"
        findings.append(differs(iri, AGW.certificateFile, message, remedy))
    documents += [
        service_account(settings),
        *certificates(settings),
        deployment(settings),
        service(settings),
        admin_service(settings),
        autoscaler(settings),
        disruption_budget(settings),
        network_policy(settings),
        service_monitor(settings),
        prometheus_rule(settings),
    ]
    return Rendering(written(settings, documents, Form(form), texts), Report().merged(findings))
