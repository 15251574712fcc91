"""What points any AWS client at a sandbox: the variables, and their `export` lines for a shell."""

import shlex
from collections.abc import Mapping

from opsctl_sandbox.process.home import Sandbox


def variables(sandbox: Sandbox) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": sandbox.endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": sandbox.settings.region,
        "AWS_DEFAULT_REGION": sandbox.settings.region,
        "AWS_ACCOUNT_ID": sandbox.settings.account,
    }


def exports(values: Mapping[str, str]) -> str:
    """Lines for `eval "$(opsctl sandbox env)"`.

    A profile or session of the real account would win over these keys, or be sent with them.
    """
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*lines, "unset AWS_PROFILE AWS_SESSION_TOKEN"])
