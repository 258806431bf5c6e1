"""Versions of an API, and how they are withdrawn."""

from __future__ import annotations

from .case import Case, right, wrong

IN = 'ex:route agw:inVersion ex:v1 . ex:v1 a agw:ApiVersion ; agw:versionName "1"'
BY = f"{IN} ; agw:hasVersioningStrategy ex:how . ex:how a agw:VersioningStrategy"
OUT = "ex:route agw:hasDeprecationPolicy ex:out . ex:out a agw:DeprecationPolicy"
FROM = '"2027-01-01T00:00:00Z"^^xsd:dateTime'
UNTIL = '"2027-06-30T23:59:59+02:00"^^xsd:dateTime'

VERSION: list[Case] = [
    *right(
        "ApiVersion",
        f"{IN} .",
        "ex:v a agw:ApiVersion . ex:s a agw:VersioningStrategy . ex:d a agw:DeprecationPolicy . ex:b a agw:BackwardCompatibility .",
        f'{BY} ; agw:versionedBy "HEADER" .',
        f'{BY} ; agw:versionedBy "QUERY" ; agw:versionField "v" . ex:v1 agw:isDefaultVersion true .',
        f'{BY} ; agw:versionedBy "MEDIA_TYPE" ; agw:versionMediaType "application/vnd.shop.v{{version}}+json" .',
        f'{BY} ; agw:versionedBy "MEDIA_TYPE" ; agw:versionMediaType "application/json; version={{version}}" .',
        'ex:r a agw:Route ; agw:routePath "/v1/x" ; agw:hasBackendService ex:service ; agw:inVersion ex:v1 . '
        'ex:v1 a agw:ApiVersion ; agw:versionName "1" ; agw:versionSegment "v1" ; agw:hasVersioningStrategy ex:how . '
        'ex:how a agw:VersioningStrategy ; agw:versionedBy "PATH" .',
        f"ex:gateway agw:inVersion ex:v1 . {IN} .",
        f'{OUT} ; agw:deprecatedAt {FROM} ; agw:sunsetAt {UNTIL} ; agw:afterSunset "REFUSE" .',
        f'{OUT} ; agw:successorLink "https://a.example/v2/x?y=[z]" ; agw:deprecationLink "/docs" .',
        f"{IN} ; agw:successorVersion ex:v2 ; agw:hasDeprecationPolicy [ a agw:DeprecationPolicy ] . ex:v2 a agw:ApiVersion .",
        f"{IN} ; agw:hasBackwardCompatibility [ a agw:BackwardCompatibility ; agw:compatibleWith ex:v0 ] . ex:v0 a agw:ApiVersion .",
    ),
    *wrong(
        "ApiVersion",
        ("ex:route agw:inVersion ex:service .", "must point to an ApiVersion"),
        (f'{IN} . ex:route agw:inVersion ex:v2 . ex:v2 a agw:ApiVersion ; agw:versionName "2" .', "is in one version"),
        (f"ex:service agw:inVersion ex:v1 . {IN} .", "nothing would be in that version"),
        ("ex:route agw:inVersion ex:v1 . ex:v1 a agw:ApiVersion .", "needs a name"),
        ("ex:route agw:inVersion ex:v1 . ex:v1 a agw:ApiVersion ; agw:versionName 1 .", "agw:versionName must be"),
        ('ex:route agw:inVersion ex:v1 . ex:v1 a agw:ApiVersion ; agw:versionName "a b" .', "agw:versionName must be"),
        (f'{IN} ; agw:versionSegment "v/1" .', "agw:versionSegment must be"),
        (f'{IN} ; agw:isDefaultVersion "yes" .', "agw:isDefaultVersion must be"),
        (f"{IN} ; agw:successorVersion ex:service .", "agw:successorVersion must point"),
        (f"{IN} ; agw:hasVersioningStrategy ex:service .", "agw:hasVersioningStrategy must point"),
        (f"{IN} ; agw:hasBackwardCompatibility ex:service .", "agw:hasBackwardCompatibility must point"),
        ('ex:service agw:versionName "1" .', "belong to an agw:ApiVersion"),
        (f'{BY} ; agw:versionedBy "COOKIE" .', "agw:versionedBy must be"),
        (f'{BY} ; agw:versionedBy "QUERY" ; agw:versionField "a b" .', "agw:versionField must be"),
        (f'{BY} ; agw:versionMediaType "application/json" .', "agw:versionMediaType must be"),
        (f'{BY} ; agw:versionedBy "MEDIA_TYPE" .', "by media type need one"),
        ('ex:service agw:versionedBy "PATH" .', "belongs to an agw:VersioningStrategy"),
        ("ex:route agw:hasDeprecationPolicy ex:service .", "agw:hasDeprecationPolicy must point"),
        (f"ex:service agw:hasDeprecationPolicy ex:out . {OUT} .", "nothing would be deprecated"),
        (f'{OUT} ; agw:deprecatedAt "2027-01-01T00:00:00"^^xsd:dateTime .', "agw:deprecatedAt must be"),
        (f'{OUT} ; agw:sunsetAt "2027-01-01" .', "agw:sunsetAt must be"),
        (f'{OUT} ; agw:sunsetAt {UNTIL} ; agw:afterSunset "GONE" .', "agw:afterSunset must be"),
        (f'{OUT} ; agw:successorLink "javascript:x" .', "agw:successorLink must be"),
        (f'{OUT} ; agw:deprecationLink "https://a.example/ <b>" .', "agw:deprecationLink must be"),
        (f'{OUT} ; agw:afterSunset "SERVE" .', "a moment that is not stated"),
        (f"ex:service agw:sunsetAt {UNTIL} .", "belong to an agw:DeprecationPolicy"),
        ("ex:service agw:compatibleWith ex:v1 . ex:v1 a agw:ApiVersion .", "nothing would be promised"),
        (
            f"{IN} ; agw:hasBackwardCompatibility [ a agw:BackwardCompatibility ; agw:compatibleWith ex:route ] .",
            "agw:compatibleWith must point",
        ),
    ),
]
