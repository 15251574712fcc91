"""A profile's credential_process: it may hang, write anything, or end with an error."""

import os
import socket
import time
from pathlib import Path

import pytest

from opsctl.aws import connect, programs, translate
from opsctl.aws.session import open_session
from opsctl.config.model import Aws
from opsctl.errors import OpsError

KEYS = """echo '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"%s}'"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "here")


def refusal(tmp_path: Path, script: str, patience: float = 5.0) -> OpsError | None:
    """Let a profile's program be this shell script; return what is said of it."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "config").write_text(f"[profile here]\ncredential_process = {program}\n")
    session = open_session(Aws())
    programs.bound(session._session, patience)
    for _ in range(2):  # every client asks for them
        try:
            session.get_credentials()
        except Exception as error:
            refused = translate(error)
            assert refused is not None, error
        else:
            return None
    return refused


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exec sleep 30", "did not end within 0 seconds"),
        ("exec yes", "writes without end"),
        ("exec 1>&- 2>&-; exec sleep 30", "did not end within 0 seconds"),
        ("sleep 2 & exit 0", "did not end within 0 seconds"),
        ("echo rubbish", "did not write JSON"),
        ("printf '\\377\\376'", "did not write JSON"),
        ("true", "did not write JSON"),
        ("echo 5", "did not write a JSON object"),
        ("echo null", "did not write a JSON object"),
        (KEYS % ', "Expiration": "soon"', "did not write `Expiration` as a time"),
        ('echo \'{"Version": 1, "AccessKeyId": 5}\'', "did not write `AccessKeyId` as a text"),
        ("echo '{}'", "Unsupported version"),
        ("echo '{\"Version\": 1}'", "Missing required key in response: 'AccessKeyId'"),
        ("printf 'no \\377 luck' >&2; exit 1", "no \ufffd luck"),
        ("yes nothing | head -c 90000 >&2; exit 1", "nothing nothing"),
        ("kill -9 $$", "credential_process ended with code -9"),
        ("exit 3", "credential_process ended with code 3"),
    ],
)
def test_a_program_that_gives_no_credentials_is_one_sentence_in_time(
    tmp_path: Path, script: str, words: str
) -> None:
    began = time.monotonic()
    refused = refusal(tmp_path, script, patience=0.3)
    assert refused is not None and words in refused.message and refused.hint
    assert len(refused.message) < 500 and "\n" not in refused.message
    assert time.monotonic() - began < 1.5


def test_a_program_that_gives_credentials_is_believed(tmp_path: Path) -> None:
    assert refusal(tmp_path, KEYS % "") is None
    assert refusal(tmp_path, KEYS % ', "Expiration": "2099-01-01T00:00:00Z"') is None


def test_a_program_of_an_assumed_roles_source_is_bound_too(tmp_path: Path) -> None:
    refusal(tmp_path, "true")
    (tmp_path / "program").write_text("#!/bin/sh\nexec sleep 30\n")
    with (tmp_path / "config").open("a") as more:
        more.write("region = us-east-1\n[profile role]\nsource_profile = here\n")
        more.write("role_arn = arn:aws:iam::123456789012:role/x\n")
    session = open_session(Aws(profile="role"))
    programs.bound(session._session, 0.3)
    began = time.monotonic()
    with pytest.raises(Exception, match="did not end within"):
        credentials = session.get_credentials()
        assert credentials is not None
        credentials.get_frozen_credentials()
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "x"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "soon"),
        ("AWS_DEFAULTS_MODE", "moon"),
        ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "x"),
    ],
)
def test_a_variable_of_another_type_is_named_and_is_no_address(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        "[profile here]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Exception) as raised:  # botocore's, or ours
        connect(Aws.model_validate({"region": "us-east-1"})).ecs.list_clusters()
    refused = translate(raised.value)
    assert refused is not None and refused.hint
    assert value in refused.message and "ENDPOINT" not in refused.hint


def test_a_line_end_in_a_session_token_is_said_without_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary\nnext")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        clients = connect(Aws.model_validate({"region": "us-east-1"}))
        with pytest.raises(OpsError, match="cannot be sent") as raised:
            clients.ecs.list_clusters()
    assert "canary" not in str(raised.value) and "canary" not in str(clients.failed.take())


def test_a_token_in_a_pipe_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(OpsError, match="names a pipe"):
        open_session(Aws())
