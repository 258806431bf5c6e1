"""Who may change which statements."""

from __future__ import annotations

from .case import Case, right, wrong

GRANTED = 'ex:x a agw:ChangeRight ; agw:grantedTo "team"'

CHANGE_RIGHT: list[Case] = [
    *right(
        "ChangeRight",
        f"{GRANTED} .",
        f'{GRANTED} , "admin" ; agw:onSubject "http://example.org/*" ; agw:onClass agw:RateLimiter , ex:Class ;'
        " agw:onProperty agw:burstSize ; agw:mayGrant false .",
    ),
    *wrong(
        "ChangeRight",
        ("ex:x a agw:ChangeRight .", "agw:grantedTo must be"),
        ('ex:x a agw:ChangeRight ; agw:grantedTo "" .', "agw:grantedTo must be"),
        (f'{GRANTED} ; agw:onSubject "" .', "agw:onSubject must be"),
        (f'{GRANTED} ; agw:onClass "RateLimiter" .', "agw:onClass must be"),
        (f'{GRANTED} ; agw:onProperty "burstSize" .', "agw:onProperty must be"),
        (f'{GRANTED} ; agw:mayGrant "yes" .', "agw:mayGrant must be"),
        ('ex:service agw:grantedTo "team" .', "belong to an agw:ChangeRight"),
    ),
]
