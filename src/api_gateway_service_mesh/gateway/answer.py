"""Answers to SPARQL, in Python's own values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, overload

from pyoxigraph import BlankNode, Literal, NamedNode, QueryBoolean, QuerySolutions, QueryTriples, Triple

from api_gateway_service_mesh.projection.reading import seconds_of
from api_gateway_service_mesh.vocabulary import XSD

if TYPE_CHECKING:
    from rdflib import Graph

__all__ = ["Answer", "Row", "python_value"]


class Row(tuple[Any, ...]):
    """One solution: a tuple, also by name: ``row.path``, ``row["path"]``, ``path, limit = row``. Unbound is None."""

    _variables: tuple[str, ...]

    def __new__(cls, variables: tuple[str, ...], values: Sequence[Any]) -> Self:
        row = super().__new__(cls, values)
        row._variables = variables
        return row

    @overload  # type: ignore[override]
    def __getitem__(self, key: int | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, str):
            try:
                return super().__getitem__(self._variables.index(key.removeprefix("?")))
            except ValueError:
                raise KeyError(key) from None
        return super().__getitem__(key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the query projects no ?{name}, only {', '.join(self._variables)}") from None

    def asdict(self) -> Mapping[str, Any]:
        """The solution by variable."""
        return dict(zip(self._variables, self, strict=True))

    def __repr__(self) -> str:
        return "Row(" + ", ".join(f"{name}={value!r}" for name, value in self.asdict().items()) + ")"


class Answer(Sequence[Row]):
    """What a query answered.

    A SELECT is a sequence of `Row`; an ASK is true or false (``bool(answer)``); CONSTRUCT and DESCRIBE have ``graph``.
    IRIs are `str`, literals Python's own values where their datatype has one (int, Decimal, float, bool, datetime,
    timedelta), else their text.
    """

    def __init__(self, result: QuerySolutions | QueryBoolean | QueryTriples) -> None:
        self.variables: tuple[str, ...] = ()
        self.graph: Graph | None = None
        self._rows: list[Row] = []
        self._verdict: bool | None = None
        if isinstance(result, QueryBoolean):
            self._verdict = bool(result)
        elif isinstance(result, QuerySolutions):
            self.variables = tuple(variable.value for variable in result.variables)
            self._rows = [Row(self.variables, [python_value(term) for term in solution]) for solution in result]
        else:
            from api_gateway_service_mesh.graph import SourceGraph

            self.graph = SourceGraph.of(result).to_rdflib()

    def __bool__(self) -> bool:
        if self._verdict is not None:
            return self._verdict
        return bool(self._rows) if self.graph is None else len(self.graph) > 0

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        if self._verdict is not None:
            return f"<Answer {self._verdict}>"
        if self.graph is not None:
            return f"<Answer graph of {len(self.graph)} triples>"
        return f"<Answer {len(self._rows)} rows of {', '.join(self.variables)}>"


def python_value(term: NamedNode | BlankNode | Literal | Triple | None) -> Any:
    """A term as a Python value; text where there is none, or where the literal is not what its datatype says."""
    if term is None:
        return None
    if not isinstance(term, Literal):
        return str(term) if isinstance(term, Triple) else term.value
    text, kind = term.value, term.datatype.value
    try:
        if kind in _INTEGERS:
            return int(text)
        if kind == XSD.decimal:
            return Decimal(text)
        if kind in (XSD.double, XSD.float):
            return float(text)
        if kind == XSD.boolean:
            return {"true": True, "1": True, "false": False, "0": False}.get(text, text)
        if kind == XSD.dateTime:
            return datetime.fromisoformat(text)
        if kind in (XSD.dayTimeDuration, XSD.duration):
            seconds = seconds_of(text)
            return text if seconds is None else timedelta(seconds=seconds)
    except (ValueError, ArithmeticError):
        return text
    return text


_INTEGERS = frozenset(
    {
        XSD.integer,
        XSD.int,
        XSD.long,
        XSD.short,
        XSD.byte,
        XSD.nonNegativeInteger,
        XSD.positiveInteger,
        XSD.unsignedByte,
        XSD.unsignedInt,
        XSD.unsignedLong,
        XSD.unsignedShort,
    }
)
