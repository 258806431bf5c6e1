"""Which answers are compressed."""

from __future__ import annotations

from .case import Case, right, wrong

NAMED = "ex:route agw:hasCompression ex:small . ex:small a agw:Compression"

COMPRESSION: list[Case] = [
    *right(
        "Compression",
        f"{NAMED} .",
        f'{NAMED} ; agw:offersCoding "gzip" , "br" , "zstd" ; agw:minimumBytes 1 ; agw:compressionEffort "SMALL" .',
        f'{NAMED} ; agw:compressesType "text/*" , "application/json" , "application/*+xml" , "image/svg+xml" .',
        "ex:gateway agw:hasCompression [ a agw:Compression ] .",
    ),
    *wrong(
        "Compression",
        ("ex:route agw:hasCompression ex:service .", "must point to a Compression"),
        (f"{NAMED} . ex:route agw:hasCompression [ a agw:Compression ] .", "compressed in one way"),
        (f"ex:service agw:hasCompression ex:small . {NAMED} .", "no answer would be compressed"),
        (f'{NAMED} ; agw:offersCoding "deflate" .', "agw:offersCoding must be"),
        (f'{NAMED} ; agw:compressesType "application/json; charset=utf-8" .', "agw:compressesType must be"),
        (f'{NAMED} ; agw:compressesType "Text/Html" .', "agw:compressesType must be"),
        (f'{NAMED} ; agw:compressesType "*/*" .', "agw:compressesType must be"),
        (f'{NAMED} ; agw:compressesType "text/event-stream" .', "small already, or a stream"),
        (f'{NAMED} ; agw:compressesType "image/png" .', "small already, or a stream"),
        (f"{NAMED} ; agw:minimumBytes 0 .", "agw:minimumBytes must be"),
        (f'{NAMED} ; agw:minimumBytes "1 kB" .', "agw:minimumBytes must be"),
        (f'{NAMED} ; agw:compressionEffort "MAXIMUM" .', "agw:compressionEffort must be"),
        ('ex:service agw:offersCoding "gzip" .', "belong to an agw:Compression"),
    ),
]
