"""What is looked at before a query text reaches a parser: length, nesting, size, and what it may not ask for.

The parser behind it recurses natively and plans without a time limit: a few thousand brackets or some hundred
patterns are enough to crash or occupy it. The child process makes that harmless; this check makes it rare, and gives
a sentence instead of a broken query. It counts tokens, knows no grammar, and errs on the side of refusing.
"""

from __future__ import annotations

from dataclasses import dataclass

from api_gateway_service_mesh.errors import ClientError

from .tokens import Token, decode_escapes, line_and_column, tokens

__all__ = ["GuardLimits", "QueryRefused", "check_query", "check_text", "where_group"]

_OPENING = {"{", "(", "[", "<<", "{|"}
_CLOSING = {"}", ")", "]", ">>", "|}"}
_OPERATORS = {"||", "&&", "!", "=", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "|", "^"}
_OPERATOR_WORDS = {"UNION", "MINUS", "OPTIONAL", "BIND", "FILTER", "EXISTS", "GRAPH", "IN", "SELECT", "VALUES"}
_UPDATES = {"INSERT", "DELETE", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"}
_FORMS = {"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"}
_PREFIX_OPERATORS = {"!", "+", "-", "^"}
_COLLECTION = -1


class QueryRefused(ClientError):
    """A query that is not run. ``line`` and ``column`` point at what was refused, where there is such a place."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        problem: str = "query-refused",
        place: tuple[int, int] | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.problem = problem
        self.line: int | None = place[0] if place else None
        self.column: int | None = place[1] if place else None


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Bounds on one query text. ``patterns`` counts triple patterns in one group, ``all_patterns`` in the whole
    text."""

    bytes: int = 64 * 1024
    depth: int = 100
    operators: int = 500
    patterns: int = 64
    all_patterns: int = 256
    iri_characters: int = 2048


def check_query(text: str, limits: GuardLimits | None = None) -> None:
    """Return if `text` may be parsed; raise `QueryRefused` with a sentence if not.

    Both readings of ``\\u`` escapes are checked, because SPARQL decodes them before parsing and parsers differ in
    where."""
    limits = limits or GuardLimits()
    _check_characters(text, limits.bytes)
    _check_reading(text, limits)
    decoded = decode_escapes(text)
    if decoded != text:
        _check_reading(decoded, limits)


def check_text(text: str, size: int, limits: GuardLimits) -> None:
    """Return if a text of at most `size` bytes nests no deeper than `limits` allow, in both readings of its escapes;
    what it asks for is not looked at.

    Raises:
        QueryRefused: with a sentence.
    """
    _check_characters(text, size)
    for reading in {text, decode_escapes(text)}:
        counts = _Counts()
        for token in tokens(reading):
            mark = token.text if token.kind == "mark" else ""
            if token.kind == "iri":
                counts.hidden = max(counts.hidden, token.text.count("(") + token.text.count("!"))
                if len(token.text) > limits.iri_characters:
                    _too_much("an IRI", len(token.text), limits.iri_characters, "characters", token, reading)
            if mark in _PREFIX_OPERATORS or mark in _OPENING:
                counts.chain += 1
            elif not mark:
                counts.chain = 0
            if mark in _OPENING:
                counts.stack.append(None)
            elif mark in _CLOSING and counts.stack:
                counts.stack.pop()
            depth = len(counts.stack) + counts.hidden + (counts.chain if mark in _PREFIX_OPERATORS else 0)
            if depth > limits.depth:
                _too_much("nesting", depth, limits.depth, "levels", token, reading)


def _check_characters(text: str, size: int) -> None:
    found = len(text.encode("utf-8", "surrogatepass"))
    if found > size:
        raise QueryRefused(
            f"the text has {found} bytes; at most {size} are taken", problem="query-too-large", status=413
        )
    if any(0xD800 <= ord(character) < 0xE000 for character in text) or "\x00" in text:
        raise QueryRefused("the text holds a NUL or a lone surrogate, which no SPARQL text may")


def where_group(text: str) -> int:
    """The offset just after the ``{`` that opens a query's WHERE group (for named questions, which get a VALUES
    there)."""
    depth, form = 0, ""
    last = -1
    for token in tokens(text):
        if token.kind == "word" and depth == 0 and token.text.upper() in _FORMS:
            form = token.text.upper()
        elif token.text == "{" and token.kind == "mark":
            if depth == 0:
                last = token.start + 1
                if form != "CONSTRUCT":
                    return last
            depth += 1
        elif token.text == "}" and token.kind == "mark":
            depth -= 1
    return last


class _Counts:
    """Counters over one text. A stack entry is an open bracket: the pattern count of a group, `_COLLECTION` (each
    member becomes two patterns), or None where nothing is a pattern. ``values``: the next group is a VALUES block,
    data."""

    __slots__ = ("all_patterns", "chain", "hidden", "operators", "stack", "values")

    def __init__(self) -> None:
        self.stack: list[int | None] = []
        self.chain = self.hidden = self.operators = self.all_patterns = 0
        self.values = False


def _check_reading(text: str, limits: GuardLimits) -> None:
    counts = _Counts()
    before: Token | None = None
    ahead: Token | None = None
    declared: set[str] = set()
    kind_known = False
    for token in tokens(text):
        word = token.text.upper() if token.kind == "word" else ""
        if token.kind == "name" and _word(before) == "PREFIX":
            declared.add(token.text)
        _refuse_fetches(token, word, before, ahead, declared, text)
        if word and not kind_known and word not in ("PREFIX", "BASE", "VERSION"):
            kind_known = True
            if word in _UPDATES:
                raise QueryRefused(
                    f"this is a query operation; {word} is an update",
                    problem="update-refused",
                    place=line_and_column(text, token.start),
                    remedy="send it as update=… or as application/sparql-update",
                )
        _count(token, word, before, counts, text, limits)
        before, ahead = token, before


def _refuse_fetches(
    token: Token, word: str, before: Token | None, ahead: Token | None, declared: set[str], text: str
) -> None:
    # The parser takes keywords without a word boundary (`SERVICEex:service {`), so names that begin so count as well,
    # unless the text declares their prefix or they name a graph.
    glued = (
        token.text == "{"
        and before is not None
        and before.kind == "name"
        and before.text.upper().startswith("SERVICE")
        and before.text.partition(":")[0] + ":" not in declared
        and _word(ahead) not in ("GRAPH", "FROM", "NAMED")
    )
    if word.startswith("SERVICE") or glued or word == "LOAD":
        verb = "LOAD" if word == "LOAD" else "SERVICE"
        raise QueryRefused(
            f"{verb} is off: a query cannot leave the gateway's own dataset",
            status=403,
            problem="fetch-refused",
            place=line_and_column(text, token.start),
            remedy="ask the other endpoint itself, and join the answers on your side",
        )


def _count(token: Token, word: str, before: Token | None, counts: _Counts, text: str, limits: GuardLimits) -> None:
    mark = token.text if token.kind == "mark" else ""
    stack = counts.stack
    if token.kind == "iri":
        # `?a <((((1))))>?b` looks like an IRI and can be parsed as a comparison: what it may hide is counted as
        # nesting.
        counts.hidden += token.text.count("(") + token.text.count("!")
        if len(token.text) > limits.iri_characters:
            _too_much("an IRI", len(token.text), limits.iri_characters, "characters", token, text)
    if mark in _PREFIX_OPERATORS or mark in _OPENING:
        counts.chain += 1
    elif not mark:
        counts.chain = 0
    if word == "VALUES":
        counts.values = True
    if stack and stack[-1] == _COLLECTION and mark != ")":
        _patterns(2, counts, token, text, limits)
    if mark in _OPENING:
        stack.append(_opened(mark, word_before=_word(before), before=before, counts=counts))
        if mark in ("[", "<<", "{|") or stack[-1] == _COLLECTION:
            _patterns(1, counts, token, text, limits)
    elif mark in _CLOSING:
        if stack:
            stack.pop()
    elif mark in _OPERATORS or word in _OPERATOR_WORDS:
        counts.operators += 1
        if counts.operators > limits.operators:
            _too_much("operators", counts.operators, limits.operators, "", token, text)
    elif mark in (".", ";", ","):
        _patterns(1, counts, token, text, limits)
    depth = len(stack) + counts.hidden + (counts.chain if mark in _PREFIX_OPERATORS else 0)
    if depth > limits.depth:
        _too_much("nesting", depth, limits.depth, "levels", token, text)


def _word(token: Token | None) -> str:
    return token.text.upper() if token is not None and token.kind == "word" else ""


def _opened(mark: str, *, word_before: str, before: Token | None, counts: _Counts) -> int | None:
    """What a bracket opens: a group of patterns (1, its count), a collection, or nothing that holds patterns (None)."""
    outer = counts.stack[-1] if counts.stack else None
    if mark == "{":
        data, counts.values = counts.values, False
        return None if data else 1
    if mark != "(":
        return outer
    if outer is None or word_before not in ("", "A"):
        return None
    operator = before is not None and before.kind == "mark" and before.text in _OPERATORS
    return None if operator else _COLLECTION


def _patterns(count: int, counts: _Counts, token: Token, text: str, limits: GuardLimits) -> None:
    stack = counts.stack
    if not stack or stack[-1] is None:
        return
    counts.all_patterns += count
    for index in range(len(stack) - 1, -1, -1):
        here = stack[index]
        if here is not None and here != _COLLECTION:
            stack[index] = here + count
            if here + count > limits.patterns:
                _too_much("triple patterns in one group", here + count, limits.patterns, "", token, text)
            break
    if counts.all_patterns > limits.all_patterns:
        _too_much("triple patterns", counts.all_patterns, limits.all_patterns, "", token, text)


def _too_much(what: str, found: int, allowed: int, unit: str, token: Token, text: str) -> None:
    counted = f"{found} {unit}".strip()
    raise QueryRefused(
        f"the query is too big: {what} reached {counted}, at most {allowed} are taken",
        problem="query-too-complex",
        place=line_and_column(text, token.start),
        remedy="ask in several smaller queries",
    )
