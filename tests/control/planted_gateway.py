"""A configuration with a secret in every place that takes one, and all that may be asked about it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from api_gateway_service_mesh.security.api_key import new_key
from tests.support.certs import new_authority
from tests.support.planted import Planted
from tests.support.serving import turtle

__all__ = ["REFERENCES", "plant", "questions"]

REFERENCES = {
    "introspection": ("ex:tokens", "clientSecretRef"),
    "login": ("ex:people", "clientSecretRef"),
    "client-credentials": ("ex:asShop", "clientSecretRef"),
    "session": ("ex:people", "sessionKeyRef"),
    "former-session": ("ex:people", "formerSessionKeyRef"),
    "sticky": ("ex:balancer", "stickyCookieKeyRef"),
    "redis": ("ex:redis", "storePasswordRef"),
    "consul": ("ex:consul", "registryTokenRef"),
    "acme": ("ex:acme", "accountMacKeyRef"),
    "key": ("ex:site", "privateKeyRef"),
    "api-key": ("ex:partner", "keyHash"),
}
"""Every property for a secret, and who states it below."""

_CONFIGURATION = """
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasTracing ex:tracing ; agw:hasAuditLog ex:audit ;
    agw:accessLogEnabled true ; agw:hasLoadBalancer ex:balancer ; agw:hasRoute ex:introspected , ex:signed , ex:pages , ex:partners , ex:open , ex:judged , ex:carried .
ex:web a agw:Listener ; agw:port 8080 ; agw:hasCertificate ex:site , ex:own , ex:public ; agw:defaultCertificate ex:site ;
    agw:hasMutualTLS ex:either .
ex:either a agw:MutualTLS ; agw:mtlsMode "PERMISSIVE" .
ex:site a agw:Certificate ; agw:certificateFile "{certificate}" ; agw:privateKeyRef "{key}" ; agw:trustBundleFile "test-ca.pem" .
ex:own a agw:Certificate ; agw:issuedBy ex:house ; agw:certificateName "own.localhost" .
ex:house a agw:CertificateAuthority ; agw:issuerFolder "own" .
ex:public a agw:Certificate ; agw:issuedBy ex:acme ; agw:certificateName "public.localhost" .
ex:acme a agw:CertificateAuthority ; agw:issuerKind "ACME" ; agw:issuerFolder "acme" ; agw:termsOfServiceAgreed true ;
    agw:directoryUrl "https://127.0.0.1:{tattler}/dir" ; agw:accountKeyId "kid-1" ; agw:accountMacKeyRef "{acme}" .
ex:tracing a agw:DistributedTracing ; agw:samplingRate 1 ; agw:traceFormat "zipkin" ;
    agw:traceCollector "http://127.0.0.1:{tattler}/spans" .
ex:audit a agw:AuditLog ; agw:auditFile "audit.jsonl" .

ex:introspected a agw:Route ; agw:routePath "/introspected/*" ; agw:hasAuthentication ex:tokens ; agw:hasBackendService ex:service .
ex:tokens a agw:OAuth2 ; agw:introspectionEndpoint "http://127.0.0.1:{tattler}/introspect" ; agw:clientId "gateway" ;
    agw:clientSecretRef "{introspection}" .
ex:signed a agw:Route ; agw:routePath "/signed/*" ; agw:hasAuthentication ex:jwt ; agw:hasBackendService ex:service .
ex:jwt a agw:JWTAuthentication ; agw:issuer "https://id.example.com/" ; agw:audience "shop" ; agw:signingAlgorithm "RS256" ;
    agw:jwksUri "http://127.0.0.1:{tattler}/keys" .
ex:pages a agw:Route ; agw:routePath "/*" ; agw:hasAuthentication ex:people ; agw:hasBackendService ex:service .
ex:people a agw:OpenIdLogin ; agw:issuer "http://127.0.0.1:{tattler}" ; agw:clientId "shop" ; agw:externalUrl "http://127.0.0.1" ;
    agw:clientSecretRef "{login}" ; agw:sessionKeyRef "{session}" ; agw:formerSessionKeyRef "{former-session}" .
ex:partners a agw:Route ; agw:routePath "/partners/*" ; agw:hasAuthentication ex:partner ; agw:hasBackendService ex:service ;
    agw:hasRateLimiter ex:together .
ex:partner a agw:ApiKey ; agw:keyOwner "acme" ; agw:keyQueryParameter "key" ; agw:keyHash "{api-key}" .
ex:together a agw:RateLimiter ; agw:requestsPerSecond 50 ; agw:limitKey "api-key" ; agw:sharedThrough ex:redis ; agw:failureMode "OPEN" .
ex:redis a agw:RedisStore ; agw:storeAddress "127.0.0.1:{tattler}" ; agw:storePasswordRef "{redis}" .
ex:carried a agw:Route ; agw:routePath "/carried/*" ; agw:hasClientCredentials ex:asShop ; agw:hasBackendService ex:service .
ex:asShop a agw:ClientCredentials ; agw:tokenEndpoint "http://127.0.0.1:{tattler}/token" ; agw:clientId "shop" ;
    agw:clientSecretRef "{client-credentials}" .
ex:open a agw:Route ; agw:routePath "/open/*" ; agw:hasBackendService ex:found .
ex:found a agw:BackendService ; agw:address "127.0.0.1:{backend}" ; agw:hasServiceDiscovery ex:lookup .
ex:lookup a agw:ServiceDiscovery ; agw:hasServiceRegistry ex:consul ; agw:discoveryName "users" .
ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://127.0.0.1:{tattler}" ;
    agw:registryTokenRef "{consul}" .
ex:judged a agw:Route ; agw:routePath "/judged/*" ; agw:hasAuthentication ex:partner ; agw:hasExternalAuthorization ex:judge ;
    agw:hasBackendService ex:service .
ex:judge a agw:ExternalAuthorization ; agw:authorizationService ex:tattler ; agw:authorizationFailureMode "CLOSED" ;
    agw:sendsField "Authorization" , "X-API-Key" , "Cookie" .
ex:tattler a agw:BackendService ; agw:address "127.0.0.1:{tattler}" .
ex:service a agw:BackendService ; agw:address "127.0.0.1:{backend}" .
ex:balancer a agw:LoadBalancer ; agw:balancingAlgorithm "ROUND_ROBIN" ; agw:stickyCookie "at" ; agw:stickyCookieKeyRef "{sticky}" .
"""


def plant(folder: Path, planted: Planted, tattler: int, backend: int) -> tuple[Path, dict[str, str]]:
    """Write it; the file, and the environment it needs. ``planted.values["api-key"]`` is a key that is taken."""
    site = new_authority(folder).issue("site")
    (folder / "site.key").write_bytes(site.key_pem)
    planted.watch("key", "".join(site.key_pem.decode().splitlines()[1:-1])[48:80])  # what a public key does not have
    environment, stated = {}, {"certificate": "site.pem", "key": "file:site.key"}
    (folder / "site.pem").write_bytes(site.certificate_pem)
    for name in REFERENCES.keys() - {"key", "api-key"}:
        value = planted.new(name)
        if len(environment) % 2:
            (folder / f"{name}.secret").write_text(value)
            stated[name] = f"file:{name}.secret"
        variable = f"PLANTED_{name.upper().replace('-', '_')}"
        environment[variable] = value
        stated.setdefault(name, f"env:{variable}")
    key, hashed = new_key()
    planted.values["api-key"] = key
    planted.watch("api-key", key[-32:])
    planted.watch("api-key's hash", hashed[7:])
    stated["api-key"] = hashed
    for variable in ("AGW_ADMIN_TOKEN", "AGW_ADMIN_READ_TOKEN"):
        environment[variable] = planted.new(variable)
    principal, hashed = new_key()
    planted.values["principal"] = principal
    planted.watch("principal", principal[-32:])
    planted.watch("principal's hash", hashed[7:])
    (folder / "principals").write_text(f"deploy write {hashed}\n")
    environment["AGW_ADMIN_PRINCIPALS_FILE"] = str(folder / "principals")
    text = turtle(_CONFIGURATION)
    values = {**stated, "tattler": str(tattler), "backend": str(backend)}
    file = folder / "gateway.ttl"
    file.write_text(re.sub(r"\{([a-z-]+)\}", lambda found: values[found[1]], text))
    assert not os.environ.keys() & environment.keys()
    return file, environment


def questions(paths: list[str], names: list[str], graphs: list[str]) -> list[tuple[str, str]]:
    """What may be asked of the admin port by GET, each with what it is to answer in: `paths` are those that its index
    tells, `names` those of the shipped questions, `graphs` those that may be named."""
    asked = [path for path in paths if "{" not in path]
    asked += [f"/queries/{name}" for name in names]
    asked += [f"/revisions/{number}{more}" for number in (1, 2) for more in ("", "/delta", "/diff", "/graph")]
    asked += [f"/data?graph={quote(graph)}" for graph in graphs] + ["/data?default"]
    places = ("/", "/introspected/a", "/signed/a", "/partners/a?key=x", "/open/a", "/judged/a", "/.well-known/x")
    asked += [f"/explain?method=GET&url={quote('http://127.0.0.1' + place)}" for place in places]
    asked += [
        f"/effective?route={quote('http://example.org/' + name)}" for name in ("pages", "partners", "introspected")
    ]
    everything = "SELECT * { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
    secret = "<https://ggen.ai/ontology/api-gateway#secretRef>"
    above = "<http://www.w3.org/2000/01/rdf-schema#subPropertyOf>*"
    texts = [
        everything,
        "CONSTRUCT { ?s ?p ?o } { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }",
        "DESCRIBE ?s { ?s ?p ?o }",
        f"SELECT ?s ?p (STR(?o) AS ?t) (STRLEN(?o) AS ?l) (ENCODE_FOR_URI(?o) AS ?e) {{ ?s ?p ?o . ?p {above} {secret} }}",
        f"SELECT (GROUP_CONCAT(?o) AS ?all) {{ ?s ?p ?o . ?p {above} {secret} }}",
        *(f"SELECT * FROM <{graph}> {{ ?s ?p ?o }}" for graph in graphs),
        *(f"SELECT * FROM NAMED <{graph}> {{ GRAPH ?g {{ ?s ?p ?o }} }}" for graph in graphs),
        "SELECT * { broken",
    ]
    asked += [f"/sparql?query={quote(text)}" for text in texts]
    asked += [f"/sparql?revision=1&query={quote(everything)}"]
    kinds = (
        "*/*",
        "application/json",
        "text/turtle",
        "application/ld+json",
        "text/html",
        "application/openmetrics-text",
    )
    return [(path, kind) for path in asked for kind in (kinds if "?query" not in path else kinds[:1])]
