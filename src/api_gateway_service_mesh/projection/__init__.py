"""The compiler's front end: triples to rows (``queries/project``), rows to the typed model.

Rules of this package: `project` is the only road from triples to values; `assemble` asks the graph for places and never
for values. Nothing past this package knows RDF. A wrong value is a `Finding` with its place, never an exception of its
own, so that one report holds all of them.
"""

from .assemble import Assembly, assemble
from .project import project
from .rows import ProjectedRows, render_rows

__all__ = ["Assembly", "ProjectedRows", "assemble", "project", "render_rows"]
