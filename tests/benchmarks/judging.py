"""The corpus of hostile requests against any gateway: the same cases and the same judge for everybody.

A case is the engine's own (``tests/proxy/hostile_cases.py``); what is asked of a program here is what the RFCs ask:

- What must be refused is refused (a status of 400 or above, or a connection that is closed or left waiting), and nothing
  of it arrives at the backend as a whole request.
- What must pass arrives as it was meant: method, target, body, host; and it is answered.
- What is well-formed, and refused by the corpus as a matter of policy alone (dot segments, unknown methods, limits of
  agw's own, names with an underscore, odd hosts that RFC 3986 allows), may pass as well, in a form that nobody reads
  in two ways (`well_formed`).
- What a guide for the edge of a network would have refused or redirected, and agw passes on (names with an underscore, escaped
  slashes, https on a plain port, HTTP/1.0, a Connection that names a field of the gateway's own), may be answered so as
  well.
- Whatever comes, plain requests after it, on the same connection where it stays open and on another one, get their own
  answers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.proxy.hostile_cases import REQUESTS
from tests.proxy.hostile_request import RequestCase, Seen
from tests.support.strict_backend import Answer, SeenRequest, StrictBackend, read_answer

__all__ = ["Judge", "Judgement", "cases", "well_formed"]

_WAIT_SECONDS = 1.0
"""Who says nothing for so long waits for more of the request, or will never answer."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_ESCAPED = rb"%[0-9A-Fa-f]{2}"
_NAME = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|" + _ESCAPED + rb")*"
_AUTHORITY = rb"(?:\[[0-9A-Fa-f:.]+\]|" + _NAME + rb")(?::[0-9]*)?"
_PATH = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|" + _ESCAPED + rb")*"
_QUERY = rb"(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|" + _ESCAPED + rb")*)?"
_LINE = re.compile(
    rb"(" + _TOKEN + rb") (/" + _PATH + _QUERY + rb"|https?://[^/?#@]+(?:/" + _PATH + rb")?" + _QUERY + rb"|"
    rb"\*|" + _AUTHORITY + rb") HTTP/1\.[0-9]",
    re.IGNORECASE,
)
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)?)[ \t]*")
_HOST = re.compile(_AUTHORITY)
_LIST = re.compile(rb"[ \t,]*(?:" + _TOKEN + rb"[ \t]*(?:,[ \t,]*" + _TOKEN + rb"[ \t]*)*)?[ \t,]*")
_EXTENSION = rb"(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
_SIZE = re.compile(rb"([0-9A-Fa-f]+)" + _EXTENSION + rb"\r\n")
_LARGEST = 2**40
_MAY_BE_DECLINED = re.compile(
    rb"^[A-Z]+ (?:/[^ ]*%2f|https:|[^ ]+ HTTP/1\.0\r)|\r\n[^:\r\n]*_[^:\r\n]*:|\r\nConnection: (?:[^\r\n]{1000}|X-Forwarded-|Forwarded|Via)",
    re.IGNORECASE,
)
"""See the module's fourth rule."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One case, as one program dealt with it; `fault` says what was wrong, and is empty when nothing was."""

    group: str
    case: str
    fault: str = ""


def cases() -> Iterator[tuple[str, RequestCase]]:
    """Every case with its group."""
    for group, found in REQUESTS.items():
        for case in found:
            yield group, case


def well_formed(wire: bytes) -> bool:
    """Whether `wire` begins with a request that is right by RFC 9112 and RFC 9110, whatever a gateway's policy says of
    it: one that is framed in one way only."""
    head, ended, body = wire.partition(b"\r\n\r\n")
    line, *lines = head.removeprefix(b"\r\n").split(b"\r\n")
    found = _LINE.fullmatch(line)
    if not ended or found is None or (found[2] == b"*" and found[1] != b"OPTIONS"):
        return False
    if not found[2].startswith((b"/", b"*", b"http://", b"https://")) and found[1] != b"CONNECT":
        return False
    fields: dict[bytes, list[bytes]] = {}
    for one in lines:
        parts = _FIELD.fullmatch(one)
        if parts is None:
            return False
        fields.setdefault(parts[1].lower(), []).append(parts[2])
    hosts, lengths, codings = (fields.get(name, []) for name in (b"host", b"content-length", b"transfer-encoding"))
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None or len(lengths) + len(codings) > 1:
        return False
    if not all(_LIST.fullmatch(value) for value in fields.get(b"connection", [])):
        return False
    if codings:
        return codings[0].lower() == b"chunked" and line.endswith(b"1.1") and _chunks_are_right(body)
    return not lengths or (lengths[0].isdigit() and int(lengths[0]) <= len(body))


def _chunks_are_right(body: bytes) -> bool:
    while (line := _SIZE.match(body)) is not None:
        size = int(line[1], 16)
        if size > _LARGEST or (size and body[line.end() + size : line.end() + size + 2] != b"\r\n"):
            return False
        if not size:
            section, ended, _ = body[line.end() - 2 :].partition(b"\r\n\r\n")
            return bool(ended) and all(_FIELD.fullmatch(one) for one in section.split(b"\r\n")[1:])
        body = body[line.end() + size + 2 :]
    return False


def _head_fault(head: bytes) -> str | None:
    """What in a request that reached the backend could be read in two ways."""
    line, *lines = head[:-4].split(b"\r\n")
    if re.fullmatch(_TOKEN + rb" [\x21\x22\x24-\x7e]+ HTTP/1\.[01]", line) is None:
        return f"the backend got the line {line[:80]!r}"
    if re.search(rb"(?:^|/)\.{1,2}(?:/|$)", line.split(b" ")[1].partition(b"?")[0]):
        return f"the backend got the target {line[:80]!r}"
    fields: dict[bytes, list[bytes]] = {}
    for one in lines:
        parts = _FIELD.fullmatch(one)
        if parts is None:
            return f"the backend got the field {one[:80]!r}"
        fields.setdefault(parts[1].lower(), []).append(parts[2])
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if len(fields.get(b"host", [])) != 1 or _HOST.fullmatch(fields[b"host"][0]) is None:
        return f"the backend got Host {fields.get(b'host')}"
    if len(lengths) + len(codings) > 1 or not all(value.isdigit() for value in lengths):
        return f"the backend got Content-Length {lengths} and Transfer-Encoding {codings}"
    if any(value.lower() != b"chunked" for value in codings):
        return f"the backend got Transfer-Encoding {codings}"
    return None


@dataclass
class Judge:
    """Judges one program, which stands in front of `backend`."""

    backend: StrictBackend = field(default_factory=lambda: StrictBackend(head_fault=_head_fault))
    _canaries: int = 0

    async def judge(self, port: int, group: str, case: RequestCase) -> Judgement:
        """One case, and the canaries after it."""
        self.backend.requests.clear()
        self.backend.faults.clear()
        fault = await self._ask(port, case)
        if fault is None and self.backend.faults:
            fault = self.backend.faults[0]
        if fault is None:
            fault = await self._canary(port, None)
        return Judgement(group, case.name, fault or "")

    async def _ask(self, port: int, case: RequestCase) -> str | None:
        connection = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        reader, writer = connection
        try:
            writer.write(case.wire)
            may_pass = well_formed(case.wire)
            for expected in case.answers:
                method = expected.method if isinstance(expected, Seen) else "GET"
                answer, ended = await _answer(reader, method)
                if answer is not None and answer.status >= 300 and _MAY_BE_DECLINED.search(case.wire):
                    return self._arrived_fault(case)
                if isinstance(expected, Seen) and not case.either:
                    fault = self._passage_fault(answer, ended, expected, case)
                    if fault is not None:
                        return fault
                elif answer is None or answer.status >= 400:
                    # refused; what else was in the bytes must not have passed
                    return self._arrived_fault(case)
                elif not may_pass and not case.either:
                    return f"answered {answer.status}, should be refused; the backend saw {self._targets()}"
                if answer is None or answer.status == 101 or answer.fields.get(b"connection", b"").lower() == b"close":
                    return self._arrived_fault(case)
            return await self._canary(port, connection) or self._arrived_fault(case)
        except OSError:
            return self._arrived_fault(case)
        finally:
            writer.close()

    def _targets(self) -> list[str]:
        return [one.target for one in self.backend.requests if not one.target.startswith("/canary/")]

    def _arrived_fault(self, case: RequestCase) -> str | None:
        """Whether the backend saw what it should not have."""
        seen = self._targets()
        if "/smuggled" in seen and b"GET /smuggled" not in case.wire.split(b"\r\n", 1)[0]:
            return f"smuggled: the backend saw {seen}"
        wanted = sum(isinstance(one, Seen) for one in case.answers)
        allowed = len(case.answers) if case.either or well_formed(case.wire) else wanted
        if len(seen) > allowed:
            return f"should be refused; the backend saw {seen}"
        return None

    def _passage_fault(self, answer: Answer | None, ended: str, expected: Seen, case: RequestCase) -> str | None:
        if answer is None:
            return f"should pass: {ended}"
        if answer.status != 200:
            return f"should pass, answered {answer.status}"
        found = [one for one in self.backend.requests if one.method == expected.method and _same(one, expected)]
        if not found:
            return f"should pass, the backend saw {[(one.method, one.target) for one in self.backend.requests]}"
        seen = found[-1]
        if seen.body != expected.body:
            return f"should pass, the backend got {seen.body[:60]!r}"
        host = seen.values(b"host")[0].lower()
        if host not in (expected.host.lower(), _bare(expected.host.lower())):
            return f"should pass, the backend got Host {host!r}"
        if expected.method != "HEAD" and answer.body != f"{seen.method} {seen.target} {len(seen.body)}".encode():
            return f"should pass, answered {answer.body[:60]!r}"
        return None

    async def _canary(
        self, port: int, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None
    ) -> str | None:
        """What is wrong with a plain request's answer, on `connection` (which may have been closed) or a new one."""
        self._canaries += 1
        target = f"/canary/{self._canaries}"
        try:
            reader, writer = connection or await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {target} HTTP/1.1\r\nHost: canary.example\r\n\r\n".encode())
                answer, ended = await _answer(reader, "GET")
            finally:
                if connection is None:
                    writer.close()
        except OSError as gone:
            return None if connection is not None else f"canary: {gone}"
        if answer is None:
            return None if connection is not None and ended == "closed" else f"canary: {ended}"
        expected = f"GET {target} 0".encode()
        if connection is not None and answer.status >= 400:
            return None  # its answer to what was left over
        return None if answer.body == expected else f"poisoned: a plain request was answered {answer.body[:60]!r}"


def _same(one: SeenRequest, expected: Seen) -> bool:
    """A target as it was sent, or with its empty segments or needless escapes resolved."""
    if one.target == expected.target:
        return True
    return _plain(one.target) == _plain(expected.target)


def _plain(target: str) -> str:
    path, mark, query = target.partition("?")
    path = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), path)
    return re.sub("/+", "/", path) + (mark + query if query else "")


def _bare(host: bytes) -> bytes:
    return re.sub(rb":[0-9]+$", b"", host).removesuffix(b".")


async def _answer(reader: asyncio.StreamReader, method: str) -> tuple[Answer | None, str]:
    """The next answer; without one, why."""
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            answer = await read_answer(reader, method)
    except TimeoutError:
        return None, "no answer"
    except ValueError as fault:
        return None, str(fault)[:80]
    except OSError:
        return None, "closed"
    return answer, "closed" if answer is None else ""
