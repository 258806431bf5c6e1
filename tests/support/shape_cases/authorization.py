"""Who may do what."""

from __future__ import annotations

from .case import Case, right, warned, wrong

HASH = "sha256:" + "0123456789abcdef" * 4
RULED = "ex:route agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy ; agw:hasRule ex:x"
RULE = f"{RULED} . ex:x a agw:AuthorizationRule"
WINDOW = f"{RULE} ; agw:duringWindow ex:w . ex:w a agw:TimeWindow"

AUTHORIZATION: list[Case] = [
    *right(
        "hasAuthorization",
        f"{RULE} .",
        "ex:gateway agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy .",
        f"ex:Class rdfs:subClassOf agw:Route ; agw:hasAuthorization ex:p . {RULE} .",
        f'{RULE} . ex:p agw:enforcement "audit" .',
    ),
    *wrong(
        "hasAuthorization",
        ("ex:route agw:hasAuthorization ex:missing .", "No such authorization policy"),
        ("ex:service agw:hasAuthorization ex:p . " + RULE + " .", "nobody would be kept out"),
        (f"{RULED} , ex:service . ex:x a agw:AuthorizationRule .", "agw:hasRule must point to"),
        (f'{RULE} . ex:p agw:enforcement "AUDIT" .', "agw:enforcement must be"),
        ('ex:service agw:enforcement "audit" .', "belongs to an agw:AuthorizationPolicy or"),
    ),
    *warned(
        "hasAuthorization",
        ("ex:p a agw:AuthorizationPolicy .", "keeps nobody out"),
        ("ex:x a agw:AuthorizationRule .", "it decides nothing"),
        (f"{RULE} . ex:p agw:allowedTotal 1 .", "agw:allowedTotal is live state"),
        (f"{RULE} . ex:p agw:deniedTotal 1 .", "agw:deniedTotal is live state"),
        (f"{RULE} . ex:p agw:auditedTotal 1 .", "agw:auditedTotal is live state"),
        (f"{RULE} . ex:x agw:matchedTotal 1 .", "agw:matchedTotal is live state"),
    ),
    *right(
        "AuthorizationRule",
        f'{RULE} ; agw:ruleAction "DENY" ; agw:callerAddress "192.0.2.0/24" , "2001:db8::/32" , "192.0.2.1" .',
        f'{RULE} ; agw:onMethod "GET" , "M-SEARCH" ; agw:onPath "/" , "/a/{{id}}/b" , "/a/*" , "/*" .',
        f'{RULE} ; agw:callerSpiffeId "spiffe://d/*" , "*" ; agw:callerName "dns:*.d" ; agw:callerPrincipal "jwt:*" .',
    ),
    *wrong(
        "AuthorizationRule",
        (f'{RULE} ; agw:ruleAction "deny" .', "agw:ruleAction must be"),
        (f'{RULE} ; agw:ruleAction "DENY" , "ALLOW" .', "agw:ruleAction must be"),
        (f'{RULE} ; agw:callerAddress "everywhere" .', "agw:callerAddress must be"),
        (f'{RULE} ; agw:onMethod "get" .', "agw:onMethod must be"),
        (f'{RULE} ; agw:onPath "a" .', "agw:onPath must be"),
        (f'{RULE} ; agw:onPath "/a?b" .', "agw:onPath must be"),
        (f'{RULE} ; agw:onPath "/*/a" .', "agw:onPath must be"),
        (f'{RULE} ; agw:callerSpiffeId "d/*" .', "agw:callerSpiffeId must be"),
        (f'{RULE} ; agw:callerName "a.d" .', "agw:callerName must be"),
        (f'{RULE} ; agw:callerPrincipal "" .', "agw:callerPrincipal must be"),
        (f'{RULE} ; agw:callerScope "a b" .', "agw:callerScope must be"),
        (f'{RULE} ; agw:callerClaim "=a" .', "agw:callerClaim must be"),
        (f'{RULE} ; agw:callerIssuer "" .', "agw:callerIssuer must be"),
        (f'{RULE} ; agw:callerSubject "" .', "agw:callerSubject must be"),
        (f'{RULE} ; agw:callerKeyOwner "" .', "agw:callerKeyOwner must be"),
        (f"{RULE} ; agw:duringWindow ex:service .", "agw:duringWindow must point to"),
        ('ex:service agw:onMethod "GET" .', "belong to an agw:AuthorizationRule"),
    ),
    *right(
        "TimeWindow",
        f'{WINDOW} ; agw:windowDay "Monday" , "Sunday" ; agw:windowBegins "00:00" ; agw:windowEnds "23:59" .',
        f'{WINDOW} ; agw:windowZone "Europe/Berlin" .',
        f'{WINDOW} ; agw:windowZone "America/Argentina/Buenos_Aires" .',
    ),
    *wrong(
        "TimeWindow",
        (f'{WINDOW} ; agw:windowDay "monday" .', "agw:windowDay must be"),
        (f'{WINDOW} ; agw:windowBegins "24:00" .', "agw:windowBegins must be"),
        (f'{WINDOW} ; agw:windowEnds "8:00" .', "agw:windowEnds must be"),
        (f'{WINDOW} ; agw:windowEnds "08:00" , "09:00" .', "agw:windowEnds must be"),
        (f'{WINDOW} ; agw:windowZone "+01:00" .', "agw:windowZone must be"),
        ('ex:service agw:windowZone "UTC" .', "belong to an agw:TimeWindow"),
    ),
    *right("defaultDecision", 'ex:gateway agw:defaultDecision "DENY" .'),
    *wrong(
        "defaultDecision",
        ('ex:gateway agw:defaultDecision "deny" .', "agw:defaultDecision must be"),
        ('ex:service agw:defaultDecision "DENY" .', "belongs to an agw:ApiGateway"),
    ),
    *right(
        "keyScope",
        f'ex:route agw:hasAuthentication ex:k . ex:k a agw:ApiKey ; agw:keyHash "{HASH}" ; agw:keyScope "a" .',
    ),
    *wrong(
        "keyScope",
        (
            f'ex:route agw:hasAuthentication ex:k . ex:k a agw:ApiKey ; agw:keyHash "{HASH}" ; agw:keyScope "a b" .',
            "agw:keyScope must be",
        ),
        ('ex:service agw:keyScope "a" .', "belong to an agw:ApiKey"),
    ),
]
