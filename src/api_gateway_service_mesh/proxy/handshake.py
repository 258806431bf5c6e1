"""Why a TLS handshake came to nothing."""

from __future__ import annotations

import ssl
from typing import Final

from api_gateway_service_mesh.policies.listener import HandshakeFault

__all__ = ["fault_of"]

# Codes of X509_verify_cert (openssl-verification-options(1), x509_vfy.h), as `ssl.SSLCertVerificationError` has them.
_VERIFIED: Final = {
    2: HandshakeFault.UNKNOWN_AUTHORITY,
    9: HandshakeFault.NOT_YET_VALID,
    10: HandshakeFault.EXPIRED,
    18: HandshakeFault.UNKNOWN_AUTHORITY,
    19: HandshakeFault.UNKNOWN_AUTHORITY,
    20: HandshakeFault.UNKNOWN_AUTHORITY,
    21: HandshakeFault.UNKNOWN_AUTHORITY,
    23: HandshakeFault.REVOKED,
}
_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": HandshakeFault.NO_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": HandshakeFault.NO_COMMON_VERSION,
    "NO_SHARED_CIPHER": HandshakeFault.NO_COMMON_VERSION,
    "CALLBACK_FAILED": HandshakeFault.UNKNOWN_NAME,  # what `security.tls` says to a name refused
    "NO_SUITABLE_SIGNATURE_ALGORITHM": HandshakeFault.NO_COMMON_VERSION,
}


def fault_of(error: BaseException) -> HandshakeFault:
    """What kind of fault an error of a handshake is."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFIED.get(error.verify_code, HandshakeFault.BAD_CERTIFICATE)
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or ""  # errors that OpenSSL did not make have none
        if "ALERT" in reason or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return HandshakeFault.BROKEN_OFF
        return _REASONS.get(reason, HandshakeFault.MALFORMED)
    # asyncio and uvloop alike say so in a ConnectionAbortedError when ssl_handshake_timeout is over.
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return HandshakeFault.TIMEOUT
    return HandshakeFault.BROKEN_OFF
