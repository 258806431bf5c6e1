"""A served gateway that is a service of a real Consul's mesh: mutual TLS with certificates of its authority."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.consul_agent import Agent, consul_agent, needs_consul
from tests.support.serving import Serving, serve_process, turtle

from .test_issuing import runtime, until

pytestmark = [needs_consul, pytest.mark.timeout(300)]
CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasListener ex:listener ; agw:hasRoute ex:all , ex:web .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:web a agw:Route ; agw:routePath "/web" ;
    agw:hasClientCertificatePolicy [ a agw:ClientCertificatePolicy ; agw:peerSpiffeId "spiffe://@domain@/ns/default/dc/dc1/svc/web" ] ;
    agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseBody "here" ] .
ex:listener a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site ; agw:hasMutualTLS ex:strict .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" .
ex:site a agw:Certificate ; agw:issuedBy ex:connect ; agw:certificateName "edge" .
ex:connect a agw:CertificateAuthority ; agw:issuerKind "CONSUL" ; agw:issuingRegistry ex:consul .
ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "@url@" .
"""


def as_service(agent: Agent, folder: Path, name: str) -> ssl.SSLContext:
    """What another service of the mesh connects with."""
    leaf = json.loads(agent.ask(f"/v1/agent/connect/ca/leaf/{name}")[1])
    roots = json.loads(agent.ask("/v1/agent/connect/ca/roots")[1])["Roots"]
    context = ssl.create_default_context(cadata="\n".join(root["RootCert"] for root in roots))
    context.check_hostname = False  # the name is a SPIFFE ID
    (folder / f"{name}.pem").write_text(leaf["CertPEM"] + leaf["PrivateKeyPEM"])
    context.load_cert_chain(folder / f"{name}.pem")
    return context


def status(gateway: Serving, path: str, context: ssl.SSLContext) -> int:
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{gateway.port}{path}", timeout=30, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_gateway_is_a_service_of_the_mesh(tmp_path: Path) -> None:
    (tmp_path / "consul").mkdir()
    with consul_agent(tmp_path / "consul") as agent:
        domain = json.loads(agent.ask("/v1/agent/connect/ca/roots")[1])["TrustDomain"]
        file = tmp_path / "gateway.ttl"
        file.write_text(turtle(CONFIGURATION.replace("@url@", agent.url).replace("@domain@", domain)))
        with serve_process(file, seconds=90) as gateway:
            until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "a certificate")
            web, other = (as_service(agent, tmp_path, name) for name in ("web", "other"))
            assert (status(gateway, "/", web), status(gateway, "/", other)) == (200, 200)
            assert (status(gateway, "/web", web), status(gateway, "/web", other)) == (200, 403)
            shown = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", gateway.port)).encode())
            (name,) = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert name.value == f"spiffe://{domain}/ns/default/dc/dc1/svc/edge"
            (key,) = (tmp_path / "certs").glob("site-????????.pem")
            assert key.stat().st_mode & 0o077 == 0
