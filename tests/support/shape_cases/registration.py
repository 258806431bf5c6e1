"""Where the gateway itself is to be found."""

from __future__ import annotations

from .case import Case, duration, integer, right, warned, wrong

CONSUL = 'ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://c:8500" .'
NAMED = (
    f"{CONSUL} ex:gateway agw:hasRegistration ex:entry . "
    'ex:entry a agw:Registration ; agw:registeredIn ex:consul ; agw:registeredName "edge"'
)

REGISTRATION: list[Case] = [
    *right(
        "Registration",
        f"{NAMED} .",
        f'{NAMED} ; agw:advertisedAddress "10.0.0.5" ; agw:registeredTag "eu" , "version=2" .',
        f'{NAMED} ; agw:advertisedAddress "2001:db8::1" .',
    ),
    *wrong(
        "Registration",
        ("ex:gateway agw:hasRegistration ex:service .", "must point to a Registration"),
        (f"ex:service agw:hasRegistration ex:entry . {NAMED} .", "nothing would be registered"),
        (
            f"{CONSUL} ex:gateway agw:hasRegistration ex:e . ex:e a agw:Registration ; agw:registeredIn ex:consul .",
            "under which name, or where",
        ),
        (
            'ex:gateway agw:hasRegistration ex:e . ex:e a agw:Registration ; agw:registeredName "edge" .',
            "under which name, or where",
        ),
        (
            "ex:gateway agw:hasRegistration ex:e . "
            'ex:e a agw:Registration ; agw:registeredName "edge" ; agw:registeredIn ex:service .',
            "must point to one ServiceRegistry",
        ),
        (f'{NAMED[:-6]}"ed ge" .', "agw:registeredName must be"),
        (f'{NAMED} ; agw:advertisedAddress "http://a" .', "agw:advertisedAddress must be"),
        (f'{NAMED} ; agw:registeredTag "a b" .', "agw:registeredTag must be"),
        ("ex:service agw:advertisedPort 80 .", "belong to an agw:Registration"),
    ),
    *integer("advertisedPort", NAMED, 1, 65535),
    *duration("heartbeatInterval", NAMED),
    *warned(
        "Registration",
        (
            f'{CONSUL} ex:e a agw:Registration ; agw:registeredIn ex:consul ; agw:registeredName "edge" .',
            "No gateway has this registration",
        ),
        ('ex:e agw:registrationState "LOST" .', "live state"),
        ('ex:e agw:registeredAs "a" .', "live state"),
        ('ex:e agw:registrationFault "a" .', "live state"),
    ),
]
