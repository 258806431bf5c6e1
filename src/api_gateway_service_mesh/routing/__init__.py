"""Which route takes a request, and why.

`compile_table` turns the model into a `RoutingTable`; `RoutingTable.find` is the hot path; `explain` tells the same
decision with every predicate's verdict; `render_table` prints it. The order of routes is defined in one place,
`routing.precedence`. This package knows no RDF, no HTTP library and no clock.
"""

from .entry import RouteEntry
from .precedence import Precedence
from .table import RoutingTable, compile_table

__all__ = ["Precedence", "RouteEntry", "RoutingTable", "compile_table"]
