"""The certificates that our TLS connections trust: auth servers by httpx, Redis by `rediss://`."""

import ssl

from service.errors import StartError


def context(authorities: str = "") -> ssl.SSLContext:
    """Trust the system's authorities, or only those of a PEM file.

    Raises StartError for another file.
    """
    if authorities:
        try:
            return ssl.create_default_context(cafile=authorities)
        except OSError as error:
            why = "not PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise StartError(f"the certificates in {authorities} cannot be read: {why}") from None
    made = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        # A slim image has no file of authorities; httpx's dependency certifi has one.
        import certifi

        made.load_verify_locations(certifi.where())
    return made


def reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's own words, without the line of C that they come from."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    return f"no TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
