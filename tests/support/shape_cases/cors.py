"""Which pages of other origins may call."""

from __future__ import annotations

from .case import Case, duration, right, warned, wrong

NAMED = "ex:route agw:hasCors ex:cors . ex:cors a agw:CorsPolicy"
OPEN = f'{NAMED} ; agw:allowedOrigin "https://a.example"'

CORS: list[Case] = [
    *right(
        "CorsPolicy",
        f'{NAMED} ; agw:allowedOrigin "*" ; agw:allowedHeader "*" ; agw:exposedHeader "*" .',
        f'{NAMED} ; agw:allowedOrigin "*" ; agw:allowCredentials false .',
        f'{NAMED} ; agw:allowedOrigin "https://*.a.example" , "http://localhost:3000" , "http://*.localhost:8080" , '
        '"http://[::1]:8080" , "capacitor://localhost" .',
        f'{OPEN} ; agw:allowedMethod "GET" , "PUT" ; agw:allowedHeader "Content-Type" , "x-a" .',
        f'{OPEN} ; agw:exposedHeader "X-Request-Id" ; agw:allowCredentials true .',
        'ex:gateway agw:hasCors [ a agw:CorsPolicy ; agw:allowedOrigin "https://a.example" ] .',
    ),
    *wrong(
        "CorsPolicy",
        ("ex:route agw:hasCors ex:service .", "must point to a CorsPolicy"),
        (f'{OPEN} . ex:route agw:hasCors [ a agw:CorsPolicy ; agw:allowedOrigin "*" ] .', "has one CORS policy"),
        (f"ex:service agw:hasCors ex:cors . {OPEN} .", "no page could call"),
        (f'{NAMED} ; agw:allowedOrigin "a.example" .', "must be an origin"),
        (f'{NAMED} ; agw:allowedOrigin "https://a.example/" .', "must be an origin"),
        (f'{NAMED} ; agw:allowedOrigin "null" .', "must be an origin"),
        (f'{NAMED} ; agw:allowedOrigin "https://a.*.example" .', "must be an origin"),
        (f'{NAMED} ; agw:allowedOrigin "https://a.example:443" .', "No browser sends this origin"),
        (f'{NAMED} ; agw:allowedOrigin "http://a.example:80" .', "No browser sends this origin"),
        (f'{NAMED} ; agw:allowedOrigin "https://*.example" .', "below a top-level domain"),
        (f'{OPEN} , "*" .', "any origin already"),
        (f'{OPEN} ; agw:allowedMethod "get" .', "must be a method"),
        (f'{OPEN} ; agw:allowedMethod "*" .', "must be a method"),
        (f'{OPEN} ; agw:allowedMethod "TRACE" .', "Browsers forbid"),
        (f'{OPEN} ; agw:allowedHeader "a b" .', "agw:allowedHeader must be"),
        (f'{OPEN} ; agw:exposedHeader "a:b" .', "agw:exposedHeader must be"),
        (f'{OPEN} ; agw:exposedHeader "Set-Cookie" .', "Browsers show no page"),
        (f'{OPEN} ; agw:allowCredentials "yes" .', "must be true or false"),
        (f'{NAMED} ; agw:allowedOrigin "*" ; agw:allowCredentials true .', 'nothing can be "*"'),
        (f'{OPEN} ; agw:allowedHeader "*" ; agw:allowCredentials true .', 'nothing can be "*"'),
        (f'{OPEN} ; agw:exposedHeader "*" ; agw:allowCredentials true .', 'nothing can be "*"'),
        (f'{NAMED} ; agw:allowedMethod "GET" .', "allows no origin"),
        ('ex:service agw:allowedOrigin "*" .', "belong to an agw:CorsPolicy"),
    ),
    *duration("preflightMaxAge", OPEN),
    *warned(
        "CorsPolicy",
        (f"{OPEN} ; agw:preflightAdmittedTotal 1 .", "agw:preflightAdmittedTotal is live state"),
        (f"{OPEN} ; agw:preflightRefusedTotal 1 .", "agw:preflightRefusedTotal is live state"),
        (f"{OPEN} ; agw:foreignOriginTotal 1 .", "agw:foreignOriginTotal is live state"),
    ),
]
