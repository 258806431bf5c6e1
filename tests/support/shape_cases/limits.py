"""Limiters in full: algorithms, quotas, keys, costs, and the servers in which gateways count together."""

from __future__ import annotations

from .case import Case, duration, reference, right, warned, wrong
from .subjects import LIMIT, RATED

DAY = 'agw:quotaPeriod "P1D"^^xsd:dayTimeDuration'
REDIS = "ex:redis a agw:RedisStore"
PLACED = REDIS + ' ; agw:storeAddress "redis:6379"'

LIMITS: list[Case] = [
    *right(
        "limiter",
        f'{RATED} ; agw:limitKey "route" , "client-address" .',
        f'{RATED} ; agw:limitAlgorithm "SLIDING_WINDOW" ; agw:shadowMode true ; agw:rateLimitFields true .',
        f'{LIMIT} ; agw:quota 100 ; {DAY} ; agw:limitAlgorithm "TOKEN_BUCKET" .',
        f'{RATED} ; agw:sharedThrough ex:redis ; agw:failureMode "CLOSED" . {PLACED} .',
        f'{LIMIT} ; agw:quota 100 ; agw:quotaCalendar "MONTH" ; agw:quotaZone "Europe/Berlin" .',
        f'{RATED} ; agw:requestCostHeader "x-batch" ; agw:responseCostHeader "X-Cost" ; agw:maximumCost 50 .',
        "ex:route agw:requestCost 5 .",
        "ex:Heavy rdfs:subClassOf agw:Route ; agw:requestCost 5 .",
    ),
    *duration("quotaPeriod", f"{LIMIT} ; agw:quota 5"),
    *right(
        "bounds", f"{RATED} ; agw:keyCapacity 64 ; agw:ipv6PrefixLength 128 .", "ex:route agw:requestCost 1000000 ."
    ),
    *wrong(
        "bounds",
        (f"{RATED} ; agw:keyCapacity 63 .", "from 64 to 4000000"),
        (f"{RATED} ; agw:keyCapacity 4000001 .", "from 64 to 4000000"),
        (f"{RATED} ; agw:ipv6PrefixLength 129 .", "from 1 to 128"),
        ("ex:route agw:requestCost 0 .", "from 1 to 1000000"),
        (f"{PLACED} ; agw:storeDatabase -1 .", "agw:storeDatabase must be"),
    ),
    *wrong(
        "limiter",
        (f"{LIMIT} ; {DAY} ; agw:quota 0 .", "agw:quota must be"),
        (f'{RATED} ; agw:limitAlgorithm "LEAKY" .', "agw:limitAlgorithm must be"),
        (f"{RATED} ; agw:quota 100 ; {DAY} .", "has a rate and a quota"),
        (f"{LIMIT} ; agw:quota 100 .", "need each other"),
        (f"{LIMIT} ; {DAY} .", "need each other"),
        (f"{LIMIT} ; agw:quota 100 ; {DAY} ; agw:burstSize 5 .", "counts only with a rate"),
        (f'{RATED} ; agw:burstSize 5 ; agw:limitAlgorithm "SLIDING_WINDOW" .', "counts only with a rate"),
        (f'{RATED} ; agw:shadowMode "yes" .', "agw:shadowMode must be"),
        (f'{RATED} ; agw:rateLimitFields "yes" .', "agw:rateLimitFields must be"),
        (f'{RATED} ; agw:sharedThrough ex:redis ; agw:failureMode "FAIL" . {PLACED} .', "agw:failureMode must be"),
        (f"ex:service agw:quota 5 ; {DAY} .", "belong to an agw:RateLimiter"),
        (f'{LIMIT} ; agw:quota 9 ; agw:quotaCalendar "YEAR" .', "agw:quotaCalendar must be"),
        (f'{LIMIT} ; agw:quotaCalendar "DAY" .', "need each other"),
        (f'{RATED} ; agw:quota 9 ; agw:quotaCalendar "DAY" .', "has a rate and a quota"),
        (f'{LIMIT} ; agw:quota 9 ; {DAY} ; agw:quotaCalendar "DAY" .', "a period of its own and one of the calendar"),
        (f'{LIMIT} ; agw:quota 9 ; agw:quotaCalendar "DAY" ; agw:limitAlgorithm "SLIDING_WINDOW" .', "stand still"),
        (f'{LIMIT} ; agw:quota 9 ; agw:quotaCalendar "DAY" ; agw:quotaZone "here and now" .', "agw:quotaZone must be"),
        (f'{RATED} ; agw:requestCostHeader "x batch" .', "agw:requestCostHeader must be"),
        (f'{RATED} ; agw:responseCostHeader "X-Cost:" .', "agw:responseCostHeader must be"),
        (f'{RATED} ; agw:responseCostHeader "X-Cost" ; agw:maximumCost 0 .', "agw:maximumCost must be"),
        ('ex:service agw:responseCostHeader "X-Cost" .', "belong to an agw:RateLimiter"),
        ("ex:service agw:requestCost 5 .", "agw:requestCost belongs to an agw:Route"),
    ),
    *warned("limiter", (f'{RATED} ; agw:failureMode "OPEN" .', "this limiter has none")),
    *warned(
        "stated cost",
        (f"{RATED} ; agw:maximumCost 5 .", "this limiter has neither"),
        (f'{RATED} ; agw:quotaZone "Europe/Berlin" .', "whose clocks"),
    ),
    *reference("sharedThrough", RATED + " ;", "RedisStore", "one RedisStore"),
    *right(
        "redis",
        f"{PLACED} .",
        f'{REDIS} ; agw:storeAddress "[::1]:6379" .',
        f'{PLACED} ; agw:storeDatabase 2 ; agw:storeUser "u" ; agw:storePasswordRef "env:PW" ; agw:storeTls true ; '
        'agw:storeTrustBundleFile "tls/ca.pem" .',
    ),
    *wrong(
        "redis",
        (f'{PLACED} ; agw:storeTimeout "PT0S"^^xsd:dayTimeDuration .', "longer than zero"),
        (f"{PLACED} ; agw:storeTimeout 5 .", "written as text with its type"),
        (f'{PLACED} ; agw:storeTimeout "P1M"^^xsd:dayTimeDuration .', "years or months"),
        (f"{REDIS} .", "has one agw:storeAddress"),
        (f'{REDIS} ; agw:storeAddress "redis://redis" .', "has one agw:storeAddress"),
        (f'{PLACED} ; agw:storeUser "two words" .', "agw:storeUser must be"),
        (f'{PLACED} ; agw:storeTls "on" .', "agw:storeTls must be"),
        (f'{PLACED} ; agw:storeTrustBundleFile "tls/ca.pem" .', "is used with TLS alone"),
        (f"{PLACED} ; agw:storeTls true ; agw:storeTrustBundleFile 5 .", "agw:storeTrustBundleFile must be"),
        (f'{PLACED} ; agw:storePasswordRef "hunter2" .', "A password never stands"),
        ('ex:service agw:storeAddress "redis:1" .', "belong to an agw:RedisStore"),
    ),
]
