"""One source text, where it came from, and the ways of not being able to read it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pyoxigraph import RdfFormat

from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Severity

from .nesting import MAX_BYTES

__all__ = ["Document", "location_at", "read_document", "text_document"]

_FORMATS = {
    ".ttl": RdfFormat.TURTLE,
    ".turtle": RdfFormat.TURTLE,
    ".nt": RdfFormat.N_TRIPLES,
    ".nq": RdfFormat.N_QUADS,
    ".trig": RdfFormat.TRIG,
    ".jsonld": RdfFormat.JSON_LD,
}
_XML = (".rdf", ".owl", ".xml")
_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A text to parse. ``name`` is what reports call it; ``folder`` is what relative certificate paths are taken from;
    ``base`` is the base IRI until the text declares its own (the file's own ``file:`` IRI)."""

    name: str
    text: str = field(repr=False)
    format: RdfFormat = RdfFormat.TURTLE
    folder: Path | None = None
    base: str = "file:///text"
    findings: tuple[Finding, ...] = ()

    @property
    def has_positions(self) -> bool:
        """True for the formats whose triples can be traced to a line (Turtle and N-Triples)."""
        return self.format in (RdfFormat.TURTLE, RdfFormat.N_TRIPLES)


def text_document(text: str, name: str = "<text>", base_dir: Path | None = None) -> Document:
    """A Turtle text that is not a file; `base_dir` is the folder for its relative certificate paths."""
    base = "file:///" + quote(name.strip("<>"))
    return Document(name, text.removeprefix("\ufeff"), folder=base_dir.resolve() if base_dir else None, base=base)


def location_at(document: Document, offset: int) -> Location:
    """The line and column of a character of the text."""
    start = document.text.rfind("\n", 0, offset) + 1
    return Location(document.name, document.text.count("\n", 0, offset) + 1, offset - start + 1)


def read_document(source: str | Path) -> Document:
    """Read one file; the format is told by its extension.

    Raises:
        ConfigError: missing, a folder, unreadable, empty, over 64 MiB, not UTF-8, or of a format agw does not read.
    """
    path, name = Path(source), str(source)
    kind = _FORMATS.get(path.suffix.lower())
    if path.suffix.lower() in _XML:
        raise _refused(name, "unsupported-format", f"{name} is RDF/XML, which agw does not read",
                       "convert it to Turtle (.ttl), for example with `riot --output=turtle`")  # fmt: skip
    if path.is_dir():
        raise _refused(
            name, "not-a-file", f"{name} is a folder, not a file", f"name the files in it, for example {path / '*.ttl'}"
        )
    if kind is None:
        known = ", ".join(_FORMATS)
        raise _refused(name, "unsupported-format", f"{name}: extension {path.suffix or '(none)'} says no RDF format",
                       f"name the file with one of {known}")  # fmt: skip
    data, findings = _bytes(path, name), []
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        findings.append(
            Finding(
                "byte-order-mark",
                f"{name} begins with a byte order mark; it was skipped",
                Severity.INFO,
                Location(name, 1, 1),
                remedy="save the file as UTF-8 without BOM: other RDF tools refuse it",
            )
        )
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            raise _refused(name, "not-utf-8", f"{name} is {encoding}, not UTF-8", "save the file as UTF-8")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        message = f"{name} is not UTF-8: byte 0x{data[error.start]:02x} here starts no character"
        raise _refused(name, "not-utf-8", message, "save the file as UTF-8", Location(name, line, column)) from None
    if not text.strip():
        raise _refused(name, "empty", f"{name} is empty", "write at least one route, or run `agw init` for a first one")
    resolved = path.resolve()
    return Document(name, text, kind, resolved.parent, resolved.as_uri(), tuple(findings))


def _bytes(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        siblings = sorted(p.name for p in path.parent.glob("*") if p.suffix in _FORMATS) if path.parent.is_dir() else []
        there = f"in {path.parent} there are: {', '.join(siblings[:8])}" if siblings else "check the path"
        raise _refused(name, "missing-file", f"{name} does not exist", there) from None
    except OSError as error:
        raise _refused(
            name, "unreadable", f"{name} cannot be read: {error.strerror}", "check its permissions"
        ) from None
    if len(data) > MAX_BYTES:
        raise _refused(
            name,
            "too-large",
            f"{name} is larger than {MAX_BYTES // 2**20} MiB",
            "split the configuration into several files",
        )
    return data


def _refused(name: str, code: str, message: str, remedy: str, place: Location | None = None) -> ConfigError:
    return ConfigError(Finding(code, message, location=place or Location(name, 1, 1), remedy=remedy))
