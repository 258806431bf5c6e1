"""The dataset clause of a query (SPARQL 1.1, section 13.2), read from tokens."""

from __future__ import annotations

from .tokens import tokens

__all__ = ["dataset_clause"]

_FORMS = ("SELECT", "ASK", "CONSTRUCT", "DESCRIBE")


def dataset_clause(text: str) -> tuple[str, list[str], list[str]]:
    """The prologue of a query, and the graphs of its FROM and FROM NAMED as they are written there, each once.

    The clause stands before the first group; after it, where that group is the template of a CONSTRUCT."""
    end, form, depth, groups = 0, "", 0, 0
    graphs: dict[str, None] = {}
    named: dict[str, None] = {}
    before, ahead = "", ""
    for token in tokens(text):
        word = token.text.upper() if token.kind == "word" else ""
        if not form and word in _FORMS:
            form, end = word, token.start
        elif token.kind == "mark" and token.text in "{}":
            if token.text == "{" and depth == 0:
                groups += 1
                if groups > 1 or form != "CONSTRUCT":
                    break
            depth += 1 if token.text == "{" else -1
        elif depth == 0 and token.kind in ("iri", "name"):
            if before == "FROM":
                graphs[token.text] = None
            elif (ahead, before) == ("FROM", "NAMED"):
                named[token.text] = None
        ahead, before = before, word
    return text[:end], list(graphs), list(named)
