"""The Python API: a gateway as an object, its configuration as triples.

Rules of this package: what `ApiGateway.add_route` writes is triples like any others, validated and compiled like any
others; there is no second road into the model. A refused change leaves the gateway as it was.
"""

from .answer import Answer, Row
from .api import ApiGateway
from .config import CircuitBreakerConfig, RetryConfig, RouteConfig, ServiceMeshConfig
from .explained import Explained, LocatedCitation
from .serving import Address

__all__ = [
    "Address",
    "Answer",
    "ApiGateway",
    "CircuitBreakerConfig",
    "Explained",
    "LocatedCitation",
    "RetryConfig",
    "RouteConfig",
    "Row",
    "ServiceMeshConfig",
]
