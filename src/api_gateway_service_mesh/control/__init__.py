"""The control process: source → build → swap, workers, live SPARQL, the admin port.

This file imports nothing: workers and the SPARQL child live below it and must start without any RDF library.
"""
