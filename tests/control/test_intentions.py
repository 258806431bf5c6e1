"""Who may call a gateway is said by the intentions of a real Consul's mesh; backends prove who they are in it."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.consul_agent import Agent, consul_agent, needs_consul
from tests.support.serving import Serving, serve_process, turtle

from .test_issuing import runtime, until
from .test_issuing_consul import as_service, status

pytestmark = [needs_consul, pytest.mark.timeout(300)]
CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasListener ex:listener ; agw:hasRoute ex:closed , ex:open , ex:onward , ex:astray .
ex:closed a agw:Route ; agw:routePath "/closed" ; agw:hasDirectResponse ex:here ; agw:hasClientCertificatePolicy [
    a agw:ClientCertificatePolicy ; agw:intentionRegistry ex:consul ; agw:intentionService "edge" ] .
ex:open a agw:Route ; agw:routePath "/open" ; agw:hasDirectResponse ex:here ; agw:hasClientCertificatePolicy [
    a agw:ClientCertificatePolicy ; agw:intentionRegistry ex:consul ; agw:intentionService "edge" ;
    agw:intentionFailureMode "OPEN" ] .
ex:here a agw:DirectResponse ; agw:responseBody "here" .
ex:onward a agw:Route ; agw:routePath "/onward" ; agw:hasBackendService ex:billing .
ex:billing a agw:BackendService ; agw:address "127.0.0.1:@port@" ; agw:hasMutualTLS [
    a agw:MutualTLS ; agw:hasCertificate ex:site ; agw:peerSpiffeId "spiffe://@domain@/ns/default/dc/dc1/svc/billing" ] .
ex:astray a agw:Route ; agw:routePath "/astray" ; agw:hasBackendService ex:other .
ex:other a agw:BackendService ; agw:address "127.0.0.1:@port@" ; agw:hasMutualTLS [
    a agw:MutualTLS ; agw:hasCertificate ex:site ; agw:peerSpiffeId "spiffe://@domain@/ns/default/dc/dc1/svc/other" ] .
ex:listener a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site ; agw:hasMutualTLS ex:strict .
ex:strict a agw:MutualTLS ; agw:mtlsMode "STRICT" .
ex:site a agw:Certificate ; agw:issuedBy ex:connect ; agw:certificateName "edge" .
ex:connect a agw:CertificateAuthority ; agw:issuerKind "CONSUL" ; agw:issuingRegistry ex:consul .
ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "@url@" .
"""


def intend(agent: Agent, **sources: str) -> None:
    """Say who may call the gateway: services, with "allow" or "deny"."""
    stated = [{"Name": name, "Action": action} for name, action in sources.items()]
    entry = {"Kind": "service-intentions", "Name": "edge", "Sources": stated}
    assert agent.ask("/v1/config", json.dumps(entry))[0] == 200


class _Paid(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def service(agent: Agent, folder: Path, name: str) -> Iterator[int]:
    """A service of the mesh, at a port."""
    leaf = json.loads(agent.ask(f"/v1/agent/connect/ca/leaf/{name}")[1])
    (folder / f"{name}-served.pem").write_text(leaf["CertPEM"] + leaf["PrivateKeyPEM"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}-served.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Paid)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def meshed(folder: Path, holding: ExitStack) -> Iterator[tuple[Agent, Serving]]:
    """A Consul, that ends with `holding`, and a gateway in its mesh."""
    (folder / "consul").mkdir()
    agent = holding.enter_context(consul_agent(folder / "consul"))
    domain = json.loads(agent.ask("/v1/agent/connect/ca/roots")[1])["TrustDomain"]
    file = folder / "gateway.ttl"
    with service(agent, folder, "billing") as port:
        text = CONFIGURATION.replace("@url@", agent.url).replace("@domain@", domain).replace("@port@", str(port))
        file.write_text(turtle(text))
        with serve_process(file, "--workers", "1", seconds=90) as gateway:
            until(lambda: runtime(gateway).get("renewalState") == ["CURRENT"], "a certificate")
            yield agent, gateway


def test_intentions_decide_who_may_call_and_hold_while_consul_is_away(tmp_path: Path) -> None:
    with ExitStack() as consul, meshed(tmp_path, consul) as (agent, gateway):
        intend(agent, web="allow", other="deny")
        web, other, late = (as_service(agent, tmp_path, name) for name in ("web", "other", "late"))
        until(lambda: status(gateway, "/closed", other) == 403, "what is denied to be refused")
        until(lambda: status(gateway, "/closed", web) == 200, "what is allowed to be let in")
        # What is changed is known to those who were asked about before.
        intend(agent, web="deny", other="allow")
        until(lambda: status(gateway, "/closed", web) == 403, "a change")
        until(lambda: status(gateway, "/closed", other) == 200, "a change")
        assert status(gateway, "/open", other) == 200
        # A backend proves which service it is.
        assert (status(gateway, "/onward", other), status(gateway, "/astray", other)) == (200, 502)
        consul.close()
        # What Consul said holds; of whom it said nothing, the policy says what becomes.
        assert (status(gateway, "/closed", other), status(gateway, "/closed", web)) == (200, 403)
        until(lambda: status(gateway, "/closed", late) == 503, "nobody to ask")
        assert (status(gateway, "/open", late), status(gateway, "/closed", late)) == (200, 503)
        gateway.said(r"does not tell who may call edge: [^\n]*; what it said before holds")
