"""Service discovery: registries are followed, and what they tell becomes endpoints. Run by the control process.

A further registry is one file: a `Source`, named in `sources.source_of`.
"""

from .following import Discoveries
from .source import Instance, Instances, Source, SourceError
from .standing import DiscoveryState, Standing

__all__ = ["Discoveries", "DiscoveryState", "Instance", "Instances", "Source", "SourceError", "Standing"]
