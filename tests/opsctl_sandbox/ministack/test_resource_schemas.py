"""What AWS's schemas refuse, in its words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ministack.services.cloudformation import engine

from opsctl.config import document, load
from opsctl.stacks import definition
from opsctl_sandbox.ministack.known_properties import Planned
from opsctl_sandbox.ministack.resource_schemas import UNKNOWN, refusal, violations

ROOT = Path(__file__).parents[3]
MATRIX: list[list[str]] = yaml.safe_load(
    (ROOT / "tests" / "opsctl" / "stacks" / "matrix.yaml").read_text()
)
TEXT = "name: example\nnetwork: {vpc: vpc-00000001, subnets: [subnet-00000001, subnet-00000002]}\n"
GROUP, SERVICE, ROLE = "AWS::Logs::LogGroup", "AWS::ECS::Service", "AWS::IAM::Role"
BREAKER = {"DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": "true"}}}
BREAKER_AT = "#/DeploymentConfiguration/DeploymentCircuitBreaker"


@pytest.mark.parametrize(
    ("kind", "properties", "early", "late"),
    [
        (
            GROUP,
            {"Retention": 7},
            "Unsupported property [Retention]",
            "#: extraneous key [Retention] is not permitted",
        ),
        (
            SERVICE,
            BREAKER,
            "Required property [Rollback] not found",
            f"{BREAKER_AT}: required key [Rollback] not found",
        ),
        (
            SERVICE,
            {"DesiredCount": "many"},
            "Property [DesiredCount] expected type: Number, found: String",
            "#/DesiredCount: expected type: Number, found: String",
        ),
        (
            SERVICE,
            {"LaunchType": "EC3"},
            "EC3 is not a valid enum value. Supported values: [EC2, FARGATE, EXTERNAL]",
            "#/LaunchType: failed validation constraint for keyword [enum]",
        ),
        (
            GROUP,
            {"Tags": [{"Key": "a" * 129, "Value": ""}]},
            "#/Tags/0/Key: expected maxLength: 128, actual: 129",
            "#/Tags/0/Key: expected maxLength: 128, actual: 129",
        ),
        (
            GROUP,
            {"LogGroupName": "no spaces"},
            "#/LogGroupName: failed validation constraint for keyword [pattern]",
            "#/LogGroupName: failed validation constraint for keyword [pattern]",
        ),
    ],
)
def test_a_property_that_aws_refuses_is_refused_in_its_words(
    kind: str, properties: dict[str, Any], early: str, late: str
) -> None:
    [wrong] = violations(kind, properties)
    assert (wrong.early, wrong.late) == (early, late)


def test_a_resource_says_everything_that_is_wrong_with_it() -> None:
    wrong = violations(GROUP, {"RetentionInDays": 8, "Retention": 7})
    lines = refusal("Group", wrong).splitlines()
    assert lines[0] == "Properties validation failed for resource Group with message:"
    assert sorted(lines[1:]) == [
        "#/RetentionInDays: failed validation constraint for keyword [enum]",
        "#: extraneous key [Retention] is not permitted",
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"DesiredCount": "8", "EnableExecuteCommand": "true", "ServiceName": 8},
        {"DesiredCount": 8.0, "EnableExecuteCommand": True},
        {"DesiredCount": UNKNOWN, "LaunchType": UNKNOWN, "LoadBalancers": [UNKNOWN]},
    ],
)
def test_numbers_may_be_texts_and_what_is_not_known_is_right(properties: dict[str, Any]) -> None:
    assert violations(SERVICE, properties) == ()


def test_a_type_that_aws_does_not_judge_takes_everything() -> None:
    assert violations("Custom::Thing", {"Any": 1}) == ()


def planned(properties: dict[str, Any], **parameters: str) -> dict[str, Any]:
    template = {
        "Resources": {
            "It": {"Type": GROUP, "Properties": properties},
            "Other": {"Type": ROLE, "Condition": "Never"},
        }
    }
    values = {name: {"Value": value, "Type": "String"} for name, value in parameters.items()}
    conditions = {"Never": False, "Always": True}
    [(_, _, known)] = Planned(template, values, conditions, "stack", "id").resources()
    return known


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"Ref": "Days"}, "8"),
        ({"Fn::Sub": "${AWS::StackName}-${Days}"}, "stack-8"),
        ({"Fn::If": ["Always", {"Ref": "Days"}, {"Fn::GetAtt": "Other.Arn"}]}, "8"),
        ([{"Ref": "AWS::NoValue"}, {"Key": {"Ref": "Days"}}], [{"Key": "8"}]),
        ({"Fn::Sub": "${Other}-${Days}"}, UNKNOWN),
        ({"Fn::GetAtt": ["Other", "Arn"]}, UNKNOWN),
        ({"Fn::Join": ["", ["a", {"Fn::ImportValue": "b"}]]}, UNKNOWN),
        ("{{resolve:ssm:name}}", UNKNOWN),
        ({"Fn::Nothing": "known"}, UNKNOWN),
    ],
)
def test_what_follows_from_template_and_parameters_is_known(value: Any, known: Any) -> None:
    assert planned({"P": value}, Days="8") == {"P": known}


def test_a_property_without_value_is_not_there() -> None:
    assert planned({"P": {"Fn::If": ["Never", 1, {"Ref": "AWS::NoValue"}]}}) == {}


def templates() -> Iterator[str]:
    """Every template that opsctl renders in the matrix of options, once."""
    configs = [
        load.link(
            document.parse(TEXT, "opsctl.yaml"), environment=None, environ={}, overrides=sets
        ).config
        for sets in MATRIX
    ]
    kinds = (definition.db, definition.ecr, definition.ecs, definition.alarms)
    return iter({build(config).template for config in configs for build in kinds})


def test_properties_that_a_macro_makes_are_not_judged() -> None:
    macro = {"Fn::Transform": {"Name": "Mine"}}
    template = {"Resources": {"It": {"Type": "AWS::EC2::SecurityGroup", "Properties": macro}}}
    assert list(Planned(template, {}, {}, "stack", "id").violations()) == []


def test_no_template_of_opsctl_is_refused() -> None:
    for text in templates():
        template = engine._parse_template(text)
        values = {
            name: {"Value": str(one.get("Default", "ami-12345678")), "Type": one["Type"]}
            for name, one in template.get("Parameters", {}).items()
        }
        conditions = engine._evaluate_conditions(template, values)
        wrong = list(Planned(template, values, conditions, "example", "id").violations())
        assert wrong == []
