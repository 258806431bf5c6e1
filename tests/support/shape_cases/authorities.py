"""Who issues certificates, and for what."""

from __future__ import annotations

from .case import Case, duration, right, wrong
from .subjects import CERTIFICATE, FILES, LISTENER, STRICT

CA = "ex:certificate agw:issuedBy ex:ca . ex:certificate a agw:Certificate . ex:ca a agw:CertificateAuthority"
ACME = f'{CA} ; agw:issuerKind "ACME" ; agw:directoryUrl "https://acme.example.com/dir"'
CONSUL = 'ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://127.0.0.1:8500" .'
ISSUED = "ex:ca a agw:CertificateAuthority . ex:certificate a agw:Certificate ; agw:issuedBy ex:ca"


def texts(term: str, subject: str, good: tuple[str, ...], bad: tuple[str, ...], said: str) -> list[Case]:
    """A text that is stated once."""
    return [
        *right(term, *(f'{subject} ; agw:{term} "{each}" .' for each in good)),
        *wrong(
            term,
            *((f'{subject} ; agw:{term} "{each}" .', said) for each in bad),
            (f'ex:service agw:{term} "{good[0]}" .', "would be ignored"),
        ),
    ]


AUTHORITIES = [
    *texts("issuerKind", CA, ("BUILT_IN", "SPIFFE"), ("acme", "VAULT", "consul"), "must be one of"),
    *wrong("issuerKind", (f'{CA} ; agw:issuerKind "ACME" .', "needs the address of its server")),
    *texts("issuerFolder", CA, ("certs", "run/certs"), ("https://a/b",), "the path of one folder"),
    *texts(
        "directoryUrl",
        CA,
        ("https://acme.example.com/dir", "http://127.0.0.1:14000/dir", "http://localhost/dir"),
        ("http://acme.example.com/dir", "acme.example.com", "https://user@acme.example.com/", "ftp://a/b"),
        "must be one https: URL",
    ),
    *texts("challengeType", ACME, ("HTTP_01", "TLS_ALPN_01"), ("http-01", "DNS_01"), "must be one of"),
    *texts("accountContact", ACME, ("mailto:ops@example.com",), ("ops@example.com", "tel:1"), "mailto: URI"),
    *right("termsOfServiceAgreed", f"{ACME} ; agw:termsOfServiceAgreed true ."),
    *wrong(
        "termsOfServiceAgreed",
        (f'{ACME} ; agw:termsOfServiceAgreed "yes" .', "true or false"),
        ("ex:service agw:termsOfServiceAgreed true .", "would be ignored"),
    ),
    *texts("acmeTrustBundleFile", ACME, ("tls/root.pem",), ("https://a/root.pem",), "one PEM file"),
    *right("accountKeyId", f'{ACME} ; agw:accountKeyId "kid" ; agw:accountMacKeyRef "env:MAC_KEY" .'),
    *wrong(
        "accountKeyId",
        (f'{ACME} ; agw:accountKeyId "kid" .', "goes with a MAC key"),
        (f'{ACME} ; agw:accountMacKeyRef "env:MAC_KEY" .', "goes with the identifier"),
        (
            f'{ACME} ; agw:accountKeyId "kid" ; agw:accountMacKeyRef "c2VjcmV0" .',
            "A secret never stands in a configuration",
        ),
        (f'{ACME} ; agw:accountKeyId "kid" ; agw:accountMacKeyRef "env:A" , "env:B" .', "Only one MAC key"),
        (
            'ex:service agw:accountKeyId "kid" ; agw:accountMacKeyRef "env:A" .',
            "would be ignored",
        ),
    ),
    *texts("workloadApiSocket", CA, ("run/agent.sock",), ("unix:run/agent.sock",), "one Unix socket"),
    *right("issuingRegistry", f'{CA} ; agw:issuerKind "CONSUL" ; agw:issuingRegistry ex:consul . {CONSUL}'),
    *wrong(
        "issuingRegistry",
        (f'{CA} ; agw:issuerKind "CONSUL" .', "must say where that Consul is"),
        (f'{CA} ; agw:issuerKind "CONSUL" ; agw:issuingRegistry ex:nobody .', "must point to one ServiceRegistry"),
        (f"ex:service agw:issuingRegistry ex:consul . {CONSUL}", "would be ignored"),
    ),
    *right("issuedBy", f"{LISTENER} ; agw:hasCertificate ex:certificate . {ISSUED} ."),
    *right("issuedBy", f"{LISTENER} ; agw:hasCertificate ex:certificate ; agw:hasMutualTLS {STRICT} . {ISSUED} ."),
    *wrong(
        "issuedBy",
        (f"{CERTIFICATE} ; agw:issuedBy ex:nobody .", "must point to a CertificateAuthority"),
        (f"{ISSUED} , ex:cb . ex:cb a agw:CertificateAuthority .", "one authority"),
        ("ex:ca a agw:CertificateAuthority . ex:service agw:issuedBy ex:ca .", "nothing would be issued"),
    ),
    Case(
        "issuedBy, and given",
        f"ex:ca a agw:CertificateAuthority . {CERTIFICATE} ; agw:issuedBy ex:ca ; {FILES} .",
        ("kept in the authority's folder", "Remove agw:privateKeyRef"),
    ),
    *right(
        "certificateName",
        f'{ISSUED} ; agw:certificateName "a.example" , "*.a.example" , "10.0.0.7" , "::1" , "spiffe://a/b" .',
    ),
    *wrong(
        "certificateName",
        (f'{ISSUED} ; agw:certificateName "a b" .', "a DNS name, an IP address or a SPIFFE ID"),
        (f'{ISSUED} ; agw:certificateName "https://a" .', "a DNS name, an IP address or a SPIFFE ID"),
        ('ex:service agw:certificateName "a" .', "nothing would be issued"),
    ),
    *duration("certificateLifetime", ISSUED),
]
