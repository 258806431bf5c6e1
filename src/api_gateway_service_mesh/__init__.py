"""agw: a gateway whose configuration is a knowledge graph."""
