"""Ports that others listen on. Certificates live in Secrets there and in files here, so TLS needs to know where."""

from __future__ import annotations

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.vocabulary import AGW

from .draft import Draft
from .turtle import Ref, Subject

__all__ = ["listener"]


def listener(
    draft: Draft, port: int, place: Location, *, secrets: list[str] | None, folder: str | None, mtls: str | None = None
) -> None:
    """Note a port. `secrets` None: plain HTTP; else the names of the Secrets with its certificates, which `folder`
    holds as NAME.crt, NAME.key (and NAME-ca.crt for `mtls`). A port that cannot be served as it was is left out."""
    if port in draft.listeners:
        return
    made = Subject("Listener").say(AGW.port, port)
    if secrets is not None:
        if folder is None or not secrets:
            named = ", ".join(secrets) or "nothing that names its certificate"
            message = f"port {port} speaks TLS with a certificate that is not among these files ({named})"
            remedy = "put NAME.crt and NAME.key into a folder and name it: --certificates FOLDER"
            draft.findings.lost(place, f"{message}; it is not taken over", remedy)
            return
        for name in secrets:
            made.say(AGW.hasCertificate, _certificate(draft, name, folder, place, trust=mtls is not None))
        if mtls is not None:
            made.say(AGW.hasMutualTLS, Subject("MutualTLS").say(AGW.mtlsMode, mtls))
    draft.listeners[port] = made


def _certificate(draft: Draft, name: str, folder: str, place: Location, *, trust: bool) -> Ref:
    for known in draft.others:
        if known.kind == "Certificate" and known.comment == f"Secret {name}":
            return Ref(str(known.iri))
    stem = f"{folder.rstrip('/')}/{name}"
    made = Subject("Certificate", draft.iri(name, "certificate"), f"Secret {name}", place)
    made.say(AGW.certificateFile, f"{stem}.crt").say(AGW.privateKeyRef, f"file:{stem}.key")
    made.say(AGW.trustBundleFile, f"{stem}-ca.crt" if trust else None)
    draft.others.append(made)
    return Ref(str(made.iri))
