"""How AWS's clients reach an address, for the protocol of registries, which is no call of AWS."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Proxy:
    """`headers` log in to the proxy."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def proxy(url: str) -> Proxy | None:
    """Return the proxy for this address by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as botocore does.

    None when there is none, or not for this address.
    """
    from botocore.httpsession import ProxyConfiguration
    from botocore.utils import get_environ_proxies

    chosen = ProxyConfiguration(proxies=get_environ_proxies(url))
    address = chosen.proxy_url_for(url)
    return Proxy(address, chosen.proxy_headers_for(address)) if address else None


def trust() -> ssl.SSLContext:
    """Return what this machine trusts, and AWS_CA_BUNDLE or `ca_bundle` of the profile."""
    from botocore.endpoint import EndpointCreator
    from botocore.session import Session

    # Not in the stubs: it knows REQUESTS_CA_BUNDLE, too.
    creator: object = EndpointCreator(None)  # type: ignore[arg-type]  # emits nothing
    configured = Session().get_config_variable("ca_bundle")
    bundle = creator._get_verify_value(configured)  # type: ignore[attr-defined]
    context = ssl.create_default_context()
    if isinstance(bundle, str):
        context.load_verify_locations(bundle)
    return context
