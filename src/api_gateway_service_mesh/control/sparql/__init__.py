"""The SPARQL query service: a guard before, a killable child process behind, the SPARQL 1.1 Protocol in front.

Rules of this package: a caller's query text is parsed and evaluated only in the child process, never here. `guard`
looks at tokens and counts; `child` runs alone with pyoxigraph; `service` starts, feeds, bounds and kills children;
`protocol` speaks HTTP. This file imports nothing, so that a child starts in a few milliseconds.
"""
