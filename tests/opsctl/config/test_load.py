import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.config import document, load
from opsctl.config.load import Loaded
from opsctl.errors import ConfigError

SHORT = """\
name: caddy
network:
  vpc: vpc-00000001
  subnets: [subnet-00000001, subnet-00000002]
"""


def loaded(text: str, environment: str | None = None, *sets: str, variable: str = "") -> Loaded:
    return load.link(
        document.parse(text, "opsctl.yaml"),
        environment=environment,
        environ={"OPSCTL_SET": variable},
        overrides=sets,
    )


def refused(text: str, environment: str | None = None, *sets: str) -> Sequence[str]:
    with pytest.raises(ConfigError) as error:
        loaded(text, environment, *sets)
    assert error.value.exit_code == 2
    return error.value.findings


def test_a_name_and_a_network_describe_a_whole_system() -> None:
    config = loaded(SHORT).config
    assert config.db.name == "caddy-redis"
    assert config.logs.group("app") == "/caddy/app"
    assert config.ecs.desired_count == 8


def test_an_overlay_is_merged_and_names_follow_it() -> None:
    text = SHORT + "ecs: {cpu: 256, memory: 300}\nenvironments: {blue: {ecs: {cpu: 128}}}\n"
    config = loaded(text, "blue").config
    assert (config.ecs.cpu, config.ecs.memory) == (128, 300)
    assert config.ecs.cluster_name == config.system == "caddy-blue"
    assert config.ecs.container_name == "caddy"


def test_lists_are_replaced_not_joined() -> None:
    text = (
        SHORT + "environments: {blue: {network: {subnets: [subnet-0000000a, subnet-0000000b]}}}\n"
    )
    assert loaded(text, "blue").config.network.subnets == ["subnet-0000000a", "subnet-0000000b"]


def test_flags_win_over_the_environment_over_the_overlay_over_the_file() -> None:
    text = SHORT + "ecs: {cpu: 1}\nenvironments: {blue: {ecs: {cpu: 2, memory: 6}}}\n"
    result = loaded(text, "blue", "ecs.cpu=4", variable="ecs.cpu=3; ecs.memory=7;ecs.nofile=2048")
    assert (result.config.ecs.cpu, result.config.ecs.memory) == (4, 7)
    assert str(result.origins["ecs.cpu"]) == "--set (flag)"
    assert str(result.origins["ecs.nofile"]) == "OPSCTL_SET (environment)"
    assert str(result.origins["network.vpc"]) == "opsctl.yaml:3:3 (file)"
    assert str(result.origins["db.port"]) == "default"
    assert str(result.origins["db.name"]) == "derived"


def test_the_overlay_is_the_origin_of_what_it_sets() -> None:
    text = SHORT + "environments:\n  blue:\n    ecs:\n      cpu: 256\n"
    assert str(loaded(text, "blue").origins["ecs.cpu"]) == "opsctl.yaml:8:7 (overlay)"


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("db: {node_typ: x}", "5:6 db.node_typ: unknown key, did you mean `node_type`?"),
        ("netwrk: {}", "5:1 netwrk: unknown key, did you mean `network`?"),
        ("db: {engine: rediss}", "5:14 db.engine: found `rediss`, allowed: redis or valkey"),
        ("db: {nodes: 7}", "5:13 db.nodes: found `7`, allowed: at most 6"),
        ('tags: {team: ""}', '5:14 tags.team: found `""`, allowed: at least 1 character'),
        ("compute: {instance_type: large}", "5:26 compute.instance_type: found `large`, allowed:"),
        (
            'aws: {external_id: "a b"}',
            "5:20 aws.external_id: found `a b`, allowed: letters",
        ),
        (
            "load_balancer: {deregistration_delay: 2h}",
            "5:39 load_balancer.deregistration_delay: found `2h`, allowed: at most 1h",
        ),
        (
            "load_balancer: {health_check: {interval: 1s}}",
            "5:42 load_balancer.health_check.interval: found `1s`, allowed: at least 5s",
        ),
        ('ecs: {cpu: "8"}', '5:12 ecs.cpu: found `"8"`, allowed: a whole number'),
        (
            "ecs: {read_only_root: no}",
            "5:23 ecs.read_only_root: found `no`, allowed: true or false",
        ),
        (
            "compute: {ingress: [{port: 22}]}",
            "5:21 compute.ingress.0.cidrs: is required",
        ),
        (
            "compute: {cooldown: 5}",
            "5:21 compute.cooldown: found `5`: `5` is not a duration; "
            "write for instance 90s, 5m or 1h30m",
        ),
        (
            "load_balancer: {health_check: {port: x}}",
            "5:38 load_balancer.health_check.port: found `x`, "
            "allowed: a whole number or traffic-port",
        ),
        ("db: nothing", "5:5 db: found `nothing`, allowed: a mapping of keys"),
        ("db:", "5:4 db: found nothing, allowed: a mapping of keys"),
        (
            "environment: blue",
            "5:14 environment: is chosen by --env or OPSCTL_ENV, never written in the file",
        ),
        ("environments: [a]", "5:15 environments: allowed: a mapping of environment names"),
        ("environments: {Blue: {}}", "5:22 environments.Blue: allowed: up to 11 lower-case"),
        (
            f"load_balancer: {{name: {'a' * 33}}}",
            f"5:23 load_balancer.name: found `{'a' * 33}`, 33 characters; AWS allows 32",
        ),
    ],
)
def test_a_finding_says_where_what_and_what_is_allowed(line: str, finding: str) -> None:
    findings = refused(SHORT + line + "\n")
    assert len(findings) == 1
    assert findings[0].startswith(f"opsctl.yaml:{finding}")


def test_all_findings_come_at_once_in_the_files_order() -> None:
    findings = refused(
        "name: Caddy\nnetwork: {subnets: [subnet-0000000a]}\necs: {cpu: lots}\nx: 1\n"
    )
    assert [finding.split(":")[1] for finding in findings] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "line",
    [
        "db: {password: hunter2}",
        "ecs: {secrets: {JWT: hunter2}}",
        "secrets: {values: {token: hunter2}}",
        "secrets: {values: hunter2}",
        "secret: hunter2",
        "environments: {blue: {db: {password: hunter2}}}",
        'x: "hunter2\n',
        "x: !hunter [hunter2",
    ],
)
def test_a_secret_is_never_repeated(line: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(SHORT + line + "\n", "blue" if "blue" in line else None)
    assert error.value.findings
    assert "hunter2" not in repr((error.value.message, error.value.hint, error.value.findings))


def test_numbers_stay_as_written_where_text_is_wanted() -> None:
    text = SHORT + "aws: {account: 012345678901}\ndb: {engine_version: 7.0}\n"
    config = loaded(text + "ecs: {environment: {A: 1.50, B: no}}\n").config
    assert config.aws.account == "012345678901"
    assert config.db.engine_version == "7.0"
    assert config.ecs.environment == {"A": "1.50", "B": "no"}


def test_an_unknown_environment_names_the_ones_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no environment `red` \(there are: blue, green\)"):
        loaded(SHORT + "environments: {blue: {}, green: {}}\n", "red")


@pytest.mark.parametrize("setting", ["db.port", "=1", "environments.blue.db.port=1", "a..b=1"])
def test_a_setting_that_is_no_setting_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="key.path=value"):
        loaded(SHORT, None, setting)


def test_a_setting_with_a_wrong_value_is_found_at_its_flag() -> None:
    assert refused(SHORT, None, "ecs.cpu=x") == (
        "--set ecs.cpu: found `x`, allowed: a whole number",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no `"),
        (b"", "`opsctl.yaml` is empty"),
        (b"# only a comment\n", "`opsctl.yaml` is empty"),
        (b"\xff\xfe\xfa", "is not UTF-8"),
        (b"- a\n", "cannot be read: 1 error"),
        (b"a: [\n", "cannot be read: 1 error"),
    ],
)
def test_a_file_that_is_no_config_is_one_sentence(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "opsctl.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load.load(path, environment=None, environ={})
    assert message in error.value.message


@given(
    name=st.from_regex(r"[a-z][a-z0-9]{0,19}", fullmatch=True),
    environment=st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True),
)
def test_no_derived_name_is_over_a_limit_of_aws(name: str, environment: str) -> None:
    text = SHORT.replace("caddy", f"'{name}'") + f"environments: {{'{environment}': {{}}}}\n"
    if len(name) > 1:  # a repository's name has at least two characters
        assert loaded(text, environment).config.system == f"{name}-{environment}"


def test_reading_a_config_imports_nothing_heavy() -> None:
    code = (
        "import sys, opsctl.config.load;"
        "print(*{'boto3', 'botocore', 'rich', 'jinja2', 'typer', 'docker'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_an_unknown_key_that_was_set_is_not_looked_for_in_the_file() -> None:
    assert refused(SHORT, None, "nothing.at_all=1")[0].startswith("--set nothing: unknown key")


def test_a_tag_is_of_any_letters_up_to_aws_length() -> None:
    assert loaded(SHORT + f"tags: {{{'é' * 128}: x}}\n").config.tags == {"é" * 128: "x"}


@pytest.mark.parametrize("key", ["k" * 129, "aws:x", "opsctl:x", "a;b", "''"])
def test_a_tag_that_aws_refuses_is_refused(key: str) -> None:
    (finding,) = refused(SHORT + f"tags: {{{key}: x}}\n")
    assert finding.startswith("opsctl.yaml:5:")
