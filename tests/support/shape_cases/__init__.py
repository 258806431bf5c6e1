"""What the shapes accept and refuse, as small Turtle texts in pairs: one that is right, one that is wrong.

``violations`` and ``warnings`` of a `Case` are parts of the sentences that must be said, each once; a case that names
none must pass in silence.
"""

from __future__ import annotations

from .access_log import ACCESS_LOG
from .audit import AUDIT
from .authentication import AUTHENTICATION
from .authorities import AUTHORITIES
from .authorization import AUTHORIZATION
from .cache import CACHE
from .case import PREFIXES, Case
from .certificates import CERTIFICATES
from .change_right import CHANGE_RIGHT
from .client_credentials import CLIENT_CREDENTIALS
from .compression import COMPRESSION
from .cors import CORS
from .edge import EDGE
from .expectation import EXPECTATION
from .external_authorization import EXTERNAL_AUTHORIZATION
from .inheritance import INHERITANCE
from .limits import LIMITS
from .load import LOAD
from .metrics import METRICS
from .objective import OBJECTIVE
from .policies import POLICIES
from .registration import REGISTRATION
from .routes import ROUTES
from .security_headers import SECURITY_HEADERS
from .services import SERVICES
from .traffic import TRAFFIC
from .transform import TRANSFORM
from .validation import VALIDATION
from .version import VERSION
from .websocket import WEBSOCKET

__all__ = ["CASES", "PREFIXES", "Case"]

CASES: tuple[Case, ...] = (
    *ROUTES,
    *POLICIES,
    *SERVICES,
    *EDGE,
    *AUTHORITIES,
    *CERTIFICATES,
    *AUTHENTICATION,
    *AUTHORIZATION,
    *AUDIT,
    *CHANGE_RIGHT,
    *EXTERNAL_AUTHORIZATION,
    *LIMITS,
    *LOAD,
    *TRAFFIC,
    *CORS,
    *WEBSOCKET,
    *COMPRESSION,
    *CACHE,
    *VALIDATION,
    *SECURITY_HEADERS,
    *ACCESS_LOG,
    *VERSION,
    *REGISTRATION,
    *TRANSFORM,
    *CLIENT_CREDENTIALS,
    *INHERITANCE,
    *EXPECTATION,
    *METRICS,
    *OBJECTIVE,
)
