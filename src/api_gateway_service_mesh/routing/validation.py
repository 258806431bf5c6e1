"""Requests against the description of an API (``agw:RequestValidation``): pure, and the only judge there is.

What is found names the part of the request and what the description expects of it; what the request said is not
quoted, as it may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, unquote_plus

from api_gateway_service_mesh.model import Enforcement, RequestValidation, Route, UnknownParameters

from .decision import ExplainRequest
from .description import DescriptionError, Operation, read_description
from .parameter import Parameter, form_object
from .part import Part, cite
from .schema import SchemaError, Schemas
from .strict_json import StrictJsonError, read_json

__all__ = ["Checker", "Fault", "Verdict", "checker", "objection", "validation_part"]

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FAULTS: Final = 5
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Fault:
    """``place``: path, query, header, cookie, body, method or content-type. ``at``: the parameter's name, or a JSON
    pointer into the body."""

    place: str
    at: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a request: the status and kind of its refusal, what else the answer says, and the faults."""

    status: int
    problem: str
    faults: tuple[Fault, ...]
    allow: tuple[str, ...] = ()
    """The methods that the path is described with."""
    accepts: tuple[str, ...] = ()
    """The media types that the operation takes."""

    @property
    def detail(self) -> str:
        """The first fault in words."""
        first = self.faults[0]
        name = f"{first.place} {first.at}" if first.at else first.place
        return f"{name}: {first.detail}"


class Checker:
    """One policy, ready to judge.

    Raises:
        DescriptionError: the description cannot be used.
    """

    __slots__ = ("_config", "_description", "_named", "schemas")

    def __init__(self, config: RequestValidation) -> None:
        self._config = config
        self._description = read_description(config.description, config.base)
        self._named = frozenset(config.operations)
        try:
            self.schemas = Schemas(self._description.document, config.checks_formats)
        except SchemaError as error:
            raise DescriptionError(str(error)) from None

    @property
    def operations(self) -> list[Operation]:
        """Those that are open."""
        found = self._description.operations
        return [operation for operation in found if not self._named or operation.name in self._named]

    def check(self) -> None:
        """Make every schema ready that requests are held against.

        Raises:
            DescriptionError: one cannot be applied, or an operation is named that there is not.
        """
        missing = self._named - {operation.name for operation in self._description.operations}
        if missing:
            raise DescriptionError(f"it describes no operation {sorted(missing)[0]}")
        for operation in self.operations:
            pointers = [parameter.pointer for parameter in operation.parameters]
            pointers += [pointer for pointer in operation.types.values() if pointer is not None]
            for pointer in pointers:
                try:
                    self.schemas.ready(pointer)
                except SchemaError as error:
                    raise DescriptionError(f"{operation.method} {operation.template}: {error}") from None

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | Verdict:
        """The operation for a request, and what its path says for each name of the template."""
        found = self._description.find(path)
        if found is None:
            return Verdict(404, "undescribed-request", (Fault("path", "", "must be one that is described"),))
        operations, captured = found
        operation = operations.get(method)
        if operation is None and method == "HEAD":
            operation = operations.get("GET")
        if operation is not None and (not self._named or operation.name in self._named):
            return operation, captured
        allow = tuple(each.method for each in operations.values() if not self._named or each.name in self._named)
        said = f"must be {' or '.join(allow)}" if allow else "must be one that is described"
        return Verdict(405 if allow else 404, "undescribed-request", (Fault("method", "", said),), allow)

    def parameters(
        self, operation: Operation, captured: Mapping[str, str], query: str, fields: Mapping[str, str]
    ) -> Verdict | None:
        """What is wrong with the parameters: `captured` of the path, the query (without its mark), and the header
        fields by lower-case name; None when nothing is."""
        faults: list[Fault] = []
        try:
            asked = [_pair(part) for part in query.split("&") if part] if query else []
        except UnicodeDecodeError:
            return Verdict(400, "invalid-parameter", (Fault("query", "", "must be UTF-8, percent-encoded"),))
        cookies = [_cookie(part) for part in fields.get("cookie", "").split(";") if part.strip(" \t")]
        for parameter in operation.parameters:
            if len(faults) >= _MOST_FAULTS:
                break
            try:
                if parameter.place == "path":
                    sent = captured.get(parameter.name)
                    values = None if sent is None else parameter.read(unquote(sent, errors="strict"))
                elif parameter.place == "header":
                    text = fields.get(parameter.name)
                    values = None if text is None else parameter.read(text)
                else:
                    values = parameter.found(asked if parameter.place == "query" else cookies)
            except UnicodeDecodeError:
                faults.append(Fault(parameter.place, parameter.name, "must be UTF-8, percent-encoded"))
                continue
            except ValueError as error:
                faults.append(Fault(parameter.place, parameter.name, str(error)))
                continue
            if values is None:
                if parameter.required:
                    faults.append(Fault(parameter.place, parameter.name, "must be there"))
            elif values:
                faults += self._judged(parameter, values)
        if self._config.unknown is UnknownParameters.REFUSE and not faults:
            faults += _undescribed(operation, asked)
        return Verdict(400, "invalid-parameter", tuple(faults[:_MOST_FAULTS])) if faults else None

    def _judged(self, parameter: Parameter, values: list[object]) -> list[Fault]:
        if any(self.schemas.fits(parameter.pointer, value) for value in values):
            return []
        # Of several readings the last one is the text itself, the first what it was most likely meant to be.
        said = self.schemas.faults(parameter.pointer, values[0])
        return [Fault(parameter.place, parameter.name + at, detail) for at, detail in said[:1]]

    def type_of(self, operation: Operation, content_type: str | None, coded: bool, present: bool) -> str | Verdict:
        """The media type that the body is described by, "" where there is none and need be none. `coded`: the body has
        a content coding; `present`: there may be one at all."""
        if not present:
            if operation.body_required:
                return Verdict(400, "invalid-body", (Fault("body", "", "must be there"),))
            return ""
        if not operation.takes_body:
            return Verdict(415, "unsupported-media-type", (Fault("body", "", "must not be there"),))
        if coded:
            return Verdict(415, "unsupported-media-type", (Fault("content-encoding", "", "must not be there"),))
        kind = (content_type or "").partition(";")[0].strip(" \t").lower()
        for known in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
            if known in operation.types and (kind or known == "*/*"):
                return known
        types = tuple(operation.types)
        said = f"must be {' or '.join(types)}"
        return Verdict(415, "unsupported-media-type", (Fault("content-type", "", said),), accepts=types)

    def examined(self, operation: Operation, kind: str, content_type: str | None) -> bool:
        """Whether a body of this type is looked into."""
        return _is_json(content_type) or ((content_type or "").lower().startswith(_FORM) and kind in operation.shapes)

    def body(self, operation: Operation, kind: str, content_type: str | None, body: bytes) -> Verdict | None:
        """What is wrong with the body; None when nothing is."""
        if not body:
            if operation.body_required:
                return Verdict(400, "invalid-body", (Fault("body", "", "must be there"),))
            return None
        pointer = operation.types[kind]
        try:
            if _is_json(content_type):
                value = read_json(body, self._config.body_depth)
            else:
                pairs = [_pair(part) for part in body.decode("ascii").split("&") if part]
                value = form_object(pairs, operation.shapes[kind])
        except (StrictJsonError, UnicodeDecodeError) as error:
            said = f"must be JSON: {error}" if isinstance(error, StrictJsonError) else "must be percent-encoded UTF-8"
            return Verdict(400, "malformed-body", (Fault("body", "", said),))
        except ValueError as error:
            return Verdict(422, "invalid-body", (Fault("body", "", str(error)),))
        if pointer is None or self.schemas.fits(pointer, value):
            return None
        faults = tuple(Fault("body", at, detail) for at, detail in self.schemas.faults(pointer, value))
        return Verdict(422, "invalid-body", faults or (Fault("body", "", "must be as described"),))


def _is_json(content_type: str | None) -> bool:
    kind = (content_type or "").partition(";")[0].strip(" \t").lower()
    return kind == "application/json" or kind.endswith("+json")


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")


def _cookie(part: str) -> tuple[str, str]:
    name, _, value = part.strip(" \t").partition("=")
    return name, value


def _undescribed(operation: Operation, asked: list[tuple[str, str]]) -> list[Fault]:
    known: set[str] = set()
    deep: list[str] = []
    for parameter in operation.at("query"):
        if parameter.spread and not parameter.shape.members:
            return []
        known.update(parameter.names())
        if parameter.style == "deepObject":
            deep.append(f"{parameter.name}[")
    unknown = {name for name, _ in asked if name not in known and not name.startswith(tuple(deep))}
    return [Fault("query", name[:_LONGEST], "must not be there: it is not described") for name in sorted(unknown)]


@lru_cache(maxsize=64)
def checker(config: RequestValidation) -> Checker:
    """What judges by `config`; the same one for the same policy.

    Raises:
        DescriptionError: the description cannot be used.
    """
    return Checker(config)


def objection(validation: RequestValidation, request: ExplainRequest) -> Verdict | None:
    """Why a request is refused, as far as its head tells; None when it is not."""
    if validation.enforcement is Enforcement.AUDIT:
        return None
    made = checker(validation)
    found = made.find(request.method, request.path)
    return found if isinstance(found, Verdict) else made.parameters(*found, request.query, request.fields)


def validation_part(route: Route, validation: RequestValidation, request: ExplainRequest | None) -> Part:
    """What requests are held against, and which operation a request is for."""
    iri, standard = validation.iri, RequestValidation("")
    cited = [cite(route.iri, "hasRequestValidation", iri)]
    cited += [cite(iri, "describedOperation", name) for name in validation.operations]
    if validation.base is not None:
        cited.append(cite(iri, "descriptionBase", validation.base))
    if validation.unknown is not standard.unknown:
        cited.append(cite(iri, "unknownParameters", validation.unknown.value))
    if validation.checks_formats:
        cited.append(cite(iri, "checksFormats", "true"))
    if validation.body_bytes != standard.body_bytes:
        cited.append(cite(iri, "maximumBodyBytes", str(validation.body_bytes)))
    if validation.body_depth != standard.body_depth:
        cited.append(cite(iri, "maximumBodyDepth", str(validation.body_depth)))
    if validation.enforcement is Enforcement.AUDIT:
        cited.append(cite(iri, "enforcement", validation.enforcement.value))
    made = checker(validation)
    count = len(made.operations)
    text = f"{'reports' if validation.enforcement is Enforcement.AUDIT else 'refuses'} what {count} described "
    text += "operation does not take" if count == 1 else "operations do not take"
    if request is not None:
        found = made.find(request.method, request.path)
        text += f"; this request: {found.detail if isinstance(found, Verdict) else _asked(made, *found, request)}"
    return Part("request validation", iri, text, tuple(cited))


def _asked(made: Checker, operation: Operation, captured: dict[str, str], request: ExplainRequest) -> str:
    verdict = made.parameters(operation, captured, request.query, request.fields)
    return f"{operation.name}, {'its parameters fit' if verdict is None else verdict.detail}"
