"""Services that are asked who may do what."""

from __future__ import annotations

from .case import Case, right, warned, wrong

NAMED = "ex:route agw:hasExternalAuthorization ex:opa . ex:opa a agw:ExternalAuthorization"
ASKED = f'{NAMED} ; agw:authorizationService ex:service ; agw:authorizationFailureMode "CLOSED"'

EXTERNAL_AUTHORIZATION: list[Case] = [
    *right(
        "ExternalAuthorization",
        f"{ASKED} .",
        f'{ASKED} ; agw:authorizationPathPrefix "/a/b" ; agw:sendsField "Cookie" ; agw:takesField "X-User" .',
        f'{ASKED} ; agw:authorizationTimeout "PT1M"^^xsd:dayTimeDuration ; agw:passesDenial true .',
        f'{ASKED} ; agw:verdictLifetime "PT1H"^^xsd:dayTimeDuration .',
    ),
    *wrong(
        "ExternalAuthorization",
        ("ex:route agw:hasExternalAuthorization ex:service .", "must point to an ExternalAuthorization"),
        (f"ex:service agw:hasExternalAuthorization ex:opa . {ASKED} .", "nobody would be asked"),
        (f"{NAMED} ; agw:authorizationService ex:service .", "agw:authorizationFailureMode must be said"),
        (f'{NAMED} ; agw:authorizationFailureMode "OPEN" .', "agw:authorizationService must point to one"),
        (
            f'{NAMED} ; agw:authorizationService ex:route ; agw:authorizationFailureMode "OPEN" .',
            "agw:authorizationService must point to one",
        ),
        (
            f'{NAMED} ; agw:authorizationService ex:service ; agw:authorizationFailureMode "open" .',
            "agw:authorizationFailureMode must be said",
        ),
        (f'{ASKED} ; agw:authorizationPathPrefix "check" .', "agw:authorizationPathPrefix must be"),
        (f'{ASKED} ; agw:authorizationPathPrefix "/check/" .', "agw:authorizationPathPrefix must be"),
        (f'{ASKED} ; agw:sendsField "a b" .', "agw:sendsField must be"),
        (f'{ASKED} ; agw:takesField "a:b" .', "agw:takesField must be"),
        (f'{ASKED} ; agw:takesField "X-Forwarded-For" .', "agw:takesField cannot be"),
        (f'{ASKED} ; agw:passesDenial "yes" .', "agw:passesDenial must be"),
        (f"{ASKED} ; agw:authorizationTimeout 5 .", "written as text with its type"),
        (f'{ASKED} ; agw:authorizationTimeout "PT0S"^^xsd:dayTimeDuration .', "longer than zero"),
        (f"{ASKED} ; agw:verdictLifetime 5 .", "written as text with its type"),
        (f'{ASKED} ; agw:verdictLifetime "-PT1S"^^xsd:dayTimeDuration .', "longer than zero"),
        ('ex:service agw:sendsField "a" .', "belong to an agw:ExternalAuthorization"),
        (
            f"{ASKED} . ex:route agw:hasExternalAuthorization ex:b . ex:b a agw:ExternalAuthorization ;"
            ' agw:authorizationService ex:service ; agw:authorizationFailureMode "OPEN" .',
            "One service is asked",
        ),
    ),
    *warned(
        "ExternalAuthorization",
        (f"{ASKED} ; agw:externalAllowedTotal 1 .", "agw:externalAllowedTotal is live state"),
        (f"{ASKED} ; agw:externalDeniedTotal 1 .", "agw:externalDeniedTotal is live state"),
        (f"{ASKED} ; agw:externalUnavailableTotal 1 .", "agw:externalUnavailableTotal is live state"),
        (f"{ASKED} ; agw:externalRememberedTotal 1 .", "agw:externalRememberedTotal is live state"),
    ),
]
