"""Splits that choose, and canaries that deliver themselves."""

from __future__ import annotations

from .case import Case, duration, integer, right, wrong

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
]
