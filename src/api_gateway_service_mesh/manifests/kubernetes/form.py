"""The same objects as plain files, as a kustomize base, or as a Helm chart.

A chart's templates are the objects with a few values taken out; braces of people's own texts are put so that Helm
leaves them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from api_gateway_service_mesh.manifests.document import Document, Manifest, yaml_text
from api_gateway_service_mesh.resources import version

from .settings import Settings

__all__ = ["Form", "written"]


class Form(StrEnum):
    """``--form``."""

    PLAIN = "plain"
    KUSTOMIZE = "kustomize"
    HELM = "helm"


def written(settings: Settings, documents: Sequence[Document], form: Form, texts: Mapping[str, str]) -> list[Manifest]:
    """`documents` in one of the forms; `texts` are the files of the configuration, which a chart has as files."""
    named = [(f"{document['kind'].lower()}-{document['metadata']['name']}.yaml", document) for document in documents]
    if form is Form.HELM:
        return _chart(settings, named, texts)
    made = [Manifest(f"kubernetes/{name}", yaml_text(document)) for name, document in named]
    if form is Form.KUSTOMIZE:
        base: Document = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            **({"namespace": settings.namespace} if settings.namespace else {}),
            "resources": [name for name, _ in named],
        }
        made.append(Manifest("kubernetes/kustomization.yaml", yaml_text(base)))
    return made


def _chart(settings: Settings, named: Sequence[tuple[str, Document]], texts: Mapping[str, str]) -> list[Manifest]:
    values: dict[str, Any] = {
        "image": settings.image,
        "replicas": {"minimum": settings.minimum, "maximum": max(settings.minimum, settings.maximum)},
        "monitoring": {"enabled": True, "namespace": settings.monitoring_namespace},
        "certManager": {"enabled": True},
    }
    chart: Document = {
        "apiVersion": "v2",
        "name": settings.name,
        "description": f"The gateway {settings.mesh.name}, served by agw",
        "type": "application",
        "version": "0.1.0",
        "appVersion": version(),
    }
    folder = "helm"
    made = [
        Manifest(f"{folder}/Chart.yaml", yaml_text(chart)),
        Manifest(f"{folder}/values.yaml", yaml_text(values)),
        *(Manifest(f"{folder}/files/{name}", text) for name, text in texts.items()),
    ]
    for name, document in named:
        made.append(Manifest(f"{folder}/templates/{name}", _template(document)))
    return made


def _template(document: Document) -> str:
    marks: dict[str, str] = {}
    stem, plain = "agw-value", yaml_text(document)
    while stem in plain:  # else what somebody wrote so would become a template
        stem += "-value"

    def mark(template: str) -> str:
        name = f"{stem}-{len(marks)}-"
        marks[name] = template
        return name

    kind = document["kind"]
    meta = {key: value for key, value in document["metadata"].items() if key != "namespace"}
    changed: Document = {**document, "metadata": {**meta, "namespace": mark("{{ .Release.Namespace }}")}}
    if kind == "Deployment":
        pod = document["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        container = {**container, "image": mark("{{ .Values.image | quote }}")}
        pod = {**pod, "spec": {**pod["spec"], "containers": [container]}}
        changed["spec"] = {**document["spec"], "template": pod}
    elif kind == "HorizontalPodAutoscaler":
        changed["spec"] = {
            **document["spec"],
            "minReplicas": mark("{{ .Values.replicas.minimum }}"),
            "maxReplicas": mark("{{ .Values.replicas.maximum }}"),
        }
    elif kind == "ConfigMap":
        own = dict.fromkeys(document["data"])
        changed["data"] = {name: mark(f'{{{{ .Files.Get "files/{name}" | quote }}}}') for name in own}
    text = yaml_text(changed).replace("{{", '{{ "{{" }}')
    for name, template in marks.items():
        text = text.replace(name, template)
    group = document["apiVersion"].split("/")[0]
    condition = {"monitoring.coreos.com": "monitoring", "cert-manager.io": "certManager"}.get(group)
    if condition is not None:
        text = f"{{{{- if .Values.{condition}.enabled }}}}\n{text}{{{{- end }}}}\n"
    return text
