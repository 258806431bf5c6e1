"""Sidecars: ports, identities, who may call."""

from __future__ import annotations

from .case import integer, right, wrong

SIDECAR = "ex:service agw:hasSidecar ex:envoy . ex:envoy a agw:Sidecar"
POLICY = "ex:p a agw:AuthorizationPolicy ; agw:hasRule [ a agw:AuthorizationRule ; agw:callerSpiffeId 'spiffe://a/b' ]"

SIDECARS = [
    *integer("applicationPort", SIDECAR, 1, 65535),
    *integer("sidecarPort", SIDECAR, 1, 65535),
    *right(
        "sidecar",
        f'{SIDECAR} ; agw:bindAddress "127.0.0.1" ; agw:callsService ex:service ; agw:spiffeId "spiffe://a.example/x/y" .',
        f"{SIDECAR} ; agw:hasAuthorization ex:p . {POLICY} .",
        f"{SIDECAR} ; agw:hasCertificate ex:c . ex:c a agw:Certificate .",
    ),
    *wrong(
        "sidecar",
        (f'{SIDECAR} ; agw:bindAddress "eth0" .', "one IP address"),
        (f"{SIDECAR} ; agw:callsService ex:missing .", "a BackendService that is defined"),
        (f'{SIDECAR} ; agw:spiffeId "orders" .', "one SPIFFE ID"),
        (f'{SIDECAR} ; agw:spiffeId "spiffe://A.example/x" .', "one SPIFFE ID"),
        (f'{SIDECAR} ; agw:spiffeId "spiffe://a/x" , "spiffe://a/y" .', "one SPIFFE ID"),
        (f"{SIDECAR} ; agw:hasCertificate ex:missing .", "one Certificate that is defined"),
        (f"{SIDECAR} ; agw:hasCertificate ex:c , ex:d . ex:c a agw:Certificate . ex:d a agw:Certificate .", "several"),
        (f"{SIDECAR} ; agw:hasAuthorization ex:missing .", "No such authorization policy"),
        (f"{SIDECAR} . ex:service agw:hasSidecar ex:two . ex:two a agw:Sidecar .", "Only one sidecar"),
        ("ex:service agw:applicationPort 80 .", "belong to an agw:Sidecar"),
        ('ex:service agw:spiffeId "spiffe://a/b" .', "belong to an agw:Sidecar"),
        ("ex:service agw:callsService ex:service .", "belong to an agw:Sidecar"),
        ("ex:service agw:sidecarPort 80 .", "an agw:Sidecar or an agw:ServiceMesh"),
        ('ex:service agw:bindAddress "::" .', "an agw:Listener or an agw:Sidecar"),
    ),
]
