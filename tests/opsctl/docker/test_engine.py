"""Where an engine is looked for, by the rules of the docker CLI."""

import hashlib
import json
from pathlib import Path

import pytest

from opsctl import docker
from opsctl.errors import DockerError


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a context that leads to `unix:///context.sock`, and is the current one."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "lab"}))
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"lab").hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": "unix:///context.sock", "SkipTLSVerify": False}}
    meta = {"Name": "lab", "Metadata": {}, "Endpoints": endpoints}
    (folder / "meta.json").write_text(json.dumps(meta))
    return "lab"


def test_docker_host_wins_over_the_context(context: str) -> None:
    found = docker.address({"DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": context})
    assert found["base_url"] == "unix:///host.sock"


def test_without_it_the_current_context_leads_there(context: str) -> None:
    assert docker.address({})["base_url"] == "unix:///context.sock"


def test_docker_context_names_another_one(context: str) -> None:
    assert docker.address({"DOCKER_CONTEXT": "default"})["base_url"] != "unix:///context.sock"


def test_a_context_that_is_not_there_is_no_reason_to_use_another_engine(context: str) -> None:
    with pytest.raises(DockerError, match="there is no context `gone`"):
        docker.address({"DOCKER_CONTEXT": "gone"})


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "http://127.0.0.1:99999", "nonsense"])
def test_an_address_that_leads_nowhere_is_one_sentence(host: str) -> None:
    with pytest.raises(DockerError, match="no Docker engine answers at"):
        docker.reach(docker.address({"DOCKER_HOST": host}), timeout=1, hint="")
