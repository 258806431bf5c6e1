"""What a syntax error most likely is, said so that a person can mend it.

The parser's own message says which token it stumbled over; the cause often stands before that token (a ``.`` that is
missing, a ``;`` that should be a ``.``), so the place reported is the cause's, where it can be told.
"""

from __future__ import annotations

import difflib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pyoxigraph import RdfFormat

from api_gateway_service_mesh.errors import Finding, Location

from .document import Document, location_at
from .secrets import masked_source
from .terms import WELL_KNOWN_PREFIXES

__all__ = ["syntax_findings"]

_POSITION = re.compile(
    r"^Parser error (?:at line \d+ (?:between columns \d+ and \d+|column \d+)|between line .*? column \d+): "
)
_UNDECLARED = re.compile(r"The prefix (?P<prefix>[^:]*): has not been declared")
_TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<term>"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
    r"|<[^>\s]*>|@[\w-]+|\^\^|[\w:.%@/+-]*[\w:%/-]|.)",
    re.DOTALL,
)


_WORD = re.compile(r"[^\s\"'<>;,.]{2,}")


def syntax_findings(document: Document, errors: Iterable[SyntaxError], declared: Mapping[str, str]) -> list[Finding]:
    """One finding for each undeclared prefix and one for the first other error (later ones are mostly its echo)."""
    findings: list[Finding] = []
    prefixes: set[str] = set()
    other = False
    for error in errors:
        message = _POSITION.sub("", str(error.args[0]))
        start = _offset(document.text, error.lineno or 1, error.offset or 1)
        undeclared = _UNDECLARED.search(message)
        if undeclared:
            prefix = undeclared["prefix"]
            if prefix not in prefixes and not other:
                prefixes.add(prefix)
                findings.append(_undeclared(document, start, error, prefix, declared))
        elif not other:
            other = True
            findings.append(_explain(document, start, error, message))
    return findings


def _undeclared(
    document: Document, start: int, error: SyntaxError, prefix: str, declared: Mapping[str, str]
) -> Finding:
    near = difflib.get_close_matches(prefix, list(declared), n=1, cutoff=0.5)
    namespace = WELL_KNOWN_PREFIXES.get(prefix, "https://example.com/")
    return _finding(
        document,
        start,
        length=max(1, (error.end_offset or 0) - (error.offset or 0)) if error.end_lineno == error.lineno else 1,
        message=f"the prefix {prefix}: is not declared",
        suggestion=f"{near[0]}:" if near and prefix not in WELL_KNOWN_PREFIXES else None,
        remedy=f"add at the top of the file: @prefix {prefix}: <{namespace}> .",
    )


def _explain(document: Document, start: int, error: SyntaxError, message: str) -> Finding:
    text = document.text
    first = text[start : start + 1]
    if document.format == RdfFormat.JSON_LD:
        remote = "LoadDocumentCallback" in message
        said = "the JSON-LD context is remote; agw fetches nothing while loading" if remote else message
        return _finding(document, start, message=said, remedy="write the context into the file" if remote else None)
    if message.startswith("Unexpected end of file") and first in ("'", '"', "<"):
        what = "IRI" if first == "<" else "string"
        return _finding(
            document,
            start,
            length=3 if text[start : start + 3] == first * 3 else 1,
            message=f"the {what} that begins here is not closed",
            remedy="close it with >"
            if what == "IRI"
            else f"close it with {first}; for text over several lines use three quotes",
        )
    if message.startswith("Unexpected end") or (start >= len(text.rstrip()) and "dot" in message):
        last = _code_before(text, len(text))[-1].end() if text.strip() else 0
        return _finding(
            document, last, message="the file ends inside a statement", remedy="end the last statement with '.'"
        )
    before = _code_before(text, start)
    previous = before[-1].end() if before else 0
    semicolon = _semicolon_for_dot(text, before, start, first)
    if semicolon:
        return _finding(
            document,
            semicolon.start(),
            message="';' says that the same subject goes on, but a new subject follows",
            remedy="end the statement with '.' instead of ';'",
        )
    if "dot is expected" in message:
        return _missing_end(document, start, previous)
    if "should end with a ']'" in message:
        opened = _last_open(text, start)
        place = location_at(document, start)
        return replace(
            _finding(document, opened, message="the '[' that opens here is not closed",
                     remedy=f"close it with ']' before line {place.line}, column {place.column}"),
            related=(place,),
        )  # fmt: skip
    if "Invalid IRI code point" in message:
        length = max(1, (error.end_offset or 0) - (error.offset or 0))
        return _finding(document, start, length=length, message=f"an IRI cannot have the character {message[-3:]}",
                        remedy="percent-encode it, or check that the IRI is closed with >")  # fmt: skip
    remedy = None
    found = re.match(r"(.*) is not a valid (subject or graph name|predicate|RDF object)", message, re.DOTALL)
    if found:
        what = found[2].removesuffix(" or graph name").removeprefix("RDF ")
        shown = found[1] if len(found[1]) < 40 and not found[1].startswith(('"', "'")) else "this"
        message = f"{shown} cannot be a{'n' if what == 'object' else ''} {what}"
        if found[1] in (".", ";", "]", ")", ","):
            message, remedy = f"a value is missing before '{found[1]}'", "write the value of the property"
        elif re.fullmatch(r"[\w./-]+", found[1]):
            remedy = f'write "{found[1]}" for a string, or prefix:{found[1]} for a name'
    return _finding(document, start, message=message, remedy=remedy)


def _semicolon_for_dot(text: str, before: list[re.Match[str]], start: int, first: str) -> re.Match[str] | None:
    """The ``;`` after which a new subject was read as a property: ``; ex:b a …`` stumbles over the ``a``,
    ``; ex:b ex:p "x"`` over the third term, which stands on the same line."""
    if first == "a" and len(before) > 1 and before[-2]["term"] == ";":
        return before[-2]
    whole = len(before) == 3 and before[0]["term"] == ";" and before[1]["term"] != "a"
    if whole and "\n" in text[before[0].end() : before[1].start()] and "\n" not in text[before[1].start() : start]:
        return before[0]
    return None


def _missing_end(document: Document, start: int, previous: int) -> Finding:
    """After a complete object something else than ``.`` ``;`` ``,`` follows: two terms before the next mark are a
    further property of the same subject, three are a new statement."""
    terms = 0
    for token in _TOKEN.finditer(document.text, start):
        if token["term"]:
            if token["term"] in (".", ";", ",", "[", "("):
                terms += token["term"] in "[("
                break
            terms += 1
            if terms > 3:
                break
    if terms == 2:
        remedy = "put ';' here if the same subject goes on, '.' if it ends"
        return _finding(document, previous, message="a ';' is missing here", remedy=remedy)
    remedy = "end the statement with '.' (or ';' before a further property, ',' before a further value)"
    return _finding(document, previous, message="a '.' is missing here", remedy=remedy)


def _finding(
    document: Document,
    offset: int,
    *,
    message: str,
    remedy: str | None = None,
    suggestion: str | None = None,
    length: int = 1,
) -> Finding:
    text = document.text
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text.count("\n", 0, start) + 1
    # A secret may begin on another line than its property.
    masked = masked_source(text)
    source = masked[start : end if end >= 0 else len(text)].rstrip("\r")
    word = _WORD.match(text, offset)
    if word and masked[word.start() : word.end()] != word.group():
        said = " ".join(filter(None, (message, remedy, suggestion)))
        if word.group() in said or word.group().partition(":")[0] in said:
            message, suggestion = "what stands here cannot be understood, and is not repeated: it may be a secret", None
            remedy = 'write where it is, in quotes: "file:PATH" or "env:NAME"'
    return Finding(
        "syntax",
        message,
        location=Location(document.name, line, offset - start + 1),
        suggestion=suggestion,
        remedy=remedy,
        details=(("source", source), ("span", str(length))),
    )


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        found = text.find("\n", start)
        if found < 0:
            break
        start = found + 1
    return min(start + column - 1, len(text))


def _code_before(text: str, before: int) -> list[re.Match[str]]:
    """The last three tokens that end at or before `before` (comments and white space skipped)."""
    return list(deque((token for token in _TOKEN.finditer(text, 0, before) if token["term"]), maxlen=3))


def _last_open(text: str, before: int) -> int:
    """The offset of the innermost ``[`` still open at `before`."""
    opened: list[int] = []
    for token in _TOKEN.finditer(text, 0, before):
        if token["term"] == "[":
            opened.append(token.start())
        elif token["term"] == "]" and opened:
            opened.pop()
    return opened[-1] if opened else before
