"""Concurrency limits, priorities and the overload guard."""

from __future__ import annotations

from .case import Case, reference, right, wrong

BEARABLE = "ex:bearable a agw:AdaptiveConcurrency"
GUARD = "ex:guard a agw:OverloadGuard"

LOAD: list[Case] = [
    *reference("hasAdaptiveConcurrency", "ex:route", "AdaptiveConcurrency", "No such AdaptiveConcurrency"),
    *right(
        "concurrency",
        f"{BEARABLE} ; agw:minimumConcurrency 5 ; agw:maximumConcurrency 5 ; agw:latencyTolerance 2 ; "
        'agw:baselinePeriod "PT1M"^^xsd:dayTimeDuration .',
        *(f'ex:route agw:requestPriority "{name}" .' for name in ("CRITICAL", "HIGH", "NORMAL", "LOW")),
        'ex:Late rdfs:subClassOf agw:Route ; agw:requestPriority "LOW" .',
    ),
    *wrong(
        "concurrency",
        (f"{BEARABLE} ; agw:minimumConcurrency 0 .", "agw:minimumConcurrency must be"),
        (f"{BEARABLE} ; agw:maximumConcurrency 0 .", "agw:maximumConcurrency must be"),
        (f"{BEARABLE} ; agw:minimumConcurrency 6 ; agw:maximumConcurrency 5 .", "is above agw:maximumConcurrency"),
        (f"{BEARABLE} ; agw:latencyTolerance 0.5 .", "agw:latencyTolerance must be"),
        (f"{BEARABLE} ; agw:baselinePeriod 30 .", "written as text with its type"),
        (f'{BEARABLE} ; agw:baselinePeriod "P1M"^^xsd:dayTimeDuration .', "years or months"),
        (f'{BEARABLE} ; agw:baselinePeriod "PT0S"^^xsd:dayTimeDuration .', "longer than zero"),
        (
            f"ex:route agw:hasAdaptiveConcurrency ex:bearable , ex:b2 . {BEARABLE} . ex:b2 a agw:AdaptiveConcurrency .",
            "one concurrency limit",
        ),
        ('ex:route agw:requestPriority "URGENT" .', "agw:requestPriority must be"),
        ('ex:service agw:requestPriority "HIGH" .', "name one limit on all routes"),
        ("ex:service agw:maximumConcurrency 5 .", "belong to an agw:AdaptiveConcurrency"),
    ),
    *right(
        "overload",
        f'ex:gateway agw:hasOverloadGuard ex:guard . {GUARD} ; agw:maximumLoopLag "PT0.05S"^^xsd:dayTimeDuration ; '
        "agw:maximumMemoryShare 0.8 ; agw:maximumActiveRequests 5 ; agw:maximumClientConnections 5 .",
    ),
    *wrong(
        "overload",
        ("ex:gateway agw:hasOverloadGuard ex:missing .", "one OverloadGuard that is defined"),
        (f"ex:route agw:hasOverloadGuard ex:guard . {GUARD} .", "which it guards as a whole"),
        (f"{GUARD} ; agw:maximumMemoryShare 1.5 .", "agw:maximumMemoryShare must be"),
        (f"{GUARD} ; agw:maximumMemoryShare 0 .", "agw:maximumMemoryShare must be"),
        (f"{GUARD} ; agw:maximumActiveRequests 0 .", "agw:maximumActiveRequests must be"),
        (f"{GUARD} ; agw:maximumClientConnections 0 .", "agw:maximumClientConnections must be"),
        (f"{GUARD} ; agw:maximumLoopLag 1 .", "written as text with its type"),
        (f'{GUARD} ; agw:maximumLoopLag "P1M"^^xsd:dayTimeDuration .', "years or months"),
        (f'{GUARD} ; agw:maximumLoopLag "PT0S"^^xsd:dayTimeDuration .', "longer than zero"),
        ("ex:service agw:maximumActiveRequests 5 .", "belong to an agw:OverloadGuard"),
    ),
]
