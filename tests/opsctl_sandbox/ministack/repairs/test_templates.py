"""A template that refers to what it does not have is refused by every call that brings it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect

GROUP = "AWS::Logs::LogGroup"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            {
                "Resources": {
                    "Group": {"Type": GROUP, "Properties": {"LogGroupName": {"Ref": "No"}}}
                }
            },
            r"Unresolved resource dependencies \[No\] in the Resources block of the template",
        ),
        (
            {"Resources": {"Group": {"Type": GROUP}}, "Outputs": {"A": {"Value": {"Ref": "B"}}}},
            r"Unresolved resource dependencies \[B\] in the Outputs block of the template",
        ),
    ],
)
def test_a_name_that_the_template_does_not_have_is_refused(
    connect: Connect, unique: str, template: dict[str, Any], sentence: str
) -> None:
    cloudformation = connect("cloudformation")
    given = {"StackName": unique, "TemplateBody": json.dumps(template)}
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_stack(**given)
    with pytest.raises(ClientError, match=sentence):
        cloudformation.create_change_set(ChangeSetName="c", ChangeSetType="CREATE", **given)


def test_parameters_resources_and_pseudo_parameters_are_known(
    connect: Connect, unique: str
) -> None:
    group = {"Fn::Sub": ["${Name}-${AWS::Region}-${own}", {"own": "x"}]}
    template = {
        "Parameters": {"Name": {"Type": "String", "Default": unique}},
        "Resources": {"Group": {"Type": GROUP, "Properties": {"LogGroupName": group}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Group.Arn"}}},
    }
    connect("cloudformation").validate_template(TemplateBody=json.dumps(template))
