"""The variables that point any AWS client to a sandbox, and their `export` lines for a shell."""

import shlex
from collections.abc import Mapping

from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.wire.signature import Key

# Variables with which a client would not use the sandbox, or not its keys.
LEADING_AWAY = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)


def variables(sandbox: Sandbox, key: Key | None = None) -> dict[str, str]:
    """Return the variables, with the operator's key unless another is given."""
    key = key or sandbox.keys.operator
    return {
        "AWS_ENDPOINT_URL": sandbox.endpoint,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_REGION": sandbox.settings.region,
        "AWS_DEFAULT_REGION": sandbox.settings.region,
        "AWS_ACCOUNT_ID": sandbox.settings.account,
        # A live tail would be asked of `stream-127.0.0.1`, which no DNS server knows.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


def exports(values: Mapping[str, str]) -> str:
    """Return lines for `eval "$(opsctl sandbox env)"`.

    They unset a profile or session of a real account, which would be used instead of these keys or
    sent with them, and variables that lead past the endpoint or to it through a proxy.
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    unset = " ".join(LEADING_AWAY)
    loopback = 'export NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}" no_proxy="127.0.0.1"'
    return "\n".join([*lines, f"unset {unset}", loopback])
