"""Which route takes a request, and why.

`compile_table` turns the model into a `RoutingTable`; `RoutingTable.find` is the hot path; `explain` tells the same
decision with every predicate's verdict and the triples behind it; `render_table` prints it. The order of routes is
defined in one place, `routing.precedence`. This package knows no RDF, no HTTP library and no clock.
"""

from .condition import ValueTest
from .effect import Citation, Part
from .entry import RouteEntry
from .explain import Candidate, ExplainRequest, Explanation, explain
from .host import ANY_HOST, HostKey, host_text
from .index import HostGroup, Leaf
from .path import ANY_SEGMENT, PathPattern
from .precedence import MethodRank, Precedence
from .redirect import Locate, locator
from .render import explanation_json, locate_citation, render_explanation, render_table, table_rows
from .rewrite import PathChange, normal_path, path_change
from .stated import States, as_stated
from .table import RoutingTable, compile_table, recompile_table

__all__ = [
    "ANY_HOST",
    "ANY_SEGMENT",
    "Candidate",
    "Citation",
    "ExplainRequest",
    "Explanation",
    "HostGroup",
    "HostKey",
    "Leaf",
    "Locate",
    "MethodRank",
    "Part",
    "PathChange",
    "PathPattern",
    "Precedence",
    "RouteEntry",
    "RoutingTable",
    "States",
    "ValueTest",
    "as_stated",
    "compile_table",
    "explain",
    "explanation_json",
    "host_text",
    "locate_citation",
    "locator",
    "normal_path",
    "path_change",
    "recompile_table",
    "render_explanation",
    "render_table",
    "table_rows",
]
