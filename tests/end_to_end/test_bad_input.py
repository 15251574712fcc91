"""What goes wrong first on a bad day: one clear sentence, the next command, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.place import Place, opsctl

MINIMAL = (
    "name: bad\nnetwork:\n  vpc: vpc-00000001\n  subnets: [subnet-00000001, subnet-00000002]\n"
)
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


def refused(folder: Path, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    done = opsctl(*words, cwd=folder, env=env, timeout=60)
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr and "hint: " in done.stderr, done.stderr
    return done.returncode, done.stderr


def test_no_config(tmp_path: Path) -> None:
    code, said = refused(tmp_path, "db", "up")

    assert code == 2
    assert "opsctl.yaml" in said


def test_broken_yaml_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text("name: [unclosed\n")

    code, said = refused(tmp_path, "config", "check")

    assert code == 2
    assert "opsctl.yaml:" in said


def test_an_unknown_key_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text(MINIMAL + "db:\n  node_typ: cache.t4g.small\n")

    code, said = refused(tmp_path, "config", "check")

    assert code == 2
    assert "opsctl.yaml:6:3" in said
    assert "node_type" in said


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text(MINIMAL + "db: {port: no}\necs: {cpu: -1, cpus: 2}\n")

    _, said = refused(tmp_path, "config", "check")

    assert said.count("opsctl.yaml:") >= 3


def test_sandbox_not_running(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text(MINIMAL)

    code, said = refused(tmp_path, "db", "status", env=NOWHERE)

    assert code == 3
    assert 'hint: eval "$(opsctl sandbox env)"' in said


def test_no_credentials(tmp_path: Path) -> None:
    (tmp_path / "opsctl.yaml").write_text(MINIMAL)
    env = {
        **NOWHERE,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }

    code, said = refused(tmp_path, "db", "status", env=env)

    assert code == 3
    assert "no AWS credentials" in said


def test_wrong_account(system: Callable[[str], Place]) -> None:
    place = system("account")
    config = place.folder / "opsctl.yaml"
    config.write_text(
        f"name: account\naws: {{account: '999999999999'}}\n{_network(config.read_text())}"
    )

    done = place.opsctl("db", "up", "--yes")

    assert done.returncode == 3
    assert "`aws.account` in the config is 999999999999" in done.stderr


def _network(example: str) -> str:
    lines = example.splitlines(keepends=True)
    start = lines.index("network:\n")
    rest = lines[start + 1 :]
    end = next(i for i, line in enumerate(rest) if line.strip() and not line.startswith((" ", "#")))
    return "".join([lines[start], *rest[:end]])


def test_no_such_stack(system: Callable[[str], Place]) -> None:
    done = system("nostack").opsctl("update-tasks", "--image", "x@sha256:" + "0" * 64, "--yes")

    assert done.returncode == 1
    assert "hint: opsctl " in done.stderr


def test_no_docker_engine_says_so_and_offers_an_image(system: Callable[[str], Place]) -> None:
    place = system("noengine")
    assert place.opsctl("db", "up", "--yes").returncode == 0
    assert place.opsctl("ecs", "up", "--yes").returncode == 0

    env = {**place.env, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = Place(place.folder, env).opsctl("update-tasks", "--yes")

    assert done.returncode == 1
    assert "Docker" in done.stderr
    assert "--image" in done.stderr


def test_a_port_that_is_taken(sandbox: Place) -> None:
    port = sandbox.env["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]

    code, said = refused(sandbox.folder, "sandbox", "up", "--name", "second", "--port", port)

    assert code != 0
    assert port in said


@pytest.mark.parametrize("words", [("db", "upp"), ("logs", "tail", "--since", "soon")])
def test_usage_errors_exit_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "opsctl.yaml").write_text(MINIMAL)

    done = opsctl(*words, cwd=tmp_path, env=NOWHERE)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
