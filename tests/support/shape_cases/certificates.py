"""Who the other side of a connection may be, what routes ask of client certificates, and what listeners show."""

from __future__ import annotations

from .case import reference, right, wrong
from .subjects import CERTIFICATE, FILES, LISTENER, TRUSTING

ASKING = "ex:route agw:hasClientCertificatePolicy ex:callers . ex:callers a agw:ClientCertificatePolicy"
MUTUAL = 'ex:mutual a agw:MutualTLS ; agw:mtlsMode "STRICT"'
CONSUL = 'ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://127.0.0.1:8500" .'
OTHER = 'ex:other a agw:Certificate ; agw:certificateFile "b.pem" ; agw:privateKeyRef "file:b.key"'

CERTIFICATES = [
    *reference(
        "hasClientCertificatePolicy", "ex:route", "ClientCertificatePolicy", "must point to a ClientCertificatePolicy"
    ),
    *right(
        "hasClientCertificatePolicy",
        "ex:gateway agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ] .",
        'ex:h a agw:VirtualService ; agw:hostname "a.org" ; '
        "agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ] .",
    ),
    *wrong(
        "hasClientCertificatePolicy",
        ("ex:service agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ] .", "nobody would be asked"),
        (f"{ASKING} . ex:route agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ] .", "one client"),
    ),
    *right(
        "clientCertificateMode",
        *(f'{ASKING} ; agw:clientCertificateMode "{mode}" .' for mode in ("STRICT", "PERMISSIVE", "DISABLE")),
    ),
    *wrong(
        "clientCertificateMode",
        (f'{ASKING} ; agw:clientCertificateMode "strict" .', "must be one of"),
        ('ex:service agw:clientCertificateMode "STRICT" .', "would be ignored"),
    ),
    *right(
        "forwardClientCertificate",
        *(
            f'{ASKING} ; agw:forwardClientCertificate "{mode}" .'
            for mode in ("SANITIZE", "SANITIZE_SET", "APPEND_FORWARD", "FORWARD_ONLY")
        ),
    ),
    *wrong(
        "forwardClientCertificate",
        (f'{ASKING} ; agw:forwardClientCertificate "ALWAYS_FORWARD_ONLY" .', "must be one of"),
        ('ex:service agw:forwardClientCertificate "SANITIZE" .', "would be ignored"),
    ),
    *right("clientCertificateDetail", f'{ASKING} ; agw:clientCertificateDetail "SUBJECT" , "URI" , "DNS" , "CERT" .'),
    *wrong(
        "clientCertificateDetail",
        (f'{ASKING} ; agw:clientCertificateDetail "CHAIN" .', "must be one of"),
        ('ex:service agw:clientCertificateDetail "URI" .', "would be ignored"),
    ),
    *right(
        "peerSpiffeId",
        f'{ASKING} ; agw:peerSpiffeId "spiffe://example.org/a" , "spiffe://example.org/*" .',
        f'ex:service agw:hasServiceMesh [ a agw:ServiceMesh ; agw:meshType "istio" ] ; agw:hasMutualTLS ex:mutual . '
        f'{MUTUAL} ; agw:peerSpiffeId "spiffe://example.org/ns/a/sa/b" .',
    ),
    *wrong(
        "peerSpiffeId",
        (f'{ASKING} ; agw:peerSpiffeId "https://example.org/a" .', "must be a SPIFFE ID"),
        (f'{ASKING} ; agw:peerSpiffeId "spiffe://Example.org/a" .', "must be a SPIFFE ID"),
        (f'{ASKING} ; agw:peerSpiffeId "spiffe://example.org/a*" .', "must be a SPIFFE ID"),
        ('ex:service agw:peerSpiffeId "spiffe://example.org/a" .', "nobody would be refused"),
        (
            f"{LISTENER} ; agw:hasCertificate ex:certificate ; agw:hasMutualTLS ex:mutual . {TRUSTING} . "
            f'{MUTUAL} ; agw:peerSpiffeId "spiffe://example.org/a" .',
            "State who may call",
        ),
    ),
    *right("peerTrustDomain", f'{ASKING} ; agw:peerTrustDomain "example.org" , "other.org" .'),
    *wrong(
        "peerTrustDomain",
        (f'{ASKING} ; agw:peerTrustDomain "spiffe://example.org" .', "trust domain"),
        ('ex:service agw:peerTrustDomain "example.org" .', "nobody would be refused"),
    ),
    *right("peerAltName", f'{ASKING} ; agw:peerAltName "a.internal" , "*.internal" , "10.0.0.7" , "ops@example.org" .'),
    *wrong(
        "peerAltName",
        (f'{ASKING} ; agw:peerAltName "a b" .', "one name of a certificate"),
        (f'{ASKING} ; agw:peerAltName "a.*.b" .', "one name of a certificate"),
        ('ex:service agw:peerAltName "a" .', "nobody would be refused"),
    ),
    *right(
        "intentionRegistry",
        f'{ASKING} ; agw:intentionRegistry ex:consul ; agw:intentionService "edge" ; agw:intentionFailureMode "OPEN" . {CONSUL}',
    ),
    *wrong(
        "intentionRegistry",
        (f'{ASKING} ; agw:intentionRegistry ex:nobody ; agw:intentionService "edge" .', "one ServiceRegistry"),
        (f"{ASKING} ; agw:intentionRegistry ex:consul . {CONSUL}", "say which is meant"),
    ),
    *right("intentionService", f'{ASKING} ; agw:intentionRegistry ex:consul ; agw:intentionService "a-b" . {CONSUL}'),
    *wrong(
        "intentionService",
        (
            f'{ASKING} ; agw:intentionRegistry ex:consul ; agw:intentionService "a/b" . {CONSUL}',
            "one name of a service",
        ),
        (f'{ASKING} ; agw:intentionService "edge" .', "until it is said where"),
        (f'ex:service agw:intentionRegistry ex:consul ; agw:intentionService "edge" . {CONSUL}', "would be ignored"),
    ),
    *right(
        "intentionFailureMode",
        f'{ASKING} ; agw:intentionRegistry ex:consul ; agw:intentionService "a" ; agw:intentionFailureMode "CLOSED" . {CONSUL}',
    ),
    *wrong(
        "intentionFailureMode",
        (
            f'{ASKING} ; agw:intentionRegistry ex:consul ; agw:intentionService "a" ; agw:intentionFailureMode "open" . {CONSUL}',
            '"CLOSED" or "OPEN"',
        ),
        (
            f'{ASKING} ; agw:intentionService "a" ; agw:intentionFailureMode "OPEN" .',
            "until it is said where",
        ),
    ),
    *right("crlFile", f'{CERTIFICATE} ; {FILES} ; agw:crlFile "tls/list.crl" .'),
    *wrong(
        "crlFile",
        (f'{CERTIFICATE} ; {FILES} ; agw:crlFile "https://example.org/list.crl" .', "one file of revocation lists"),
        (f'{CERTIFICATE} ; {FILES} ; agw:crlFile "a.crl" , "b.crl" .', "one file of revocation lists"),
        ('ex:service agw:crlFile "a.crl" .', "belong to an agw:Certificate"),
    ),
    *right(
        "several certificates",
        f"{LISTENER} ; agw:hasCertificate ex:certificate , ex:other . {CERTIFICATE} ; {FILES} . {OTHER} .",
        f"{LISTENER} ; agw:hasCertificate ex:certificate , ex:other ; agw:defaultCertificate ex:other . "
        f"{CERTIFICATE} ; {FILES} . {OTHER} .",
    ),
    *wrong(
        "several certificates",
        (
            f"ex:service agw:hasMutualTLS ex:mutual . {MUTUAL} ; agw:hasCertificate ex:certificate , ex:other . "
            f"{CERTIFICATE} ; {FILES} . {OTHER} .",
            "here are several",
        ),
        (f"{LISTENER} ; agw:defaultCertificate ex:nothing .", "agw:defaultCertificate must point"),
        (
            f"ex:service agw:defaultCertificate ex:certificate . {CERTIFICATE} ; {FILES} .",
            "say how an agw:Listener speaks TLS",
        ),
    ),
    *right("minimumTlsVersion", *(f'{LISTENER} ; agw:minimumTlsVersion "{each}" .' for each in ("1.2", "1.3"))),
    *wrong(
        "minimumTlsVersion",
        (f'{LISTENER} ; agw:minimumTlsVersion "1.1" .', 'must be "1.2" or "1.3"'),
        (f"{LISTENER} ; agw:minimumTlsVersion 1.3 .", 'must be "1.2" or "1.3"'),
        ('ex:service agw:minimumTlsVersion "1.3" .', "say how an agw:Listener speaks TLS"),
    ),
    *right("unknownServerName", *(f'{LISTENER} ; agw:unknownServerName "{each}" .' for each in ("DEFAULT", "REFUSE"))),
    *wrong(
        "unknownServerName",
        (f'{LISTENER} ; agw:unknownServerName "refuse" .', 'must be "DEFAULT" or "REFUSE"'),
        (f'{LISTENER} ; agw:unknownServerName "DEFAULT" , "REFUSE" .', 'must be "DEFAULT" or "REFUSE"'),
        ('ex:service agw:unknownServerName "REFUSE" .', "say how an agw:Listener speaks TLS"),
    ),
]
