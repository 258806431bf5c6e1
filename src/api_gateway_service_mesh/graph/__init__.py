"""From text to a validated graph: load, infer, validate.

Rules of this package:

- Each stage is a frozen object that holds the one before it: `SourceGraph` → `InferredGraph` → `ValidatedGraph`.
- Blank nodes end at the door: from `SourceGraph` on every node has an IRI.
- pyoxigraph parses and queries. rdflib, pyshacl and owlrl are reference engines and guests, never imported to serve.
- Nothing is fetched, and nothing here recurses as deep as its input nests.
- What a person reads is a `Finding`, made in one place (`graph.findings`), printed in another (`graph.report`).
"""

from .infer import InferredGraph, infer
from .source import SourceGraph
from .validate import ValidatedGraph, check, validate

__all__ = ["InferredGraph", "SourceGraph", "ValidatedGraph", "check", "infer", "validate"]
