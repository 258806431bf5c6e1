"""Entity tags of answers whose bodies are changed: each is the backend's with a mark of the change, which is taken off
when a client shows it (RFC 9110 §8.8.3, §13.1). Tags without it are of other bodies than those that are given now."""

from __future__ import annotations

import re
from typing import Final

from .answer import AnswerHead, AnswerMarks

__all__ = ["TagMark"]

_MARKS: Final = AnswerMarks()
_TAG: Final = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
#: True of the backend's body alone: when it changed last says nothing of when the gateway's change to it did.
_GONE: Final = frozenset((b"accept-ranges", b"last-modified"))
_OF_A_304: Final = _GONE | {b"content-length", b"content-md5", b"content-digest", b"repr-digest", b"digest"}
_UNASKED: Final = frozenset((b"range", b"if-range", b"if-modified-since", b"accept-encoding"))


class TagMark:
    """The mark of one change. It stands at the end of a tag, before its quotation mark."""

    __slots__ = ("_end",)

    def __init__(self, mark: str) -> None:
        self._end = b'~%b"' % mark.encode("ascii")

    def asked(self, fields: bytes) -> bytes:
        """The lines of a request, as they are for the backend: conditions in its own tags, whole bodies, no coding."""
        lines = []
        for line in fields.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in _UNASKED:
                continue
            if name == b"if-none-match" and b"*" not in value:
                tags = self._own(value)
                if tags:
                    lines.append(b"If-None-Match: %b" % b", ".join(tags))
                continue
            if name == b"if-match":
                line = line.replace(self._end, b'"')  # what is of another body is for the backend to refuse
            lines.append(line)
        return b"\r\n".join([*lines, b"Accept-Encoding: identity", b""])

    def _own(self, value: bytes) -> list[bytes]:
        """Those of the tags that are of bodies as they are given now, as the backend knows them."""
        end = self._end
        return [tag[: -len(end)] + b'"' for tag in _TAG.findall(value) if tag.endswith(end)]

    def told(self, head: AnswerHead) -> AnswerHead:
        """The head of an answer with the mark in its tag."""
        gone = _OF_A_304 if head.status == 304 else _GONE
        lines = []
        for line in head.block.split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in gone:
                continue
            if name == b"etag":
                tag = value.strip(b" \t")
                if _TAG.fullmatch(tag) is not None:
                    line = b"ETag: " + tag[:-1] + self._end
            lines.append(line)
        made = AnswerHead(head.line, b"\r\n".join(lines), head.length, _MARKS)
        made.dated = head.dated
        return made
