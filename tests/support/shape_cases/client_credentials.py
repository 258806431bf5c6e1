"""Tokens that backends are shown."""

from __future__ import annotations

from .case import Case, right, warned, wrong

BARE = "ex:route agw:hasClientCredentials ex:as . ex:as a agw:ClientCredentials"
WHERE = 'agw:tokenEndpoint "https://id.example.com/token"'
WHO = 'agw:clientId "shop" ; agw:clientSecretRef "env:HOME"'
WHOLE = f"{BARE} ; {WHERE} ; {WHO}"

CLIENT_CREDENTIALS: list[Case] = [
    *right(
        "ClientCredentials",
        f"{WHOLE} .",
        f'{WHOLE} ; agw:requestedScope "a:b" , "c" ; agw:tokenAudience "https://a" ; agw:tokenResource "https://a/" .',
        f'{BARE} ; agw:tokenEndpoint "http://127.0.0.1:9/t" ; {WHO} ; agw:clientAuthentication "client_secret_post" .',
        f"ex:gateway agw:hasClientCredentials [ a agw:ClientCredentials ; {WHERE} ; {WHO} ] .",
    ),
    *wrong(
        "ClientCredentials",
        ("ex:route agw:hasClientCredentials ex:service .", "must point to a ClientCredentials"),
        (
            f"{WHOLE} . ex:route agw:hasClientCredentials [ a agw:ClientCredentials ; {WHERE} ; {WHO} ] .",
            "with one token",
        ),
        (f"ex:service agw:hasClientCredentials ex:as . {WHOLE} .", "no request would carry the token"),
        (f"{BARE} ; {WHO} .", "need one agw:tokenEndpoint"),
        (f'{BARE} ; {WHO} ; agw:tokenEndpoint "http://id.example.com/token" .', "need one agw:tokenEndpoint"),
        (f'{BARE} ; {WHO} ; agw:tokenEndpoint "https://a:b@id.example.com/" .', "need one agw:tokenEndpoint"),
        (f'{BARE} ; {WHERE} ; agw:clientId "shop" .', "where agw's client secret is"),
        (f'{WHOLE} ; agw:requestedScope "a b" .', "agw:requestedScope must be one scope"),
        (f'{WHOLE} ; agw:tokenAudience "a b" .', "agw:tokenAudience must be"),
        (f'{WHOLE} ; agw:tokenResource "orders" .', "agw:tokenResource must be"),
        ('ex:service agw:tokenAudience "a" .', "belong to an agw:ClientCredentials"),
        ('ex:service agw:requestedScope "a" .', "belongs to an agw:OpenIdLogin or an agw:ClientCredentials"),
    ),
    *warned(
        "ClientCredentials",
        *(
            (f"{WHOLE} ; agw:{term} {value} .", f"agw:{term} is live state")
            for term, value in (
                ("tokenState", '"HELD"'),
                ("tokenExpiry", '"2026-01-01T00:00:00Z"^^xsd:dateTime'),
                ("tokenFetchedTotal", "1"),
                ("tokenFetchFailedTotal", "1"),
                ("tokenRefusedTotal", "1"),
                ("tokenFault", '"none"'),
            )
        ),
    ),
]
