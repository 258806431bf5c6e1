"""What requests are held against (``agw:RequestValidation``): the description is read here, and judged whole, so that a
worker gets one that it can use."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph.plain import List, Map, Value, documents
from api_gateway_service_mesh.model import Enforcement, RequestValidation, UnknownParameters
from api_gateway_service_mesh.routing.description import DescriptionError
from api_gateway_service_mesh.routing.schema import installed
from api_gateway_service_mesh.routing.validation import checker
from api_gateway_service_mesh.vocabulary import AGW

from .file import named_file
from .reading import Reading, name_of

__all__ = ["ValidationOperationRow", "ValidationRow", "description_text", "request_validations"]

_MOST_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """``validation.rq``."""

    route: str
    validation: str
    file: str | None
    base: str | None
    unknown: str | None
    formats: str | None
    body_bytes: str | None
    body_depth: str | None
    enforcement: str | None


@dataclass(frozen=True, slots=True)
class ValidationOperationRow:
    """``validation_operation.rq``."""

    validation: str
    operation: str


def request_validations(
    rows: Iterable[ValidationRow], operations: Iterable[ValidationOperationRow], reading: Reading
) -> Mapping[str, RequestValidation]:
    """What each route's requests are held against, by route IRI."""
    named: dict[str, list[str]] = defaultdict(list)
    for row in operations:
        named[row.validation].append(row.operation)
    made: dict[str, RequestValidation] = {}
    found: dict[str, RequestValidation] = {}
    for stated in rows:
        iri = stated.validation
        if stated.route in found:
            continue
        if iri not in made:
            made[iri] = _validation(stated, tuple(sorted(named.get(iri, ()))), reading)
        found[stated.route] = made[iri]
    return found


def _validation(row: ValidationRow, named: tuple[str, ...], reading: Reading) -> RequestValidation:
    iri, standard = row.validation, RequestValidation(row.validation)
    file, text = "", standard.description
    before = len(reading.findings)
    if row.file is not None:
        file = named_file(iri, AGW.descriptionFile, row.file, reading, code="description-file")
    readable = row.file is not None and len(reading.findings) == before
    if readable:
        try:
            text = description_text(file)
        except (ConfigError, DescriptionError) as error:
            readable = False
            _wrong(iri, row.file, str(error), reading)
    validation = RequestValidation(
        iri,
        file,
        text,
        row.base,
        named,
        reading.choice(iri, AGW.unknownParameters, row.unknown, UnknownParameters, standard.unknown),
        reading.boolean(iri, AGW.checksFormats, row.formats),
        reading.integer(iri, AGW.maximumBodyBytes, row.body_bytes, standard.body_bytes),
        reading.integer(iri, AGW.maximumBodyDepth, row.body_depth, standard.body_depth),
        reading.choice(iri, AGW.enforcement, row.enforcement, Enforcement, standard.enforcement),
    )
    if readable and not installed():
        reading.note(
            "library-missing",
            f"{name_of(iri)}: requests cannot be held against a description without the library for it",
            iri,
            remedy="pip install 'api-gateway-service-mesh[validation]'",
        )
    elif readable:
        try:
            checker(validation).check()
        except DescriptionError as error:
            _wrong(iri, row.file, str(error), reading)
    return validation


def _wrong(iri: str, file: str | None, message: str, reading: Reading) -> None:
    reading.note(
        "description",
        f"{name_of(iri)}: requests cannot be held against {file}: {message}",
        iri,
        AGW.descriptionFile,
        file,
        remedy="correct the description, or bundle it into one file of OpenAPI 3.0 or 3.1",
    )


def description_text(file: str) -> str:
    """What the description in `file` says, as JSON.

    Raises:
        ConfigError: it is neither YAML nor JSON, or beyond the bounds.
        DescriptionError: it cannot be read, or is not one document.
    """
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DescriptionError(f"it cannot be read: {reason}") from None
    if len(data) > _MOST_BYTES:
        raise DescriptionError(f"it has more than {_MOST_BYTES >> 20} MiB")
    found = documents(Path(file).name, text)
    if len(found) != 1:
        raise DescriptionError(f"it holds {len(found)} documents, not one")
    return json.dumps(_plain(found[0]), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Value) -> Any:
    if isinstance(value, Map):
        return {name: _plain(held) for name, held in value.values.items()}
    return [_plain(held) for held in value.values] if isinstance(value, List) else value
