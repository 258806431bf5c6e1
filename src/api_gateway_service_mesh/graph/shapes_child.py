"""The process that validates against shapes somebody sent, with pySHACL. It is meant to be killed.

Run by path with the path of the query child as its last argument, whose frames and bounds it uses: memory and processor
time are limited, and nothing can be opened, so that ``owl:imports``, SERVICE and FROM in a shape reach nothing.
``sh:js`` is off. A frame in: the data as N-Triples (``data`` bytes), then the shapes; a frame out: the report.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
from typing import Any

__all__ = ["main", "validated"]

_WARM = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <urn:x:> .
ex:s a sh:NodeShape ; sh:targetNode ex:a ; sh:property [ sh:path ex:p ; sh:minCount 1 ; sh:pattern "x" ] ;
  sh:sparql [ a sh:SPARQLConstraint ; sh:select "SELECT $this WHERE { $this <urn:x:q> ?o FILTER(?o > 1) }" ] ."""


def validated(data: bytes, shapes: bytes) -> bytes:
    """The ``sh:ValidationReport`` about `data` (N-Triples) as N-Triples; `shapes` are Turtle."""
    import pyshacl
    from rdflib import Graph

    _, report, _ = pyshacl.validate(
        Graph().parse(data=data, format="nt"),
        shacl_graph=Graph().parse(data=shapes, format="turtle"),
        inference="none",
        advanced=False,
        js=False,
        meta_shacl=False,
        do_owl_imports=False,
        inplace=True,
    )
    text: bytes = report.serialize(format="nt", encoding="utf-8")
    return text


def main() -> None:
    """``shapes_child.py FD PARENT CHILD``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec = importlib.util.spec_from_file_location("agw_child", sys.argv[3])
    assert spec is not None and spec.loader is not None
    child: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(child)
    channel = socket.socket(fileno=int(sys.argv[1]))
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    # Whatever is loaded lazily is loaded now: nothing can be imported once the descriptors are gone.
    validated(b"<urn:x:a> <urn:x:q> <urn:x:b> .\n", _WARM.encode())
    child.harden(int(sys.argv[2]), 15)
    child.send(channel, {"status": "ready"}, b"")
    while (frame := child.receive(channel)) is not None:
        head, body = frame
        child.bound(head, statm)
        try:
            answer = {"status": "ok"}, validated(body[: head["data"]], body[head["data"] :])
        except Exception as error:
            answer = {"status": "refused", "message": f"{type(error).__name__}: {error}"[:500]}, b""
        child.send(channel, *answer)


if __name__ == "__main__":
    main()
