"""A sandbox of its own, without tasks: what it answers is what counts here, not what runs in it."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home, Settings
from tests.hostile.flows import client

CONFIG = """\
name: NAME
network: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}
compute: {maximum: 4}
ecs: {desired_count: 2, secrets: {API: 'secretsmanager:NAME#api'}}
secrets: {values: {token: 'ssm:/NAME/token'}}
"""
TEMPLATE = ":8082 {\n    redis REDIS_ADDRESS\n}\n"
CANARIES = {
    "parameter": "canary-ssm-4f1c9d",
    "secret": "canary-secretsmanager-77ab31",
    "file": "canary-file-93cc0a",
    "environment": "canary-environment-1d0e77",
    "proxy": "canary-proxy-c0ffee",
}


@pytest.fixture(scope="session")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    home = Home(tmp_path_factory.mktemp("sandbox"))
    *_, last = lifecycle.up(home, Settings(tasks="none", speed=2000), os.environ)
    assert last.sandbox is not None
    yield environment.variables(last.sandbox)
    list(lifecycle.down(home))


@pytest.fixture(scope="module")
def folder(
    variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Path]]:
    """Make the folder of a system, its secrets in AWS, and work in it; canaries in all of them."""
    patched = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(("AWS_", "OPSCTL_", "GITHUB_")):
            patched.delenv(name)
    for name, value in variables.items():
        patched.setenv(name, value)
    patched.setenv("DEPLOY_TOKEN", CANARIES["environment"])
    patched.setenv("HTTPS_PROXY", f"http://ann:{CANARIES['proxy']}@127.0.0.1:9")
    CANARIES["key"] = variables["AWS_SECRET_ACCESS_KEY"]

    def make(name: str) -> Path:
        made = tmp_path_factory.mktemp(name)
        (made / "opsctl.yaml").write_text(CONFIG.replace("NAME", name))
        (made / "Caddyfile_template").write_text(TEMPLATE)
        (made / ".secrets.yml").write_text(f"token: {CANARIES['file']}\n")
        ssm, manager = client("ssm", variables), client("secretsmanager", variables)
        kept = {"Value": CANARIES["parameter"], "Type": "SecureString"}
        ssm.put_parameter(Name=f"/{name}/token", **kept)
        manager.create_secret(Name=name, SecretString=f'{{"api": "{CANARIES["secret"]}"}}')
        patched.chdir(made)
        return made

    yield make
    patched.undo()
