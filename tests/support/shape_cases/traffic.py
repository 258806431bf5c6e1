"""Splits that choose, and canaries that deliver themselves."""

from __future__ import annotations

from .case import Case, duration, integer, right, warned, wrong

_A = "agw:targetService ex:service"
STABLE = f"ex:route agw:hasTrafficSplit ex:a , ex:b . ex:a a agw:TrafficSplit ; agw:weight 100 ; {_A} ."
STEP = "agw:hasCanaryStep [ a agw:CanaryStep ; agw:stepWeight 10 ]"
CANARY = f"{STABLE} ex:b a agw:CanaryDeployment ; {_A}"
JUDGED = f"{CANARY} ; {STEP} ; agw:maximumErrorRate 0.02"
STEPPED = f"{CANARY} ; agw:maximumErrorRate 0.02 ; agw:hasCanaryStep ex:step . ex:step a agw:CanaryStep"
HEADER = '[ a agw:HeaderMatch ; agw:headerName "x-canary" ; agw:headerValue "always" ]'
GREEN = (
    "ex:route agw:hasTrafficSplit ex:a , ex:b . "
    f"ex:a a agw:BlueGreenDeployment ; agw:active false ; {_A} . ex:b a agw:BlueGreenDeployment ; {_A}"
)

MOVED = "ex:route agw:hasRedirect ex:moved . ex:moved a agw:Redirect"
REWRITTEN = "ex:route agw:hasRewrite ex:rewrite . ex:rewrite a agw:Rewrite"
ANSWERED = "ex:route agw:hasDirectResponse ex:direct . ex:direct a agw:DirectResponse"
CLOSED = "ex:gateway agw:hasMaintenance ex:works . ex:works a agw:MaintenanceMode"
STRUCK = "ex:route agw:hasFaultInjection ex:fault . ex:fault a agw:FaultInjection"
COPIED = f"ex:route agw:hasTrafficMirroring ex:mirror . ex:mirror a agw:TrafficMirroring ; {_A}"


def number(term: str, subject: str, low: int, high: int) -> list[Case]:
    """The bounds of a number that need not be whole."""
    said = f"one number from {low} to {high}"
    return [
        *right(term, f"{subject} ; agw:{term} {low} .", f"{subject} ; agw:{term} {high}.0 ."),
        *right(term, f"{subject} ; agw:{term} {low}.5e0 ."),
        *wrong(
            term,
            (f"{subject} ; agw:{term} {high + 1} .", said),
            (f"{subject} ; agw:{term} {low - 1}.5 .", said),
            (f'{subject} ; agw:{term} "{low}" .', said),
        ),
    ]


TRAFFIC = [
    *right(
        "splitKey",
        'ex:route agw:splitKey "client-address" .',
        'ex:route agw:splitKey "cookie:session" .',
        'ex:Class rdfs:subClassOf agw:Route ; agw:splitKey "header:x-user" .',
    ),
    *wrong(
        "splitKey",
        ('ex:route agw:splitKey "user" .', "agw:splitKey must be one of"),
        ('ex:service agw:splitKey "client-address" .', "belong to an agw:Route"),
        ('ex:route agw:splitKey "client-address" ; agw:splitCookie "side" .', "not by both"),
    ),
    *right("splitCookie", 'ex:route agw:splitCookie "agw-split" .'),
    *wrong(
        "splitCookie",
        ('ex:route agw:splitCookie "a b" .', "one cookie name"),
        ('ex:route agw:splitCookie "a=b" .', "one cookie name"),
        ('ex:route agw:splitCookie "a" , "b" .', "one cookie name"),
    ),
    *right(
        "steeredBy",
        f"{STABLE} ex:b a agw:CanaryDeployment ; agw:weight 0 ; {_A} ; agw:steeredBy {HEADER} .",
        f'{JUDGED} ; agw:steeredBy [ a agw:CookieMatch ; agw:cookieName "beta" ; agw:valueMatchType "Present" ] .',
    ),
    *wrong(
        "steeredBy",
        (f"{JUDGED} ; agw:steeredBy ex:service .", "must point to a HeaderMatch or a CookieMatch"),
        (f"ex:service agw:steeredBy {HEADER} .", "belongs to an agw:TrafficSplit"),
    ),
    *wrong(
        "CookieMatch",
        (f'{JUDGED} ; agw:steeredBy [ a agw:CookieMatch ; agw:cookieName "beta" ] .', "cookie match needs a value"),
        (f'{JUDGED} ; agw:steeredBy [ a agw:CookieMatch ; agw:cookieValue "on" ] .', "needs one cookie name"),
        ('ex:service agw:cookieName "beta" .', "belong to an agw:CookieMatch"),
        (
            f'{JUDGED} ; agw:steeredBy [ a agw:CookieMatch ; agw:cookieName "a" ; agw:cookieValue "b" , "c" ] .',
            "agw:cookieValue must be one text",
        ),
    ),
    *right("active", f"{GREEN} ; agw:active true ."),
    *wrong(
        "active",
        (f'{GREEN} ; agw:active "yes" .', "agw:active must be true or false"),
        ("ex:route agw:active true .", "belongs to an agw:BlueGreenDeployment"),
        (
            f"{STABLE} ex:b a agw:BlueGreenDeployment ; agw:active true ; agw:weight 0 ; {_A} .",
            "takes the place of agw:weight",
        ),
    ),
    *right("hasCanaryStep", f"{JUDGED} ."),
    *wrong(
        "hasCanaryStep",
        (f"{CANARY} ; agw:maximumErrorRate 0.1 ; agw:hasCanaryStep ex:service .", "must point to a CanaryStep"),
        (f"{CANARY} ; {STEP} .", "needs a criterion"),
        (f"{JUDGED} ; agw:weight 0 .", "Remove agw:weight here"),
        (f"ex:service {STEP} .", "belong to an agw:CanaryDeployment"),
        (f"{STEPPED} .", "A canary step needs one share"),
        ("ex:service agw:stepWeight 10 .", "belong to an agw:CanaryStep"),
    ),
    *integer("stepWeight", STEPPED, 1, 100),
    *duration("stepDuration", f"{STEPPED} ; agw:stepWeight 10"),
    *integer("minimumStepRequests", JUDGED, 1, 1000000000),
    *number("maximumErrorIncrease", JUDGED, 0, 1),
    *number("maximumErrorRate", f"{CANARY} ; {STEP}", 0, 1),
    *number("maximumLatencyRatio", JUDGED, 1, 1000),
    *integer("latencyPercentile", JUDGED, 50, 99),
    *duration("maximumLatency", JUDGED),
    *right("paused", f"{JUDGED} ; agw:paused true ."),
    *wrong("paused", (f"{JUDGED} ; agw:paused 1 .", "agw:paused must be true or false")),
    *right("rolloutName", f'{JUDGED} ; agw:rolloutName "2.4.1" .'),
    *wrong("rolloutName", (f"{JUDGED} ; agw:rolloutName 2 .", "must be one plain text")),
    *right("hasRedirect", f'{MOVED} ; agw:redirectScheme "https" ; agw:redirectHost "a.example" .'),
    *right("redirectStatus", f'{MOVED} ; agw:replaceFullPath "/new" ; agw:redirectStatus 308 .'),
    *integer("redirectPort", MOVED, 1, 65535),
    *wrong(
        "hasRedirect",
        ("ex:route agw:hasRedirect ex:service .", "must point to a Redirect"),
        (f"{MOVED} .", "must say where to"),
        (f'{MOVED} ; agw:redirectScheme "ftp" .', 'one of "http" and "https"'),
        (f'{MOVED} ; agw:redirectHost "https://a.example" .', "must be one host name"),
        (f'{MOVED} ; agw:replaceFullPath "/a" ; agw:redirectStatus 200 .', "one of 301"),
        (f'{MOVED} ; agw:replaceFullPath "a" .', "must be one path"),
        (f'{MOVED} ; agw:replaceFullPath "/a?b" .', "must be one path"),
        (f'{MOVED} ; agw:replaceFullPath "/a" ; agw:replacePrefixMatch "/b" .', "not both"),
        ('ex:service agw:redirectScheme "https" .', "belong to an agw:Redirect"),
        ('ex:service agw:replacePrefixMatch "/a" .', "belongs to an agw:Redirect or an agw:Rewrite"),
        ("ex:service agw:hasRedirect [ a agw:Redirect ; agw:redirectPort 1 ] .", "belongs to an agw:Route"),
    ),
    *right(
        "hasRewrite",
        f'{REWRITTEN} ; agw:rewriteHost "a.example:80" ; agw:replacePrefixMatch "/" .',
        f'{REWRITTEN} ; agw:rewritePattern "^/a" ; agw:rewriteSubstitution "" .',
    ),
    *wrong(
        "hasRewrite",
        ("ex:route agw:hasRewrite ex:service .", "must point to a Rewrite"),
        (f'{REWRITTEN} ; agw:rewriteHost "a/b" .', "must be one host"),
        (f'{REWRITTEN} ; agw:rewritePattern "^/a" .', "come together"),
        (f'{REWRITTEN} ; agw:rewritePattern "a" ; agw:rewriteSubstitution "" ; agw:replaceFullPath "/" .', "together"),
        (f'{REWRITTEN} ; agw:replaceFullPath "/a" ; agw:replacePrefixMatch "/b" .', "not both"),
        ('ex:service agw:rewriteHost "a" .', "belong to an agw:Rewrite"),
        ("ex:service agw:hasRewrite [ a agw:Rewrite ] .", "belongs to an agw:Route"),
    ),
    *integer("responseStatus", ANSWERED, 200, 599),
    *right(
        "hasDirectResponse",
        f'{ANSWERED} ; agw:responseBody "x" ; agw:responseContentType "text/html; charset=utf-8" .',
        f'{ANSWERED} ; agw:responseField "Cache-Control: no-store" , "X-A: b" .',
    ),
    *wrong(
        "hasDirectResponse",
        ("ex:route agw:hasDirectResponse ex:service .", "must point to a DirectResponse"),
        (f"{ANSWERED} ; agw:responseBody 1 .", "one text of at most"),
        (f"{ANSWERED} ; agw:responseTemplate 1 .", "agw:responseTemplate must be one text"),
        (f'{ANSWERED} ; agw:responseContentType "html" .', "one media type"),
        (f'{ANSWERED} ; agw:responseField "a" .', "one field in plain ASCII"),
        (f'{ANSWERED} ; agw:responseField "content-LENGTH: 5" .', "one field in plain ASCII"),
        (f'{ANSWERED} ; agw:responseField "A: b\\r\\nC: d" .', "one field in plain ASCII"),
        ('ex:service agw:responseBody "x" .', "belong to an agw:DirectResponse"),
        ("ex:service agw:hasDirectResponse [ a agw:DirectResponse ] .", "belongs to an agw:Route"),
        (f'{ANSWERED} . {MOVED} ; agw:replaceFullPath "/a" .', "redirected or answered, not both"),
    ),
    *duration("maintenanceRetryAfter", CLOSED),
    *right(
        "hasMaintenance",
        f'{CLOSED} ; agw:maintenanceEnabled false ; agw:maintenanceMessage "later" ; agw:bypassAddress "10.0.0.0/8" .',
        f"{CLOSED} ; agw:bypassedBy {HEADER} .",
    ),
    *wrong(
        "hasMaintenance",
        ("ex:route agw:hasMaintenance ex:service .", "must point to a MaintenanceMode"),
        (f'{CLOSED} ; agw:maintenanceEnabled "no" .', "must be true or false"),
        (f"{CLOSED} ; agw:maintenanceMessage 1 .", "must be one text"),
        (f'{CLOSED} ; agw:bypassAddress "localhost" .', "an address or a block"),
        (f"{CLOSED} ; agw:bypassedBy ex:service .", "must point to a HeaderMatch or a CookieMatch"),
        ("ex:service agw:hasMaintenance [ a agw:MaintenanceMode ] .", "belongs to an agw:Route"),
        ("ex:service agw:maintenanceEnabled true .", "is said of something else"),
    ),
    *duration("delayDuration", STRUCK),
    *integer("abortStatus", STRUCK, 400, 599),
    *number("abortPercent", f"{STRUCK} ; agw:abortStatus 503", 0, 100),
    *number("delayPercent", f"{STRUCK} ; agw:abortStatus 503", 0, 100),
    *number("resetPercent", STRUCK, 0, 100),
    *number("truncatePercent", STRUCK, 0, 100),
    *integer("truncateAfterBytes", f"{STRUCK} ; agw:truncatePercent 5", 0, 1_000_000_000),
    *warned("truncateAfterBytes", (f"{STRUCK} ; agw:resetPercent 5 ; agw:truncateAfterBytes 5 .", "breaks off none")),
    *right("triggeredBy", f"{STRUCK} ; agw:abortStatus 503 ; agw:triggeredBy {HEADER} ."),
    *warned("hasFaultInjection", (f"{STRUCK} .", "does nothing")),
    *wrong(
        "hasFaultInjection",
        ("ex:route agw:hasFaultInjection ex:service .", "must point to a FaultInjection"),
        (f"{STRUCK} ; agw:abortStatus 503 ; agw:triggeredBy ex:service .", "must point to a HeaderMatch"),
        (
            "ex:service agw:hasFaultInjection [ a agw:FaultInjection ; agw:abortStatus 503 ] .",
            "belongs to an agw:Route",
        ),
        ("ex:service agw:abortPercent 5 .", "belong to an agw:FaultInjection"),
    ),
    *number("mirrorPercent", COPIED, 0, 100),
    *integer("mirrorBodyBytes", COPIED, 0, 65536),
    *integer("mirrorConcurrency", COPIED, 1, 10000),
    *warned(
        "hasTrafficMirroring",
        ("ex:route agw:hasTrafficMirroring ex:mirror . ex:mirror a agw:TrafficMirroring .", "names no target"),
    ),
    *wrong(
        "hasTrafficMirroring",
        ("ex:route agw:hasTrafficMirroring ex:service .", "must point to a TrafficMirroring"),
        (f"{COPIED} , ex:other . ex:other a agw:BackendService ; agw:address 'o:80' .", "copies to one service"),
        ("ex:service agw:mirrorPercent 5 .", "belongs to an agw:TrafficMirroring"),
        (f"ex:service agw:hasTrafficMirroring [ a agw:TrafficMirroring ; {_A} ] .", "belongs to an agw:Route"),
    ),
]
