"""The rendered templates: golden files, cfn-lint over a matrix of options, and what they promise.

`UPDATE_GOLDEN=1 pytest tests/opsctl/stacks/test_definition.py` writes the golden files anew.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.config import document, load
from opsctl.config.model import Config
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition, template
from opsctl.stacks.definition import Stack
from tests.opsctl.snapshots import service, stack, stacks

GOLDEN = Path(__file__).parents[2] / "golden"
KINDS = {
    "db": definition.db,
    "ecr": definition.ecr,
    "ecs": definition.ecs,
    "alarms": definition.alarms,
}
MATRIX: list[list[str]] = yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text())


def config(*sets: str) -> Config:
    text = (
        "name: example\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
    )
    file = document.parse(text, "opsctl.yaml")
    return load.link(file, environment=None, environ={}, overrides=sets).config


def ecs(*sets: str) -> dict[str, Any]:
    found: dict[str, Any] = template.read(definition.ecs(config(*sets)).template)["Resources"]
    return found


def container(*sets: str) -> dict[str, Any]:
    found: dict[str, Any] = ecs(*sets)["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_rendering_is_the_golden_file(kind: str) -> None:
    rendered = KINDS[kind](config()).template
    golden = GOLDEN / f"{kind}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_cfn_lint_has_nothing_to_say_for_any_case_of_the_matrix(tmp_path: Path) -> None:
    for number, sets in enumerate(MATRIX):
        for kind, build in KINDS.items():
            (tmp_path / f"{number}-{kind}.yaml").write_text(build(config(*sets)).template)
    lint = Path(sys.executable).with_name("cfn-lint")
    files = sorted({path.read_text(): str(path) for path in tmp_path.iterdir()}.values())
    done = subprocess.run(
        [
            str(lint),
            "--non-zero-exit-code",
            "informational",
            "--regions",
            "us-east-1",
            "--",
            *files,
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_stack_has_its_name_and_tags() -> None:
    stack: Stack = definition.db(config())
    assert (stack.name, stack.kind, stack.parameters) == ("example-db", "db", {})
    assert {key: stack.tags[key] for key in ("opsctl:name", "opsctl:env", "opsctl:stack")} == {
        "opsctl:name": "example",
        "opsctl:env": "default",
        "opsctl:stack": "db",
    }


def test_the_described_numbers_are_the_defaults() -> None:
    made = container()
    assert (made["Cpu"], made["Memory"]) == (512, 400)
    assert made["Ulimits"] == [{"Name": "nofile", "SoftLimit": 1024000, "HardLimit": 1024000}]
    assert [port["ContainerPort"] for port in made["PortMappings"]] == [80, 8082]
    service = ecs()["Service"]["Properties"]
    deployment = service["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert definition.ecs(config()).parameters["DesiredCount"] == "8"
    assert service["LaunchType"] == "EC2"
    group = ecs()["AutoScalingGroup"]["Properties"]
    sizes = [group[key] for key in ("DesiredCapacity", "MinSize", "MaxSize", "Cooldown")]
    assert sizes == ["2", "0", "2", "300"]


def test_nobody_but_the_instances_reaches_the_cache() -> None:
    database = template.read(definition.db(config()).template)["Resources"]
    assert "SecurityGroupIngress" not in database["SecurityGroup"]["Properties"]
    rule = ecs()["RedisIngress"]["Properties"]
    assert rule["GroupId"] == {"Fn::ImportValue": "example-db-SecurityGroup"}
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": ["InstanceSecurityGroup", "GroupId"]}


def test_only_the_load_balancer_reaches_the_instances_and_only_their_dynamic_ports() -> None:
    made = ecs()
    assert "SecurityGroupIngress" not in made["InstanceSecurityGroup"]["Properties"]
    rule = made["LoadBalancerIngress"]["Properties"]
    assert (rule["FromPort"], rule["ToPort"]) == (32768, 60999)
    script = json.dumps(made["LaunchTemplate"])
    assert "ECS_DYNAMIC_HOST_PORT_RANGE=32768-60999" in script


def test_the_described_ingress_is_as_written() -> None:
    made = ecs("compute.ingress=described")["InstanceSecurityGroup"]["Properties"]
    opened = [(rule["FromPort"], rule["ToPort"]) for rule in made["SecurityGroupIngress"]]
    assert opened == [(0, 65535), (22, 22), (80, 80), (8082, 8082)]


def test_the_described_launch_configuration_keeps_its_disk() -> None:
    made = ecs("compute.launch=configuration")
    [disk] = made["LaunchConfiguration"]["Properties"]["BlockDeviceMappings"]
    assert disk["DeviceName"] == "/dev/xvdcz"
    assert (disk["Ebs"]["VolumeType"], disk["Ebs"]["VolumeSize"]) == ("gp2", 22)
    assert "LaunchTemplate" not in made


def test_a_secret_is_only_ever_a_reference() -> None:
    made = container("ecs.secrets={JWT: 'secretsmanager:jwt#key', B: ssm:/b}")
    region = "${AWS::Region}:${AWS::AccountId}"
    assert made["Secrets"] == [
        {
            "Name": "JWT",
            "ValueFrom": {
                "Fn::Sub": f"arn:${{AWS::Partition}}:secretsmanager:{region}:secret:jwt:key::"
            },
        },
        {
            "Name": "B",
            "ValueFrom": {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:{region}:parameter/b"},
        },
    ]


def test_text_of_the_config_cannot_break_out_of_its_place() -> None:
    nasty = "a'\"\n- Effect: Allow\\ {{ x }} #"
    made = container(f"ecs.environment={json.dumps({'A': nasty})}")
    assert {"Name": "A", "Value": nasty} in made["Environment"]


def test_two_sources_may_share_one_log_group() -> None:
    made = ecs("logs.ecs=/host", "logs.agent=/host")
    names = [
        each["Properties"]["LogGroupName"]
        for each in made.values()
        if each["Type"] == "AWS::Logs::LogGroup"
    ]
    assert sorted(names) == ["/example/app", "/example/stdout", "/host"]


def test_cloudformation_replaces_no_instance_by_itself() -> None:
    update = ecs()["AutoScalingGroup"]["UpdatePolicy"]
    assert update == {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}


def test_without_a_release_there_is_no_service_that_a_failed_one_could_go_back_to() -> None:
    read = template.read(definition.ecs(config()).template)
    conditional = {
        name for name, resource in read["Resources"].items() if "Condition" in resource
    } | {name for name, output in read["Outputs"].items() if "Condition" in output}
    assert conditional == {
        *("TaskDefinition", "Service", "ServiceName", "ServiceArn", "TaskDefinitionArn")
    }
    assert definition.ecs(config()).parameters["Image"] == "unreleased"


RELEASED = stack(
    "ecs",
    "UPDATE_COMPLETE",
    parameters={"Image": "web@sha256:1", "DesiredCount": "8", "AmiId": "ami-00000001"},
    outputs={"ConfiguredCount": "8"},
)


def live(state: StackState | None, *sets: str, new: bool = False, count: int = 8) -> Any:
    chosen = config(*sets)
    now = replace(
        stacks(*([state] if state else [])),
        service=service(desired=count),
        newest_image="ami-00000002",
    )
    made = definition.live(definition.ecs(chosen), chosen, now, new_image=new)
    return made.parameters


def test_a_newly_published_image_changes_nothing_until_it_is_asked_for() -> None:
    assert live(None)["AmiId"] == "ami-00000002"
    assert live(RELEASED)["AmiId"] == "ami-00000001"
    assert live(RELEASED, new=True)["AmiId"] == "ami-00000002"
    assert live(RELEASED, "compute.ami=ami-00000009")["AmiId"] == "ami-00000009"


def test_a_stack_of_an_older_opsctl_keeps_the_image_that_its_parameter_named() -> None:
    older = replace(
        RELEASED,
        parameters={**RELEASED.parameters, "AmiId": "/aws/service/ecs/image_id"},
        resolved={"AmiId": "ami-00000007"},
    )
    assert live(older)["AmiId"] == "ami-00000007"


def test_a_count_by_hand_stays_until_the_config_asks_for_another() -> None:
    assert live(RELEASED, count=12)["DesiredCount"] == "12"
    assert live(RELEASED, count=0)["DesiredCount"] == "0"
    assert live(RELEASED, "ecs.desired_count=6", count=12)["DesiredCount"] == "6"
    assert live(None, count=12)["DesiredCount"] == "8"


def test_the_release_stays_when_the_stack_changes() -> None:
    assert live(RELEASED)["Image"] == "web@sha256:1"
    unreleased = replace(RELEASED, parameters={"Image": "web:unreleased"})
    assert live(unreleased)["Image"] == live(None)["Image"] == "unreleased"


def test_only_what_an_instance_gets_at_its_start_makes_it_another_machine() -> None:
    same = definition.machine(config())
    for other in ("ecs.cpu=256", "ecs.desired_count=4", "alarms.cpu_percent=70"):
        assert definition.machine(config(other)) == same
    for other in ("compute.volume={size: 50}", "logs.agent=/x", "compute.metadata_hop_limit=2"):
        assert definition.machine(config(other)) != same
    assert same in json.dumps(ecs()["LaunchTemplate"])


def test_an_instance_signals_after_its_agent_has_joined() -> None:
    script = json.dumps(ecs()["LaunchTemplate"])
    assert "127.0.0.1:51678/v1/metadata" in script and "After=ecs.service" in script
    assert "--reason" not in script and "/dev/console" in script


def test_a_key_of_the_accounts_own_needs_a_permission() -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    made = ecs(f"secrets.kms_key={key}", "secrets.values={t: ssm:/t}")
    assert key in json.dumps(made["TaskRole"]) and key not in json.dumps(made["ExecutionRole"])


@given(st.text(st.characters(codec="utf-8")))
@settings(deadline=None, max_examples=30)
def test_any_text_reaches_the_container_unchanged(text: str) -> None:
    plain = config()
    wanted = plain.model_copy(
        update={"ecs": plain.ecs.model_copy(update={"environment": {"A": text}})}
    )
    made = template.properties(definition.ecs(wanted).template, "TaskDefinition")
    environment = made["ContainerDefinitions"][0]["Environment"]
    assert {"Name": "A", "Value": text} in environment
