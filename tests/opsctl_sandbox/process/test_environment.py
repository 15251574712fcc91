"""The exports survive a shell."""

import subprocess

from opsctl_sandbox.process import environment
from opsctl_sandbox.process.home import Sandbox


def test_the_variables_name_endpoint_region_and_dummy_keys(sandbox: Sandbox) -> None:
    values = environment.variables(sandbox)

    assert values["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{sandbox.port}"
    assert values["AWS_REGION"] == values["AWS_DEFAULT_REGION"] == "us-east-1"


def test_a_shell_reads_back_every_value_and_drops_the_profile() -> None:
    awkward = {"AWS_REGION": 'it\'s; $(date) `x` "y"', "AWS_ACCESS_KEY_ID": "plain"}
    script = environment.exports(awkward) + '\nprintf "%s|%s" "$AWS_REGION" "${AWS_PROFILE-none}"'
    shell = subprocess.run(
        ["sh", "-c", script], env={"AWS_PROFILE": "real"}, capture_output=True, text=True
    )

    assert shell.stdout == f"{awkward['AWS_REGION']}|none"
