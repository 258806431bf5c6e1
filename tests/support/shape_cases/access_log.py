"""Which requests are logged, what their lines say, and where they go."""

from __future__ import annotations

from .case import Case, duration, integer, right, wrong

NAMED = "ex:route agw:hasAccessLog ex:log . ex:log a agw:AccessLog"

ACCESS_LOG: list[Case] = [
    *right(
        "AccessLog",
        f"{NAMED} .",
        "ex:gateway agw:hasAccessLog [ a agw:AccessLog ] .",
        f'{NAMED} ; agw:logField "time" , "status" ; agw:logRequestHeader "User-Agent" .',
        f'{NAMED} ; agw:logTemplate "{{{{client}}}} {{client}} {{header:x-a}} 100%" .',
        f"{NAMED} ; agw:logSamplePercent 0.5 .",
        f"{NAMED} ; agw:logSamplePercent 100 .",
        f'{NAMED} ; agw:logFile "logs/a-1.log" .',
    ),
    *wrong(
        "AccessLog",
        ("ex:route agw:hasAccessLog ex:service .", "must point to an AccessLog"),
        (f"{NAMED} . ex:route agw:hasAccessLog [ a agw:AccessLog ] .", "has one access log"),
        (f"ex:service agw:hasAccessLog ex:log . {NAMED} .", "nothing would be logged"),
        (f'{NAMED} ; agw:logField "statuses" .', "one of the names"),
        (f'{NAMED} ; agw:logTemplate "{{statuses}}" .', "agw:logTemplate must be"),
        (f'{NAMED} ; agw:logTemplate "{{status" .', "agw:logTemplate must be"),
        (f'{NAMED} ; agw:logTemplate "{{status}}\\n{{path}}" .', "agw:logTemplate must be"),
        (f'{NAMED} ; agw:logTemplate "{{status}}" ; agw:logField "time" .', "not both"),
        (f'{NAMED} ; agw:logTemplate "{{status}}" ; agw:logRequestHeader "a" .', "not both"),
        (f'{NAMED} ; agw:logRequestHeader "a: b" .', "name of one field"),
        (f"{NAMED} ; agw:logSamplePercent 101 .", "from 0 to 100"),
        (f'{NAMED} ; agw:logSamplePercent "1" .', "from 0 to 100"),
        (f'{NAMED} ; agw:logFile "gateway.ttl" .', "ends in .log"),
        (f'{NAMED} ; agw:logFile "../a.log" .', "ends in .log"),
        (f'{NAMED} ; agw:logFile "/var/a.log" .', "ends in .log"),
        ("ex:service agw:logSamplePercent 5 .", "belong to an agw:AccessLog"),
    ),
    *integer("logMinimumStatus", NAMED, 100, 599),
    *duration("logSlowerThan", NAMED),
]
