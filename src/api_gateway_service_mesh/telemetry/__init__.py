"""Telemetry: metrics text and access-log lines. It formats and writes; what to say is decided above.

Rules of this package: nothing here ever waits on the hot path, fails a request, or grows without bound; what cannot be
written is dropped and counted.
"""

from .access_log import AccessLog
from .metrics import Family, Histogram, Kind, Pattern, Sample, render_metrics

__all__ = ["AccessLog", "Family", "Histogram", "Kind", "Pattern", "Sample", "render_metrics"]
