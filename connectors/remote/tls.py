"""TLS with certificates that are checked."""

from __future__ import annotations

import ssl

from connectors.remote.server import Access, Unusable


def tls_context(access: Access) -> ssl.SSLContext:
    """The system's authorities, and the configured one. Raises Unusable when its file is none."""
    context = ssl.create_default_context()
    if access.ca_file is not None:
        try:
            context.load_verify_locations(access.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Unusable(
                f"ca_file {str(access.ca_file)!r} cannot be read as certificates ({error})"
            ) from error
    return context


def untrusted(error: BaseException) -> str | None:
    """The clause for a certificate that is not trusted; None when that is not the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the server's certificate is not trusted ({cause.verify_message}); "
                "name its authority with ca_file"
            )
        cause = cause.__cause__ or cause.__context__
    return None
