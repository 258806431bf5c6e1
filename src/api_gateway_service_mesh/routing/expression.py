"""JMESPath on bodies: one expression of the configuration, and a document that a stranger may have made.

A step is one look at one value, and what is copied or compared costs steps by its size: an evaluation has so many, and
what comes out may be no larger than a body may be. How deep it goes, the expression decides, which is bounded when it
is read. Source: https://jmespath.org/specification.html. The library is jmespath, an extra:
`pip install api-gateway-service-mesh[transformation]`.
"""

from __future__ import annotations

import json
from typing import Any, Final

jmespath: Any = None
_Interpreter: Any = object
try:
    import jmespath as _jmespath
    from jmespath.functions import Functions as _Functions
    from jmespath.visitor import TreeInterpreter as _TreeInterpreter

    jmespath = _jmespath
    _Interpreter = _TreeInterpreter
except ImportError:  # the extra is not installed
    pass

__all__ = ["STEPS", "Expression", "ExpressionError", "expression_error", "installed", "weight", "written"]

STEPS: Final = 250_000
"""So many steps an evaluation may take: about half a second of one core."""

_LONGEST: Final = 4096
_DEEPEST: Final = 50


class ExpressionError(ValueError):
    """The expression cannot be read, or makes nothing of a document; the sentence says why, and quotes no document."""


def installed() -> bool:
    """Whether the library is here."""
    return jmespath is not None


def expression_error(text: str) -> str | None:
    """What is wrong with an expression; None when nothing is."""
    try:
        Expression(text)
    except ExpressionError as error:
        return str(error)
    return None


class Expression:
    """A JMESPath expression, ready to be applied.

    Raises:
        ExpressionError: it is none, is over 4096 characters or 50 levels, or calls what there is not.
    """

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ExpressionError(f"it has more than {_LONGEST} characters")
        try:
            self._tree: Any = jmespath.compile(text).parsed
        except RecursionError:
            raise ExpressionError("it is nested too deeply") from None
        except ValueError as error:
            raise ExpressionError(" ".join(str(error).split())) from None
        _check(self._tree)

    def apply(self, document: Any, most: int) -> Any:
        """What the expression makes of `document`; at most about `most` bytes of JSON.

        Raises:
            ExpressionError: it makes nothing of it, or too much.
        """
        try:
            made = _Bounded(STEPS).visit(self._tree, document)
        except ExpressionError:
            raise
        except (ValueError, TypeError, ArithmeticError, AttributeError, KeyError, RecursionError) as error:
            function = getattr(error, "function_name", None)
            place = "" if function is None else f" in {function}()"
            raise ExpressionError(f"the document has not the types that the expression takes{place}") from None
        if weight(made, most) > most:
            raise ExpressionError(f"the result has more than {most} bytes")
        return made


def _check(tree: Any) -> None:
    """Depth, and calls: names and numbers of arguments, which the library looks at only when it evaluates."""
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ExpressionError(f"it has more than {_DEEPEST} levels")
        if node["type"] == "function_expression":
            _check_call(node)
        elif node["type"] == "expref" and depth == 1:
            raise ExpressionError("an expression reference (&) is for functions alone")
        inner = [child for child in node["children"] if isinstance(child, dict)]
        if node["type"] != "function_expression" and any(child["type"] == "expref" for child in inner):
            raise ExpressionError("an expression reference (&) is for functions alone")
        waiting += [(child, depth + 1) for child in inner]


def _check_call(node: Any) -> None:
    name, given = node["value"], len(node["children"])
    known = _Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ExpressionError(f"there is no function {name}()")
    takes = known["signature"]
    if takes and takes[-1].get("variadic"):
        if given < len(takes):
            raise ExpressionError(f"{name}() takes {len(takes)} arguments or more, not {given}")
    elif given != len(takes):
        raise ExpressionError(f"{name}() takes {len(takes)} arguments, not {given}")


class _Bounded(_Interpreter):  # type: ignore[misc]
    """Evaluates, and counts what that costs."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def _cost(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise ExpressionError(f"it takes more than {STEPS} steps")

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """One step."""
        self._left -= 1
        if self._left < 0:
            raise ExpressionError(f"it takes more than {STEPS} steps")
        return super().visit(node, *args, **kwargs)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """Costs what it copies, before it copies it."""
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._cost(sum([len(one) if isinstance(one, list) else 1 for one in base]))
        merged: list[Any] = []
        for one in base:
            if isinstance(one, list):
                merged += one
            else:
                merged.append(one)
        return merged

    def visit_slice(self, node: Any, value: Any) -> Any:
        """Costs what it copies."""
        if isinstance(value, list):
            self._cost(len(value))
        return super().visit_slice(node, value)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """Costs what it compares, where that is more than a step."""
        left, right = (self.visit(child, value) for child in node["children"])
        if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
            self._cost(weight(left, self._left))
        plain = [{"type": "literal", "value": one, "children": []} for one in (left, right)]
        return super().visit_comparator({**node, "children": plain}, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        """Costs what it is given: of texts and lists their length, of what is searched or written as text all."""
        given = [self.visit(child, value) for child in node["children"]]
        deep = node["value"] in ("to_string", "join", "contains")
        for one in given:
            if deep:
                self._cost(weight(one, self._left))
            elif isinstance(one, (list, dict)):
                self._cost(len(one))
        return self._functions.call_function(node["value"], given)


def weight(value: Any, most: int) -> int:
    """How many bytes `value` has as JSON, at least; no more than needed to see that it is over `most`."""
    size, waiting = 0, [value]
    while waiting and size <= most:
        one = waiting.pop()
        size += 1
        if isinstance(one, str):
            size += len(one)
        elif isinstance(one, list):
            if len(one) + size > most:
                return size + len(one)
            waiting += one
        elif isinstance(one, dict):
            if len(one) + size > most:
                return size + len(one)
            size += sum(map(len, one))
            waiting += one.values()
    return size


def written(value: Any) -> bytes:
    """`value` as JSON.

    Raises:
        ExpressionError: it is none (a number that is no number).
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except (ValueError, TypeError):
        raise ExpressionError("the result is no JSON") from None
