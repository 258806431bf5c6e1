"""Service level objectives."""

from __future__ import annotations

from .case import Case, duration, reference, right, warned, wrong

MADE = "ex:slo a agw:ServiceLevelObjective"
WHOLE = f"{MADE} ; agw:availabilityTarget 0.999"
QUICK = f"{MADE} ; agw:latencyTarget 0.99"

OBJECTIVE: list[Case] = [
    *reference("hasServiceLevelObjective", "ex:route", "ServiceLevelObjective", "No such ServiceLevelObjective"),
    *right(
        "hasServiceLevelObjective places",
        f"ex:service agw:hasServiceLevelObjective ex:slo . {WHOLE} .",
        f"ex:gateway agw:hasServiceLevelObjective ex:slo . {WHOLE} .",
        f"ex:Slow rdfs:subClassOf agw:Route ; agw:hasServiceLevelObjective ex:slo . {WHOLE} .",
    ),
    *wrong(
        "hasServiceLevelObjective places",
        (f"ex:nobody agw:hasServiceLevelObjective ex:slo . {WHOLE} .", "this subject is none of them"),
    ),
    *wrong("ServiceLevelObjective", (f"{MADE} .", "needs a target")),
    *right("availabilityTarget", f"{MADE} ; agw:availabilityTarget 0.5 .", f"{MADE} ; agw:availabilityTarget 9.9e-1 ."),
    *wrong(
        "availabilityTarget",
        (f"{MADE} ; agw:availabilityTarget 99.9 .", "a share, not per cent"),
        (f"{MADE} ; agw:availabilityTarget 1 .", "a share, not per cent"),
        (f"{MADE} ; agw:availabilityTarget 0.0 .", "a share, not per cent"),
        (f'{MADE} ; agw:availabilityTarget "0.9" .', "a share, not per cent"),
        (f"{MADE} ; agw:availabilityTarget 0.9 , 0.99 .", "a share, not per cent"),
        ("ex:route agw:availabilityTarget 0.9 .", "belong to an agw:ServiceLevelObjective"),
    ),
    *right("latencyTarget", f'{QUICK} ; agw:latencyThreshold "PT0.25S"^^xsd:dayTimeDuration .'),
    *wrong(
        "latencyTarget",
        (f"{QUICK} .", "needs the time within which"),
        (f'{WHOLE} ; agw:latencyThreshold "PT1S"^^xsd:dayTimeDuration .', "and there is none"),
        (
            f'{MADE} ; agw:latencyTarget 99 ; agw:latencyThreshold "PT1S"^^xsd:dayTimeDuration .',
            "a share, not per cent",
        ),
    ),
    *duration("latencyThreshold", QUICK),
    *duration("objectiveWindow", WHOLE),
    *warned(
        "live objectives",
        ("ex:route agw:hasObjectiveStanding ex:s .", "live state"),
        ("ex:s agw:ofObjective ex:slo .", "live state"),
        ('ex:s agw:objectiveIndicator "latency" .', "live state"),
        ("ex:s agw:burnRate5m 1.0 .", "live state"),
        ("ex:s agw:burnRate30m 1.0 .", "live state"),
        ("ex:s agw:burnRate1h 1.0 .", "live state"),
        ("ex:s agw:burnRate6h 1.0 .", "live state"),
        ('ex:s agw:objectiveState "MET" .', "live state"),
        ("ex:s agw:budgetLastsSeconds 5 .", "live state"),
    ),
]
