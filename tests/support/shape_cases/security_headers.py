"""What answers tell browsers to be careful about."""

from __future__ import annotations

from .case import Case, right, wrong

NAMED = "ex:route agw:hasSecurityHeaders ex:careful . ex:careful a agw:SecurityHeaders"

SECURITY_HEADERS: list[Case] = [
    *right(
        "SecurityHeaders",
        f"{NAMED} .",
        f'{NAMED} ; agw:transportSecurityAge "PT0S"^^xsd:dayTimeDuration ; agw:includesSubdomains true .',
        f'{NAMED} ; agw:contentSecurityPolicy "default-src \'self\'; img-src *" ; agw:referrerPolicy "no-referrer" .',
        f'{NAMED} ; agw:frameOptions "SAMEORIGIN" ; agw:setsField "Cache-Control: no-store" , "X-A:b" .',
        f'{NAMED} ; agw:removesField "Server" , "x-powered-by" .',
        "ex:gateway agw:hasSecurityHeaders [ a agw:SecurityHeaders ] .",
    ),
    *wrong(
        "SecurityHeaders",
        ("ex:route agw:hasSecurityHeaders ex:service .", "must point to a SecurityHeaders"),
        (f"{NAMED} . ex:route agw:hasSecurityHeaders [ a agw:SecurityHeaders ] .", "has one policy"),
        (f"ex:service agw:hasSecurityHeaders ex:careful . {NAMED} .", "no answer would get them"),
        (f"{NAMED} ; agw:transportSecurityAge 365 .", "written as text with its type"),
        (f'{NAMED} ; agw:transportSecurityAge "-PT1S"^^xsd:dayTimeDuration .', "cannot be below zero"),
        (f'{NAMED} ; agw:includesSubdomains "yes" .', "must be true or false"),
        (f'{NAMED} ; agw:contentSecurityPolicy "a\\r\\nb: c" .', "one line of plain ASCII"),
        (f'{NAMED} ; agw:referrerPolicy "never" .', "one of the words"),
        (f'{NAMED} ; agw:frameOptions "ALLOW" .', "agw:frameOptions must be"),
        (f'{NAMED} ; agw:setsField "a" .', "agw:setsField must be"),
        (f'{NAMED} ; agw:setsField "a: b\\r\\nc: d" .', "agw:setsField must be"),
        (f'{NAMED} ; agw:setsField "content-LENGTH: 5" .', "agw:setsField must be"),
        (f'{NAMED} ; agw:removesField "transfer-encoding" .', "agw:removesField must be"),
        (f'{NAMED} ; agw:removesField "a: b" .', "agw:removesField must be"),
        ('ex:service agw:frameOptions "DENY" .', "belong to an agw:SecurityHeaders"),
    ),
]
