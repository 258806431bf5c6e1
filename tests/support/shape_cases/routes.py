"""Routes and their predicates."""

from __future__ import annotations

from .case import integer, reference, right, warned, wrong
from .subjects import BALANCER, BREAKER, RATED, RETRY, TIMED


def path(text: str, more: str = "") -> str:
    return f'ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:routePath "{text}" {more} .'


ROUTES = [
    *right(
        "routePath",
        path("/"),
        path("/a/b"),
        path("/a/"),
        path("/users/{id}/orders/{order_id}"),
        path("/*"),
        path("/api/*"),
        path("/users/{id}/*"),
        path("/{kind}/{id}/*", '; agw:pathMatchType "Template"'),
        path("/caf%C3%A9"),
        path("/a.b/.well-known/c;d=e,f:g@h!i$j&k'l(m)+n~o"),
        path("/v[0-9]+/items(/[^/]+)?", '; agw:pathMatchType "RegularExpression"'),
        path("(?i)/products", '; agw:pathMatchType "RegularExpression"'),
        path("/prefixed", '; agw:pathMatchType "Prefix"'),
        path("/users/{one}", '; agw:pathMatchType "Template"'),
    ),
    *right("grpcWebEnabled", "ex:route agw:grpcWebEnabled true .", "ex:route agw:grpcWebEnabled false ."),
    *wrong(
        "grpcWebEnabled",
        ('ex:route agw:grpcWebEnabled "true" .', "true or false"),
        ("ex:service agw:grpcWebEnabled true .", "belongs to an agw:Route"),
    ),
    *right(
        "grpcService",
        'ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:grpcService "shop.v1.Cart" .',
        'ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:grpcService "Cart" ; agw:grpcMethod "Add" .',
    ),
    *wrong(
        "grpcService",
        ('ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:grpcService "shop-Cart" .', "one full name"),
        (
            'ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:grpcService "a.B" ; agw:grpcMethod "B-C" .',
            "one name",
        ),
        ('ex:route agw:grpcService "a.B" .', "stands for the path"),
        ('ex:route agw:grpcMethod "B" .', "a method of agw:grpcService"),
        ('ex:service agw:grpcService "a.B" .', "belongs to an agw:Route"),
    ),
    *wrong(
        "routePath",
        ("ex:r a agw:Route ; agw:hasBackendService ex:service .", "A route needs a path"),
        ('ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:routePath "/a" , "/b" .', "A route has one path"),
        ('ex:r a agw:Route ; agw:hasBackendService ex:service ; agw:routePath "/a"@en .', "plain text in quotes"),
        (path("users"), 'A path starts with "/"'),
        (path("/users list"), "no spaces"),
        (path("/search?q=1"), 'no "?"'),
        (path("/page#top"), 'no "#"'),
        (path("/café"), "percent-encoded"),
        (path("/a%zz"), "percent-encoded"),
        (path("/users/{id}.json"), "fills a whole segment"),
        (path("/users/{}"), "fills a whole segment"),
        (path("/users/{id"), "fills a whole segment"),
        (path("/a/*/b"), "as the last segment"),
        (path("/a*"), "as the last segment"),
        (path("/users/{id}/*/orders"), "as the last segment"),
        (path("/a/../b"), '".." segments'),
        (path("/a//b"), '"//"'),
        (path("/users/{two}", '; agw:pathMatchType "Exact"'), "letter by letter"),
        (path("/users/{three}", '; agw:pathMatchType "Prefix"'), "letter by letter"),
        (path("/typed", '; agw:pathMatchType "regex"'), "agw:pathMatchType must be one of"),
        ('ex:r agw:routePath "/untyped" .', "Add its type: ex:users a agw:Route"),
    ),
    *right("httpMethod", 'ex:route agw:httpMethod "GET" , "PATCH" .', 'ex:route agw:httpMethod "*" .'),
    *right("httpMethod", 'ex:route agw:httpMethod "PROPFIND" , "M-SEARCH" .'),
    *wrong(
        "httpMethod",
        ('ex:route agw:httpMethod "GET,POST" .', "Write several as several values"),
        ('ex:route agw:httpMethod "" .', "one method name"),
    ),
    *right(
        "a colon in a path",
        path("/v1/orders:cancel"),
        path("/users/:id", '; agw:pathMatchType "Exact"'),
    ),
    *warned("a colon before a name", (path("/users/:id"), "begins with a colon")),
    *warned(
        "httpMethod",
        ('ex:route agw:httpMethod "get" .', "case-sensitive"),
        ('ex:route agw:httpMethod "TRACE" .', "never matches"),
    ),
    *right("hostname", 'ex:route agw:hostname "api.example.com" , "*.example.com" , "localhost" , "[::1]" .'),
    *wrong(
        "hostname",
        ('ex:route agw:hostname "http://example.com" .', "without scheme"),
        ('ex:route agw:hostname "example.com:8080" .', "without scheme, port"),
        ('ex:route agw:hostname "api.*.com" .', "for everything below a domain"),
        ('ex:route agw:hostname "*" .', "leave it out"),
    ),
    *integer("priority", "ex:route a agw:Route", -1000000000, 1000000000),
    *reference("hasRoute", "ex:gateway", "Route", "no such Route is"),
    *reference("hasTrafficSplit", "ex:route", "TrafficSplit", "No such TrafficSplit is defined")[1:],
    *reference("hasRateLimiter", "ex:route", "RateLimiter", "No such RateLimiter is defined"),
    *reference("hasCircuitBreaker", "ex:route", "CircuitBreaker", "No such CircuitBreaker is defined"),
    *reference("hasRetryPolicy", "ex:route", "RetryPolicy", "No such RetryPolicy is defined"),
    *reference("hasTimeout", "ex:route", "Timeout", "No such Timeout is defined"),
    *reference("hasLoadBalancer", "ex:route", "LoadBalancer", "No such LoadBalancer is defined"),
    *right(
        "hasBackendService",
        "ex:r a agw:Route ; agw:routePath '/cluster' ; agw:hasBackendService ex:cluster . "
        'ex:cluster a agw:UpstreamCluster ; agw:address "cluster:80" .',
    ),
    *wrong(
        "hasBackendService",
        ("ex:route agw:hasBackendService ex:more . ex:more a agw:BackendService ; agw:address 'm:1' .", "one backend"),
        ("ex:r a agw:Route ; agw:routePath '/dangling' ; agw:hasBackendService ex:servise .", "No such BackendService"),
        ("ex:thing agw:hasBackendService ex:service .", "a class of routes"),
        ("ex:r a agw:Route ; agw:routePath '/text' ; agw:hasBackendService 'service' .", "No such BackendService"),
    ),
    *warned("hasBackendService", ("ex:r a agw:Route ; agw:routePath '/nowhere' .", "it will answer 503")),
    *right(
        "a class of routes",
        "ex:Limited rdfs:subClassOf agw:Route ; agw:hasRateLimiter ex:limit . " + RATED + " .",
    ),
    *wrong(
        "a class of routes",
        ("ex:Limited rdfs:subClassOf agw:Route ; agw:hasRateLimiter ex:nolimit .", "No such RateLimiter"),
        ("ex:Limited rdfs:subClassOf agw:Route ; agw:routePath '/limited' .", "belong to an agw:Route"),
        ("agw:Route agw:hasRateLimiter ex:limit . " + RATED + " .", "put them in a class"),
    ),
    *wrong(
        "one policy of a kind",
        (
            f"ex:route agw:hasCircuitBreaker ex:breaker , ex:b2 . {BREAKER} . ex:b2 a agw:CircuitBreaker .",
            "one circuit",
        ),
        (f"ex:route agw:hasRetryPolicy ex:retry , ex:r2 . {RETRY} . ex:r2 a agw:RetryPolicy .", "one retry policy"),
        (
            f"ex:route agw:hasTimeout ex:timeout , ex:t2 . {TIMED} . ex:t2 a agw:Timeout ; agw:timeoutSeconds 1 .",
            "one timeout",
        ),
        (f"ex:route agw:hasLoadBalancer ex:balancer , ex:b2 . {BALANCER} . ex:b2 a agw:LoadBalancer .", "one load"),
    ),
    *right(
        "matches",
        'ex:route agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x-a" ; agw:headerValue "" ] , '
        '[ a agw:HeaderMatch ; agw:headerName "x-b" ; agw:valueMatchType "Present" ] .',
        'ex:route agw:matchesQueryParameter [ a agw:QueryParameterMatch ; agw:parameterName "v" ; '
        'agw:parameterValue "1|2" ; agw:valueMatchType "RegularExpression" ] .',
    ),
    *wrong(
        "matches",
        ('ex:route agw:matchesHeader [ a agw:HeaderMatch ; agw:headerValue "b" ] .', "needs one header name"),
        (
            'ex:route agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x a" ; agw:headerValue "b" ] .',
            "one header",
        ),
        ('ex:route agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x-a" ] .', "header match needs a value"),
        ('ex:route agw:matchesHeader [ agw:headerName "x-a" ; agw:headerValue "b" ] .', "must point to a HeaderMatch"),
        ('ex:route agw:matchesQueryParameter [ a agw:QueryParameterMatch ; agw:parameterName "v" ] .', "needs a value"),
        (
            'ex:route agw:matchesQueryParameter [ a agw:QueryParameterMatch ; agw:parameterValue "v" ] .',
            "needs one name",
        ),
        (
            'ex:m a agw:HeaderMatch ; agw:headerName "a" ; agw:headerValue "b" ; agw:valueMatchType "like" .',
            "valueMatch",
        ),
        ('ex:route agw:headerName "x-a" .', "belong to an agw:HeaderMatch"),
    ),
]
