"""The rendered templates: golden files, and what they promise.

`UPDATE_GOLDEN=1 pytest tests/opsctl/stacks/test_definition.py` writes the golden files anew.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsctl.config import document, load
from opsctl.config.model import Config
from opsctl.errors import AwsError
from opsctl.snapshot.instances import Group
from opsctl.snapshot.snapshot import Unread
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import definition, template
from opsctl.stacks.definition import Stack
from opsctl_sandbox.cloudformation import services_say
from tests.opsctl.snapshots import service, stack, stacks

GOLDEN = Path(__file__).parents[2] / "golden"


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


@pytest.mark.parametrize("kind", definition.BY_KIND)
def test_the_default_rendering_is_the_golden_file(kind: str) -> None:
    rendered = definition.BY_KIND[kind](config()).template
    golden = GOLDEN / f"{kind}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_a_stack_has_its_name_and_tags() -> None:
    stack: Stack = definition.db(config())
    assert (stack.name, stack.kind, stack.parameters) == ("example-db", "db", {})
    assert {key: stack.tags[key] for key in ("opsctl:name", "opsctl:env", "opsctl:stack")} == {
        "opsctl:name": "example",
        "opsctl:env": "default",
        "opsctl:stack": "db",
    }


def test_tags_of_the_users_own_are_beside_ours() -> None:
    tagged = definition.db(config("tags={team: web, opsctl: x}")).tags
    assert tagged["team"] == "web" and tagged["opsctl:name"] == "example"


def test_a_boundary_bounds_every_role() -> None:
    boundary = "arn:aws:iam::123456789012:policy/b"
    made = ecs(f"aws.permissions_boundary={boundary}", "ecs.service_role.create=true")
    roles = [one for one in made.values() if one["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 4
    assert all(one["Properties"]["PermissionsBoundary"] == boundary for one in roles)


def test_with_scaling_the_count_is_the_services_own() -> None:
    made = ecs("ecs.scaling={minimum: 4, maximum: 8, cpu_percent: 60}")
    count = made["Service"]["Properties"]["DesiredCount"]
    assert count == {"Fn::If": ["Counted", {"Ref": "DesiredCount"}, {"Ref": "AWS::NoValue"}]}
    assert made["ScalableTarget"]["Properties"]["MinCapacity"] == 4


def test_with_scaling_a_service_begins_with_the_minimum_and_then_keeps_its_count() -> None:
    desired = config("ecs.scaling={minimum: 4, maximum: 8, cpu_percent: 60}")
    state = stack("ecs", "UPDATE_COMPLETE", parameters={"DesiredCount": "4"})
    assert definition.count_parameter(desired, state, None) == "4"
    assert definition.count_parameter(desired, state, service(desired=7)) == "-1"
    assert definition.desired_count(desired, state, service(desired=7)) == 7


@pytest.mark.parametrize(
    "state",
    [
        stack("ecs", "UPDATE_COMPLETE", outputs={"ConfiguredCount": "4 to 8"}),
        # As opsctl has written it before.
        stack("ecs", "UPDATE_COMPLETE", parameters={"DesiredCount": "-1"}),
    ],
)
def test_with_scaling_switched_off_the_count_is_the_configs_again(state: StackState) -> None:
    assert definition.configured_count(config()) == "8"
    assert definition.desired_count(config(), state, service(desired=5)) == 8


@pytest.mark.parametrize(
    ("sets", "group"),
    [
        ((), "default.redis7.cluster.on"),
        (("db.engine_version='6.2'",), "default.redis6.x.cluster.on"),
        (("db.engine_version='5.0.6'",), "default.redis5.0.cluster.on"),
        (("db.engine=valkey",), "default.valkey9.cluster.on"),
        (("db.engine=valkey", "db.engine_version=8.2"), "default.valkey8.cluster.on"),
    ],
)
def test_shards_are_a_cache_in_cluster_mode(sets: tuple[str, ...], group: str) -> None:
    chosen = config("db.kind=replication_group", "db.shards=2", "db.nodes=3", *sets)
    text = definition.db(chosen).template
    resource = template.read(text)["Resources"]["ReplicationGroup"]
    # Else CloudFormation replaces the cache when their number changes.
    assert resource["UpdatePolicy"] == {"UseOnlineResharding": True}
    made = resource["Properties"]
    assert (made["NumNodeGroups"], made["ReplicasPerNodeGroup"]) == (2, 2)
    assert made["CacheParameterGroupName"] == group and made["ClusterMode"] == "enabled"
    assert "ReplicationGroup.ConfigurationEndPoint.Address" in text


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
    made = ecs("compute.ingress=described")
    rules = [one["Properties"] for name, one in made.items() if name.startswith("Ingress")]
    opened = [(rule["FromPort"], rule["ToPort"]) for rule in rules]
    assert opened == [(0, 65535), (22, 22), (80, 80), (8082, 8082)]


@pytest.mark.parametrize(
    "sets",
    [(), ("compute.ingress=described",), ("compute.ingress=[{port: 22, cidrs: [10.0.0.0/8]}]",)],
)
def test_groups_whose_rules_other_resources_hold_have_none_of_their_own(sets: Any) -> None:
    # CloudFormation would take those for drift, and revert them.
    cache = template.read(definition.db(config()).template)["Resources"]
    for made in (ecs(*sets), cache):
        holders = [
            one["Properties"]["GroupId"]["Fn::GetAtt"][0]
            for one in made.values()
            if one["Type"] == "AWS::EC2::SecurityGroupIngress"
            and "Fn::GetAtt" in one["Properties"]["GroupId"]
        ]
        for name in {*holders, "SecurityGroup"} & set(made):
            assert "SecurityGroupIngress" not in made[name]["Properties"]


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


PROVIDED = replace(RELEASED, parameters={**RELEASED.parameters, "GroupSize": "2"})
PROVIDER = "compute.capacity_provider=true"


@pytest.mark.parametrize(
    ("state", "sets", "drift", "size"),
    [
        (None, (), False, None),
        (RELEASED, (), False, None),
        (RELEASED, (PROVIDER,), False, "2"),
        # None keeps what the stack has, so the stack asks for no size of its own any more.
        (PROVIDED, (PROVIDER, "compute.desired=1"), False, None),
        (PROVIDED, (PROVIDER,), True, "3"),
        (PROVIDED, (), False, "2"),
    ],
)
def test_the_size_of_a_group_with_a_capacity_provider_is_left_to_it(
    state: StackState | None, sets: tuple[str, ...], drift: bool, size: str | None
) -> None:
    chosen = config(*sets)
    now = replace(
        stacks(*([state] if state else [])),
        service=service(desired=8),
        newest_image="ami-00000002",
        group=Group("asg", 0, 4, 3),
    )
    wanted = replace(definition.ecs(chosen, state=state), reverts_drift=drift)
    made = definition.live(wanted, chosen, now)
    assert made.parameters.get("GroupSize") == size
    asked = template.properties(made.template, "AutoScalingGroup")["DesiredCapacity"]
    assert (asked == "2") == ("GroupSize" not in made.parameters)


def test_a_service_that_had_a_capacity_provider_is_told_to_leave_it() -> None:
    def rendered(state: StackState | None, *sets: str) -> Any:
        stack_ = definition.ecs(config(*sets), state=state)
        return template.properties(stack_.template, "Service")

    left, on = rendered(PROVIDED), rendered(PROVIDED, PROVIDER)
    assert left["CapacityProviderStrategy"] == [] and "LaunchType" not in left
    assert left["ForceNewDeployment"] != on["ForceNewDeployment"]
    assert rendered(RELEASED)["LaunchType"] == "EC2"


def test_a_task_definition_that_somebody_deregistered_is_made_anew_once() -> None:
    def made(state: StackState, deregistered: str = "") -> tuple[Any, Any]:
        stack_ = definition.ecs(config(), state=state, deregistered=deregistered)
        [container] = template.properties(stack_.template, "TaskDefinition")["ContainerDefinitions"]
        return container.get("DockerLabels"), stack_.parameters.get("Deregistered", "no parameter")

    labels = {"opsctl.deregistered": {"Ref": "Deregistered"}}
    assert made(RELEASED) == (None, "no parameter")
    assert made(RELEASED, "web:1") == (labels, "web:1")
    # Later changes keep it: another value, or none, would roll the tasks once more.
    anew = replace(RELEASED, parameters={**RELEASED.parameters, "Deregistered": "web:1"})
    assert made(anew) == (labels, None)
    assert made(anew, "web:2") == (labels, "web:2")


def test_a_refusal_to_name_the_newest_image_is_raised() -> None:
    refused = Unread("newest_image", "AWS refused GetParameters: not authorized")
    now = replace(stacks(), unread=(refused,))
    with pytest.raises(AwsError, match="refused GetParameters"):
        definition.ami(config(), now)


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
    # Not by its name: `ecs up` that waited for a release took it back.
    assert live(RELEASED)["Image"] is None
    unreleased = replace(RELEASED, parameters={"Image": "web:unreleased"})
    assert live(unreleased)["Image"] is None and live(None)["Image"] == "unreleased"


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
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    assert json.dumps(decrypt) in json.dumps(made["TaskRole"])
    assert key not in json.dumps(made["ExecutionRole"])


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


@pytest.mark.parametrize(
    ("protocol", "interval", "timeout"),
    [("TCP", 10, None), ("TCP", 9, 8), ("TCP", 5, 4), ("HTTP", 7, None), ("HTTP", 6, 5)],
)
def test_a_check_of_targets_ends_before_the_next_one(
    protocol: str, interval: int, timeout: int | None
) -> None:
    sets = [f"load_balancer.health_check={{protocol: {protocol}, interval: {interval}s}}"]
    group = ecs(*sets)["TargetGroup"]["Properties"]
    assert group.get("HealthCheckTimeoutSeconds") == timeout
    assert services_say.refused("AWS::ElasticLoadBalancingV2::TargetGroup", group) is None


def test_an_alarm_under_its_short_and_its_full_name_is_written_once() -> None:
    sets = ["alarms.roll_back_on=[cluster-cpu-reservation, example-cluster-cpu-reservation]"]
    deployment = ecs(*sets)["Service"]["Properties"]["DeploymentConfiguration"]
    assert deployment["Alarms"]["AlarmNames"] == ["example-cluster-cpu-reservation"]
