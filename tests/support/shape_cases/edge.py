"""Gateways, listeners, TLS, secrets, and what this version does not enforce."""

from __future__ import annotations

from .case import Case, duration, integer, reference, right, warned, wrong
from .subjects import BREAKER, CERTIFICATE, CERTIFIED, FILES, LISTENER, MESH, STRICT, TRUSTING, UNPORTED

EDGE = [
    *right("trustedProxy", 'ex:gateway agw:trustedProxy "10.0.0.0/8" , "192.0.2.7/32" , "fd00::/8" , "::1/128" .'),
    *wrong(
        "trustedProxy",
        ('ex:gateway agw:trustedProxy "10.0.0.1" .', "CIDR"),
        ('ex:gateway agw:trustedProxy "10.0.0.0/33" .', "CIDR"),
        ('ex:gateway agw:trustedProxy "300.0.0.0/8" .', "CIDR"),
        ('ex:route agw:trustedProxy "10.0.0.0/8" .', "Only an agw:ApiGateway"),
    ),
    *right("accessLogEnabled", "ex:gateway agw:accessLogEnabled true ."),
    *wrong("accessLogEnabled", ('ex:gateway agw:accessLogEnabled "true" .', "true or false")),
    *reference("hasListener", "ex:gateway", "Listener", "no such Listener is"),
    *integer("port", UNPORTED, 1, 65535),
    *wrong("port", (f"{UNPORTED} .", "needs one port"), ("ex:gateway agw:port 8080 .", "Only an agw:Listener")),
    *warned("listener", ("ex:web a agw:Listener ; agw:port 80 .", "No gateway names this listener")),
    *right(
        "bindAddress", *(f'{LISTENER} ; agw:bindAddress "{a}" .' for a in ("127.0.0.1", "::", "0.0.0.0", "fe80::1"))
    ),
    *wrong(
        "bindAddress",
        (f'{LISTENER} ; agw:bindAddress "eth0" .', "one IP address"),
        (f'{LISTENER} ; agw:bindAddress "localhost" .', "one IP address"),
        (f'{LISTENER} ; agw:bindAddress "0.0.0.0:80" .', "one IP address"),
    ),
    *right(
        "two listeners",
        f"{LISTENER} . ex:gateway agw:hasListener ex:w2 . ex:w2 a agw:Listener ; agw:port 8444 .",
        f"{LISTENER} ; agw:bindAddress '::' . ex:gateway agw:hasListener ex:b . ex:b a agw:Listener ; agw:port 8443 .",
    ),
    Case(
        "two listeners, wrong",
        f"{LISTENER} . ex:gateway agw:hasListener ex:w2 . ex:w2 a agw:Listener ; agw:port 8443 .",
        ("the same port on the same address", "the same port on the same address"),
    ),
    *integer("maxRequestLineBytes", LISTENER, 64, 1048576),
    *integer("maxHeaderBytes", LISTENER, 256, 1048576),
    *integer("maxHeaderCount", LISTENER, 1, 10000),
    *integer("maxConnections", LISTENER, 1, 10000000),
    *integer("maxConcurrentStreams", LISTENER, 0, 100000),
    *integer("maxConnectionsPerAddress", LISTENER, 1, 1000000),
    *right("maxConnectionsPerAddress", "ex:gateway agw:maxConnectionsPerAddress 100 ; agw:ipv6PrefixLength 56 ."),
    *wrong(
        "maxConnectionsPerAddress",
        ("ex:gateway agw:maxConnectionsPerAddress 0 .", "from 1 to 1000000"),
        ("ex:service agw:maxConnectionsPerAddress 5 .", "belongs to an agw:Listener"),
        ("ex:gateway agw:maxConnectionsPerAddress 9 ; agw:ipv6PrefixLength 129 .", "from 1 to 128"),
        (f"{LISTENER} ; agw:ipv6PrefixLength 64 .", "which IPv6 addresses are one client"),
        ("ex:route agw:ipv6PrefixLength 64 .", "which IPv6 addresses are one client"),
    ),
    *warned(
        "connections",
        *(
            (f"{LISTENER} ; agw:{term} 5 .", f"agw:{term} is live state")
            for term in (
                "openConnections",
                "acceptedTotal",
                "turnedAwayFullTotal",
                "turnedAwayAddressTotal",
                "uncappedTotal",
                "handshakeFailedTotal",
            )
        ),
    ),
    *warned(
        "HTTP/2",
        *(
            (f"ex:gateway agw:{term} 5 .", f"agw:{term} is live state")
            for term in ("http2Connections", "http2Streams", "http2RequestsTotal", "http2BrokenOffTotal")
        ),
    ),
    *duration("headerTimeout", LISTENER),
    *duration("idleTimeout", LISTENER),
    *right(
        "tls",
        f"{LISTENER} ; agw:hasCertificate ex:certificate . {CERTIFICATE} ; {FILES} .",
        f"{LISTENER} ; agw:hasCertificate ex:certificate ; agw:hasMutualTLS {STRICT} . {TRUSTING} .",
        f"{LISTENER} ; agw:hasMutualTLS {CERTIFIED} . {TRUSTING} .",
        f'{LISTENER} ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "DISABLE" ] .',
        f"ex:service agw:hasMutualTLS {CERTIFIED} . {CERTIFICATE} ; {FILES} .",
        f"ex:service agw:hasMutualTLS {STRICT} ; agw:hasServiceMesh ex:mesh . {MESH} .",
        f"ex:Payments rdfs:subClassOf agw:BackendService ; agw:hasMutualTLS {STRICT} .",
        f"ex:Payments rdfs:subClassOf agw:BackendService ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode 'DISABLE' ] ."
        f"ex:service a ex:Payments ; agw:hasMutualTLS {STRICT} ; agw:hasServiceMesh ex:mesh . {MESH} .",
    ),
    *wrong(
        "tls",
        (
            f'{LISTENER} ; agw:hasCertificate ex:certificate . {CERTIFICATE} ; agw:trustBundleFile "tls/ca.pem" .',
            "names no file",
        ),
        (
            f"{LISTENER} ; agw:hasCertificate ex:certificate ; agw:hasMutualTLS {STRICT} . {CERTIFICATE} ; {FILES} .",
            "nothing to verify them with",
        ),
        ('ex:service agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "strict" ] .', "agw:mtlsMode must be"),
        ('ex:service agw:mtlsMode "PERMISSIVE" .', "belongs to an agw:MutualTLS"),
        (f"{LISTENER} ; agw:hasMutualTLS {STRICT} .", "no certificate of its own"),
        (f"ex:service agw:hasCertificate ex:certificate . {CERTIFICATE} ; {FILES} .", "For a service write"),
    ),
    *warned(
        "tls",
        (f"ex:service agw:hasMutualTLS {STRICT} .", "nothing here can carry it"),
        (
            "ex:service agw:hasMutualTLS [ a agw:MutualTLS ] ; agw:hasSidecar ex:e . ex:e a agw:Sidecar .",
            "says no mode",
        ),
    ),
    *right(
        "certificate",
        f"{CERTIFICATE} ; {FILES} .",
        f'{CERTIFICATE} ; agw:trustBundleFile "/etc/ssl/ca.pem" .',
        f'{CERTIFICATE} ; agw:certificateFile "a.pem" ; agw:privateKeyRef "env:SITE_KEY" .',
        f'{CERTIFICATE} ; agw:certificateExpiry "2027-01-31T00:00:00Z"^^xsd:dateTime .',
    ),
    *duration("rotationPeriod", CERTIFICATE, published=True),
    *wrong(
        "certificate",
        (f'{CERTIFICATE} ; agw:certificateFile "a.pem" .', "without its private key"),
        (f'{CERTIFICATE} ; agw:privateKeyRef "env:SITE_KEY" .', "has no certificate"),
        (f'{CERTIFICATE} ; agw:certificateFile "https://a/b.pem" ; agw:privateKeyRef "env:K" .', "one PEM file"),
        (
            f'{CERTIFICATE} ; agw:certificateFile "a.pem" ; agw:privateKeyRef "hunter2" .',
            "never stands in a configuration",
        ),
        (
            f'{CERTIFICATE} ; agw:certificateFile "a.pem" ; agw:privateKeyRef "env:a-b" .',
            "never stands in a configuration",
        ),
        (
            f'{CERTIFICATE} ; agw:certificateFile "a.pem" ; agw:privateKeyRef "-----BEGIN KEY-----\\nhunter2" .',
            "never stands in a configuration",
        ),
        (f'{CERTIFICATE} ; agw:secretRef "hunter2 itself" .', "secret never stands in a configuration"),
        (f'{CERTIFICATE} ; agw:certificateExpiry "soon" .', "must be one time"),
        ('ex:web agw:certificateFile "a.pem" .', "belong to an agw:Certificate"),
    ),
    Case("sampling rate", "ex:t a agw:DistributedTracing ; agw:samplingRate 1.5 .", ("from 0 to 1",)),
    *right(
        "tracing",
        "ex:t a agw:DistributedTracing ; agw:samplingRate 0.25 .",
        'ex:s a agw:Span ; agw:traceId "4bf9" ; agw:spanId "00f0" ; agw:parentSpanId "5399" .',
        'ex:t a agw:DistributedTracing ; agw:traceCollector "https://collector:4318/v1/traces" ; agw:traceFormat "otlp" .',
        'ex:t a agw:DistributedTracing ; agw:traceCollector "http://collector:4317" ; agw:traceFormat "otlp-grpc" .',
        'ex:t a agw:DistributedTracing ; agw:tracePropagation "b3 tracecontext baggage" ; agw:tracedServiceName "edge" .',
        "ex:t a agw:DistributedTracing ; agw:parentBasedSampling false ; agw:sampleErrors true .",
    ),
    *reference("hasTracing", "ex:route", "DistributedTracing", "No such DistributedTracing"),
    *wrong(
        "tracing",
        ('ex:t a agw:DistributedTracing ; agw:traceCollector "collector:4318" .', "must be one URL"),
        ('ex:t a agw:DistributedTracing ; agw:traceCollector "http://me:secret@collector/" .', "must be one URL"),
        (
            'ex:t a agw:DistributedTracing ; agw:traceFormat "thrift" .',
            "one of otlp, otlp-protobuf, otlp-grpc and zipkin",
        ),
        ('ex:t a agw:DistributedTracing ; agw:tracePropagation "xray" .', "must be one text of words"),
        ('ex:t a agw:DistributedTracing ; agw:tracePropagation "b3,jaeger" .', "must be one text of words"),
        ('ex:t a agw:DistributedTracing ; agw:tracedServiceName "" .', "1 to 255 characters"),
        ('ex:t a agw:DistributedTracing ; agw:parentBasedSampling "yes" .', "true or false"),
        ("ex:t a agw:DistributedTracing ; agw:sampleErrors 1 .", "true or false"),
        ("ex:route agw:sampleErrors true .", "belong to an agw:DistributedTracing"),
        ("ex:service agw:hasTracing ex:t . ex:t a agw:DistributedTracing .", "nothing would be traced"),
        (
            "ex:route agw:hasTracing ex:t , ex:u . ex:t a agw:DistributedTracing . ex:u a agw:DistributedTracing .",
            "Keep one",
        ),
    ),
    *warned(
        "tracing",
        ("ex:t a agw:DistributedTracing ; agw:spansExportedTotal 5 .", "live state"),
        ("ex:t a agw:DistributedTracing ; agw:spansDroppedTotal 5 .", "live state"),
    ),
    Case("live rate", "ex:r agw:hasLiveRate ex:n .", (), ("live state",)),
    Case("live window", 'ex:n agw:rateWindow "PT1M"^^xsd:dayTimeDuration .', (), ("live state",)),
    Case("live requests", "ex:n agw:requestRate 1.5 .", (), ("live state",)),
    Case("live errors", "ex:n agw:errorShare 0.5 .", (), ("live state",)),
    Case("live median", "ex:n agw:latencyP50 0.5 .", (), ("live state",)),
    Case("live slowest", "ex:n agw:latencyP99 0.5 .", (), ("live state",)),
    Case("live refusals", "ex:k agw:refusedTotal 5 .", (), ("live state",)),
    Case("live flag", 'ex:k agw:responseFlag "RL" .', (), ("live state",)),
    Case("live meaning", 'ex:k agw:refusalMeaning "no" .', (), ("live state",)),
    Case("live state", f'{BREAKER} ; agw:breakerState "OPEN" .', (), ("live state",)),
]
