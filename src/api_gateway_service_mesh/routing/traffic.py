"""What traffic policies come to, in words and triples: maintenance, client certificates, faults, direct
responses, mirrors."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    ClientCertificate,
    DirectResponse,
    Fault,
    IntentionFailureMode,
    Maintenance,
    Mirror,
    MtlsMode,
    Route,
)

from .part import Part, cite, number, unless_default
from .split import condition_text

__all__ = ["client_certificate_part", "direct_part", "fault_part", "maintenance_part", "mirror_part"]


def maintenance_part(maintenance: Maintenance) -> Part:
    """What callers meet while it is on."""
    iri = maintenance.iri
    cited = [cite(maintenance.stated_by, "hasMaintenance", iri)]
    if not maintenance.enabled:
        return Part("maintenance", iri, "off", (*cited, cite(iri, "maintenanceEnabled", "false")))
    text = f"answers 503, {maintenance.message}"
    passes = [condition_text(condition) for condition in maintenance.bypassed_by]
    cited += [cite(iri, "bypassedBy", condition.iri) for condition in maintenance.bypassed_by]
    ways = [" and ".join(passes)] if passes else []
    ways += maintenance.bypass_addresses
    if ways:
        text += f"; but not for {' or '.join(ways)}"
    return Part("maintenance", iri, text, tuple(cited))


def client_certificate_part(policy: ClientCertificate) -> Part:
    """Who may call, and what the backend is told of them."""
    iri, standard = policy.iri, ClientCertificate("", "")
    cited = [cite(policy.stated_by, "hasClientCertificatePolicy", iri)]
    if policy.mode is not standard.mode:
        cited.append(cite(iri, "clientCertificateMode", policy.mode.value))
    words = {
        MtlsMode.STRICT: "demanded",
        MtlsMode.PERMISSIVE: "looked at when shown",
        MtlsMode.DISABLE: "not looked at",
    }
    text = words[policy.mode]
    peers = policy.peers
    cited += [cite(iri, "peerSpiffeId", each) for each in peers.spiffe_ids]
    cited += [cite(iri, "peerTrustDomain", each) for each in peers.trust_domains]
    cited += [cite(iri, "peerAltName", each) for each in peers.names]
    if peers:
        text += f", of {' or '.join((*peers.spiffe_ids, *peers.trust_domains, *peers.names))}"
    intentions = policy.intentions
    if intentions is not None:
        cited += [
            cite(iri, "intentionRegistry", intentions.registry.iri),
            cite(iri, "intentionService", intentions.service),
        ]
        text += f", of a service that the intentions of {intentions.registry.iri} let call {intentions.service}"
        if intentions.failure_mode is IntentionFailureMode.OPEN:
            cited.append(cite(iri, "intentionFailureMode", intentions.failure_mode.value))
            text += ", or about which there is no telling"
    if policy.forwarding is not standard.forwarding:
        cited.append(cite(iri, "forwardClientCertificate", policy.forwarding.value))
        text += f"; X-Forwarded-Client-Cert: {policy.forwarding.value}"
        if policy.details != standard.details:
            cited += [cite(iri, "clientCertificateDetail", each.value) for each in policy.details]
    return Part("client certificate", iri, text, tuple(cited))


def fault_part(route: Route, fault: Fault) -> Part:
    """How many requests it strikes, and with what."""
    iri, cited = fault.iri, [cite(route.iri, "hasFaultInjection", fault.iri)]
    words = []
    if fault.delay_seconds is not None:
        words.append(f"{number(fault.delay_percent)} % held back for {number(fault.delay_seconds)} s")
    if fault.abort_status is not None:
        words.append(f"{number(fault.abort_percent)} % answered {fault.abort_status}")
        cited.append(cite(iri, "abortStatus", str(fault.abort_status)))
    if fault.reset_percent:
        words.append(f"{number(fault.reset_percent)} % lose their connection")
        cited.append(cite(iri, "resetPercent", number(fault.reset_percent)))
    if fault.truncate_percent:
        share = number(fault.truncate_percent)
        words.append(f"{share} % of the answers break off after {fault.truncate_bytes} bytes of the body")
        cited.append(cite(iri, "truncatePercent", number(fault.truncate_percent)))
        cited += unless_default(iri, [("truncateAfterBytes", fault.truncate_bytes, 0)])
    text = ", ".join(words) or "nothing"
    if fault.triggered_by:
        text += " of those with " + " and ".join(condition_text(condition) for condition in fault.triggered_by)
        cited += [cite(iri, "triggeredBy", condition.iri) for condition in fault.triggered_by]
    return Part("fault injection", iri, text, tuple(cited))


def direct_part(route: Route, direct: DirectResponse) -> Part:
    """The answer, in short."""
    cited = [cite(route.iri, "hasDirectResponse", direct.iri)]
    standard = DirectResponse("")
    if direct.status != standard.status:
        cited.append(cite(direct.iri, "responseStatus", str(direct.status)))
    if direct.body:
        cited.append(cite(direct.iri, "responseTemplate" if direct.is_template else "responseBody", direct.body))
    if direct.content_type != standard.content_type:
        cited.append(cite(direct.iri, "responseContentType", direct.content_type))
    cited += [cite(direct.iri, "responseField", field) for field in direct.fields]
    size = len(direct.body.encode("utf-8"))
    kind = " of template" if direct.is_template else ""
    return Part(
        "direct response",
        direct.iri,
        f"answers {direct.status} with {size} bytes{kind}",
        tuple(cited),
    )


def mirror_part(route: Route, mirror: Mirror, name: str) -> Part:
    """How much is copied to the service called `name`."""
    cited = (
        cite(route.iri, "hasTrafficMirroring", mirror.iri),
        cite(mirror.iri, "targetService", mirror.upstream),
    )
    return Part("mirror", mirror.iri, f"{number(mirror.percent)} % copied to {name}", cited)
