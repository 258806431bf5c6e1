"""Who must show what, and what a token or key must be."""

from __future__ import annotations

from .case import Case, right, warned, wrong

DEMANDED = "ex:gateway agw:hasAuthentication ex:j . ex:j a agw:JWTAuthentication"
JWT = f'{DEMANDED} ; agw:issuer "https://id.example.com/" ; agw:audience "shop" ; agw:jwksUri "https://id.example.com/jwks"'
LOGIN = (
    'ex:route agw:hasAuthentication ex:l . ex:l a agw:OpenIdLogin ; agw:issuer "https://id.example.com" ; agw:clientId "shop" ; '
    'agw:externalUrl "https://shop.example" ; agw:sessionKeyRef "env:K"'
)
OAUTH2 = (
    'ex:route agw:hasAuthentication ex:o . ex:o a agw:OAuth2 ; agw:clientId "gateway" ; agw:clientSecretRef "env:S" ; '
    'agw:introspectionEndpoint "https://id.example.com/introspect"'
)
KEYED = "ex:route agw:hasAuthentication ex:k . ex:k a agw:ApiKey"
HASH = "sha256:" + "0123456789abcdef" * 4
KEY = f'{KEYED} ; agw:keyHash "{HASH}"'
LIMIT = "ex:route agw:hasRateLimiter ex:l . ex:l a agw:RateLimiter ; agw:requestsPerSecond 5"
BALANCER = 'ex:route agw:hasLoadBalancer ex:b . ex:b a agw:LoadBalancer ; agw:balancingAlgorithm "CONSISTENT_HASH"'

AUTHENTICATION = [
    *right(
        "authentication",
        f"{JWT} .",
        f"{KEY} .",
        f"{JWT} . {KEY} .",
        f"ex:Payments rdfs:subClassOf agw:Route ; agw:hasAuthentication ex:j . {JWT} .",
        f'{JWT} ; agw:signingAlgorithm "ES256" , "EdDSA" ; agw:requiredScope "a:b" , "c" ; agw:audience "other" .',
        f'{JWT} ; agw:requiredClaim "tenant=acme" , "https://x.example/role" ; agw:forwardClaim "sub" , "email" .',
        f'{JWT} ; agw:clockSkew "PT0S"^^xsd:dayTimeDuration .',
        f'{JWT} ; agw:clockSkew "PT5M"^^xsd:dayTimeDuration .',
        f'{JWT} ; agw:clockSkew "PT1M30S"^^xsd:dayTimeDuration .',
        f'{KEY} ; agw:keyHash "{HASH.replace("0", "F")}" ; agw:keyHeader "X-Acme-Key" ; agw:keyOwner "acme (Inc.)" .',
        f'{KEY} ; agw:keyQueryParameter "api_key" ; agw:keyExpiry "2099-01-31T00:00:00Z"^^xsd:dateTime .',
        f'{LIMIT} ; agw:limitKey "claim:sub" . {JWT} .',
        f'{LIMIT} ; agw:limitKey "api-key" . {KEY} .',
        f'{BALANCER} ; agw:hashKey "claim:sub" . {JWT} .',
    ),
    *right(
        "jwks",
        *(
            f"{DEMANDED} ; agw:issuer 'i' ; agw:audience 'a' ; agw:jwksUri '{uri}' ."
            for uri in ("http://127.0.0.1:9000/keys", "http://localhost/k", "http://[::1]:80/k", "file:keys/jwks.json")
        ),
    ),
    *wrong(
        "authentication",
        ("ex:route agw:hasAuthentication ex:missing .", "No such authentication"),
        ("ex:route agw:hasAuthentication ex:service .", "No such authentication"),
        ("ex:service agw:hasAuthentication ex:j . " + JWT + " .", "nobody would be asked"),
        (f'{DEMANDED} ; agw:audience "a" ; agw:jwksUri "https://a/k" .', "names no issuer"),
        (f'{DEMANDED} ; agw:issuer "i" ; agw:jwksUri "https://a/k" .', "names no audience"),
        (f'{DEMANDED} ; agw:issuer "i" ; agw:audience "a" .', "where the keys"),
        (f'{JWT} ; agw:issuer "another" .', "agw:issuer must be one"),
        (f'{JWT} ; agw:signingAlgorithm "HS256" .', "never taken"),
        (f'{JWT} ; agw:signingAlgorithm "none" .', "never taken"),
        (f'{JWT} ; agw:clockSkew "PT6M"^^xsd:dayTimeDuration .', "five minutes"),
        (f'{JWT} ; agw:clockSkew "PT5M1S"^^xsd:dayTimeDuration .', "five minutes"),
        (f'{JWT} ; agw:clockSkew "-PT1S"^^xsd:dayTimeDuration .', "five minutes"),
        (f'{JWT} ; agw:clockSkew "P1D"^^xsd:dayTimeDuration .', "five minutes"),
        (f"{JWT} ; agw:clockSkew 30 .", "written as text with its type"),
        (f'{JWT} ; agw:requiredScope "a b" .', "without spaces"),
        (f'{JWT} ; agw:requiredClaim "=x" .', "NAME=VALUE"),
        (f'{JWT} ; agw:forwardClaim "sub ject" .', "name of a claim"),
        (f'{JWT} . ex:service agw:requiredScope "a" .', "nobody would be asked for it"),
        (f"{KEYED} .", "has no hash"),
        (f'{KEYED} ; agw:keyHash "hunter2" .', "never the key itself"),
        (f'{KEYED} ; agw:keyHash "{HASH[:-1]}" .', "never the key itself"),
        (f'{KEY} ; agw:keyHeader "X Key" .', "name of one header field"),
        (f'{KEY} ; agw:keyHeader "Host" .', "a meaning of its own"),
        (f'{KEY} ; agw:keyHeader "x-forwarded-for" .', "a meaning of its own"),
        (f'{KEY} ; agw:keyQueryParameter "a&b" .', "one query parameter"),
        (f'{KEY} ; agw:keyOwner "Zoë" .', "visible ASCII"),
        (f'{KEY} ; agw:keyExpiry "2099-01-31T00:00:00"^^xsd:dateTime .', "time zone"),
        (f'{KEY} . ex:service agw:keyOwner "x" .', "belong to an agw:ApiKey"),
        (f'{LIMIT} ; agw:limitKey "claim:sub" .', "nothing vouches for it"),
        (f'{LIMIT} ; agw:limitKey "api-key" . {JWT} .', "nothing vouches for it"),
        (f'{LIMIT} ; agw:limitKey "claim:sub" . {JWT} . {KEY} .', "nothing vouches for it"),
        (f'{BALANCER} ; agw:hashKey "api-key" .', "nothing vouches for it"),
        *(
            (f"{DEMANDED} ; agw:issuer 'i' ; agw:audience 'a' ; agw:jwksUri '{uri}' .", "must be one https URL")
            for uri in (
                "http://id.example.com/keys",
                "https://u@id/k",
                "http://127.0.0.1.evil/k",
                "ftp://a/k",
                "keys.json",
            )
        ),
    ),
    *warned(
        "authentication",
        ("ex:j a agw:JWTAuthentication .", "nobody is asked for a token"),
        ("ex:k a agw:ApiKey .", "nobody is asked for it"),
    ),
    *right(
        "oauth 2",
        f"{OAUTH2} .",
        f'{OAUTH2} ; agw:issuer "https://id.example.com" ; agw:audience "a" , "b" ; agw:requiredScope "r" .',
        f'{OAUTH2} ; agw:requiredClaim "tenant=acme" ; agw:forwardClaim "sub" ; agw:introspectionLifetime "PT1H"^^xsd:dayTimeDuration .',
        f'{OAUTH2} ; agw:clientAuthentication "client_secret_post" ; agw:introspectionLifetime "PT0S"^^xsd:dayTimeDuration .',
        f'{LIMIT} ; agw:limitKey "claim:sub" . {OAUTH2} .',
    ),
    *(
        Case(f"oauth 2 without {term}", OAUTH2.replace(f"agw:{term}", "rdfs:comment") + " .", (said,))
        for term, said in (
            ("introspectionEndpoint", "who is asked about tokens"),
            ("clientSecretRef", "client secret is"),
        )
    ),
    *wrong(
        "oauth 2",
        (OAUTH2.replace("https://", "http://") + " .", "agw:introspectionEndpoint must be one"),
        (f'{OAUTH2} ; agw:issuer "a" , "b" .', "agw:issuer must be one text"),
        (f"{OAUTH2} ; agw:audience 5 .", "agw:audience must be text"),
        (f'{OAUTH2} ; agw:clientId "a" .', "agw:clientId must be one text"),
        (f'{OAUTH2} ; agw:clientAuthentication "none" .', "agw:clientAuthentication must be"),
        (f"{OAUTH2.replace('env:S', 'hunter2')} .", "client secret never stands"),
        (f'{OAUTH2} ; agw:introspectionLifetime "PT2H"^^xsd:dayTimeDuration .', "one hour"),
        (f"{OAUTH2} ; agw:introspectionLifetime 30 .", "written as text with its type"),
        (f'{OAUTH2} ; agw:requiredClaim "=x" .', "NAME=VALUE"),
        (f'{OAUTH2} ; agw:forwardClaim "sub ject" .', "name of a claim"),
        (f'{OAUTH2} ; agw:clockSkew "PT1M"^^xsd:dayTimeDuration .', "belong to an agw:JWTAuthentication"),
        (f'{OAUTH2} . ex:service agw:clientId "x" .', "belong to an agw:OAuth2"),
        (f'{OAUTH2} . ex:service agw:introspectionEndpoint "https://a/i" .', "belong to an agw:OAuth2"),
        (f'{OAUTH2} . ex:service agw:forwardClaim "a" .', "belong to an agw:JWTAuthentication or an agw:OAuth2"),
    ),
    *right(
        "login",
        f"{LOGIN} .",
        f'{LOGIN} ; agw:clientSecretRef "file:a" ; agw:clientAuthentication "client_secret_post" ; agw:requestedScope "email" .',
        f'{LOGIN} ; agw:callbackPath "/in" ; agw:logoutPath "/out" ; agw:sessionLifetime "P30D"^^xsd:dayTimeDuration .',
        f'{LOGIN} ; agw:formerSessionKeyRef "env:A" , "env:B" ; agw:forwardAccessToken true ; agw:signingAlgorithm "PS256" .',
        f'{LOGIN} ; agw:requiredClaim "a=b" ; agw:forwardClaim "sub" . {LIMIT} ; agw:limitKey "claim:sub" .',
    ),
    *(
        Case(f"login without {term}", LOGIN.replace(f"agw:{term}", "rdfs:comment") + " .", (said,))
        for term, said in (
            ("issuer", "at which provider"),
            ("externalUrl", "under which address"),
            ("sessionKeyRef", "with what sessions are sealed"),
        )
    ),
    *wrong(
        "login",
        (LOGIN.replace("https://id.", "http://id.") + " .", "agw:issuer of a login must be"),
        (LOGIN.replace("https://shop.example", "http://shop.example") + " .", "agw:externalUrl must be one origin"),
        (LOGIN.replace("https://shop.example", "https://shop.example/a") + " .", "agw:externalUrl must be one origin"),
        (f'{LOGIN} ; agw:requestedScope "a b" .', "agw:requestedScope must be one scope"),
        (f'{LOGIN} ; agw:callbackPath "in" .', "agw:callbackPath must be one path"),
        (f'{LOGIN} ; agw:logoutPath "/a?b" .', "agw:logoutPath must be one path"),
        (LOGIN.replace("env:K", "hunter2") + " .", "session key never stands"),
        (f'{LOGIN} ; agw:formerSessionKeyRef "hunter2" .', "session key never stands"),
        (f"{LOGIN} ; agw:sessionLifetime 5 .", "agw:sessionLifetime must be one duration"),
        (f'{LOGIN} ; agw:sessionLifetime "P31D"^^xsd:dayTimeDuration .', "agw:sessionLifetime must be one duration"),
        (f'{LOGIN} ; agw:forwardAccessToken "yes" .', "agw:forwardAccessToken must be true or false"),
        (f'{LOGIN} . ex:service agw:callbackPath "/a" .', "belong to an agw:OpenIdLogin"),
    ),
    *warned(
        "login",
        ("ex:l a agw:OpenIdLogin .", "nobody is asked for it"),
        (f"{LOGIN} ; agw:loggedInTotal 1 .", "live state"),
        (f"{LOGIN} ; agw:loginFailedTotal 1 .", "live state"),
        (f"{LOGIN} ; agw:sessionRefreshedTotal 1 .", "live state"),
    ),
    *warned(
        "oauth 2",
        ("ex:o a agw:OAuth2 .", "nobody is asked for a token"),
        (f"{OAUTH2} ; agw:introspectedTotal 1 .", "live state"),
        (f"{OAUTH2} ; agw:introspectionFailedTotal 1 .", "live state"),
        (f"{OAUTH2} ; agw:inactiveTotal 1 .", "live state"),
    ),
]
