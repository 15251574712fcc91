"""Whom our TLS connections trust: auth servers over httpx, and Redis by `rediss://`."""

import ssl

from service.errors import StartError


def context(authorities: str = "") -> ssl.SSLContext:
    """The system's authorities, or those of a PEM file alone; StartError if that is not one."""
    if authorities:
        try:
            return ssl.create_default_context(cafile=authorities)
        except OSError as error:
            why = "not PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise StartError(f"the certificates in {authorities} cannot be read: {why}") from None
    made = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        # A slim image has no file of authorities; httpx brings one.
        import certifi

        made.load_verify_locations(certifi.where())
    return made


def reason(error: ssl.SSLError) -> str:
    """OpenSSL's own words without the line of C they come from."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    return f"no TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
