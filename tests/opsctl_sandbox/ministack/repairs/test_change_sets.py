"""Change sets: what ministack gets wrong, still, and what the sandbox answers instead."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ministack.services.cloudformation import handlers

from opsctl_sandbox.ministack.repairs import change_sets
from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect, post


def template(image: str = "a", days: int = 7, cidr: str = "10.0.0.0/8") -> str:
    ingress = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": cidr}
    resources = {
        "Absent": {"Type": "AWS::Logs::LogGroup", "Condition": "Never"},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}},
        "Guard": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "x", "SecurityGroupIngress": [ingress]},
        },
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {"ContainerDefinitions": [{"Name": "web", "Image": image, "Memory": 9}]},
        },
    }
    return json.dumps({"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}, "Resources": resources})


def changes(cloudformation: Any, stack: str, name: str) -> dict[str, Any]:
    waiter = cloudformation.get_waiter("change_set_create_complete")
    waiter.wait(StackName=stack, ChangeSetName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 9})
    found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)["Changes"]
    return {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in found}


def plan(sandbox: Sandbox, failures: list[dict[str, str]]) -> None:
    post(sandbox, "failures", failures)


def status(cloudformation: Any, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def test_a_resource_whose_condition_is_false_is_not_announced(
    connect: Connect, plain: Connect, unique: str
) -> None:
    connect("cloudformation").create_change_set(
        StackName=unique, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template()
    )

    assert "Absent" in changes(plain("cloudformation"), unique, "first")
    assert set(changes(connect("cloudformation"), unique, "first")) == {"Group", "Guard", "Task"}


def test_a_change_of_outputs_alone_has_no_changes_and_can_be_executed(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")

    def body(*outputs: str) -> str:
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": unique}}
        values = {one: {"Value": "1"} for one in outputs}
        return json.dumps({"Resources": {"Topic": topic}, "Outputs": values})

    def seen(cloudformation: Any, name: str, text: str) -> dict[str, Any]:
        given = {"StackName": unique, "ChangeSetName": name}
        cloudformation.create_change_set(**given, TemplateBody=text)
        described: dict[str, Any] = cloudformation.describe_change_set(**given)
        return described

    cloudformation.create_stack(StackName=unique, TemplateBody=body("A"))
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=unique, WaiterConfig={"Delay": 1})
    assert seen(plain("cloudformation"), "plain", body("A", "B"))["Status"] == "FAILED"
    assert seen(cloudformation, "same", body("A"))["Status"] == "FAILED"
    more = seen(cloudformation, "more", body("A", "B"))
    assert (more["Status"], more["Changes"]) == ("CREATE_COMPLETE", [])
    cloudformation.execute_change_set(StackName=unique, ChangeSetName="more")
    waiter = cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName=unique, WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert {one["OutputKey"] for one in stack["Outputs"]} == {"A", "B"}


def test_a_condition_adds_and_removes_its_resource_and_a_change_of_none_is_none(
    connect: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")

    def given(on: str, days: int) -> dict[str, Any]:
        group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
        body = {
            "Parameters": {"On": {"Type": "String"}},
            "Conditions": {"Released": {"Fn::Equals": [{"Ref": "On"}, "yes"]}},
            "Resources": {"Always": group, "Later": {**group, "Condition": "Released"}},
        }
        parameters = [{"ParameterKey": "On", "ParameterValue": on}]
        return {"TemplateBody": json.dumps(body), "Parameters": parameters}

    def actions(name: str, on: str, days: int) -> dict[str, str]:
        cloudformation.create_change_set(
            StackName=unique, ChangeSetName=name, ChangeSetType="UPDATE", **given(on, days)
        )
        made = changes(cloudformation, unique, name)
        return {one: change["Action"] for one, change in made.items()}

    wait = {"Delay": 1, "MaxAttempts": 30}
    cloudformation.create_stack(StackName=unique, **given("no", 1))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig=wait)
    assert actions("none", "no", 3) == {"Always": "Modify"}
    assert actions("add", "yes", 3) == {"Always": "Modify", "Later": "Add"}
    cloudformation.execute_change_set(StackName=unique, ChangeSetName="add")
    cloudformation.get_waiter("stack_update_complete").wait(StackName=unique, WaiterConfig=wait)
    assert actions("remove", "no", 5) == {"Always": "Modify", "Later": "Remove"}


def test_replacement_is_definite_where_the_type_decides_it(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=template())
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    cloudformation.create_change_set(
        StackName=unique,
        ChangeSetName="next",
        ChangeSetType="UPDATE",
        TemplateBody=template(image="b", days=14, cidr="10.1.0.0/16"),
    )

    def replacement(make: Connect) -> dict[str, str]:
        found = changes(make("cloudformation"), unique, "next")
        return {name: change["Replacement"] for name, change in found.items()}

    expected = {"Task": "True", "Group": "False", "Guard": "False"}
    assert replacement(plain) != expected
    assert replacement(connect) == expected


def test_a_stack_in_rollback_complete_cannot_be_updated(
    sandbox: Sandbox, connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    doomed = {"Resources": {f"Doomed{unique}": {"Type": "AWS::Logs::LogGroup"}}}
    plan(sandbox, [{"kind": "resource-fails", "match": f"Doomed{unique}"}])
    cloudformation.create_stack(StackName=unique, TemplateBody=json.dumps(doomed))
    deadline = time.monotonic() + 30
    while status(cloudformation, unique) != "ROLLBACK_COMPLETE":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    plan(sandbox, [])
    parameters = {"StackName": unique, "ChangeSetType": "UPDATE", "TemplateBody": template()}

    plain("cloudformation").create_change_set(ChangeSetName="plain", **parameters)
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        cloudformation.create_change_set(ChangeSetName="ours", **parameters)
    parameters["ChangeSetType"] = "CREATE"
    with pytest.raises(ClientError, match=r"already exists and cannot be created again with the"):
        cloudformation.create_change_set(ChangeSetName="ours", **parameters)
    with pytest.raises(ClientError, match=r"Stack \[\w+\] already exists"):
        cloudformation.create_stack(StackName=unique, TemplateBody=template())
    plain("cloudformation").create_stack(StackName=unique, TemplateBody=template())


def test_a_template_with_iam_resources_needs_its_capability(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    body = json.dumps({"Resources": {"Role": role}})

    # Not called with the plain header: the check is switched on for the whole server.
    assert not handlers._capabilities_enforced()
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]") as caught:
        cloudformation.create_stack(StackName=unique, TemplateBody=body)
    assert caught.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    with pytest.raises(ClientError, match="Requires capabilities"):
        cloudformation.create_change_set(
            StackName=unique, TemplateBody=body, ChangeSetName="c", ChangeSetType="CREATE"
        )
    cloudformation.create_stack(
        StackName=unique, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"]
    )


def test_a_stack_is_found_by_a_resource_of_it(
    connect: Connect, plain: Connect, unique: str
) -> None:
    properties = {"LogGroupName": f"/{unique}"}
    body = json.dumps(
        {"Resources": {"L": {"Type": "AWS::Logs::LogGroup", "Properties": properties}}}
    )
    connect("cloudformation").create_stack(StackName=unique, TemplateBody=body)
    connect("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )
    parameters = {"PhysicalResourceId": f"/{unique}"}

    with pytest.raises(ClientError, match="does not exist"):
        plain("cloudformation").describe_stack_resources(**parameters)
    (found,) = connect("cloudformation").describe_stack_resources(**parameters)["StackResources"]
    assert (found["StackName"], found["LogicalResourceId"]) == (unique, "L")


def test_more_than_a_hundred_resources_are_listed_in_pages_only(
    connect: Connect, plain: Connect, unique: str
) -> None:
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    body = json.dumps({"Resources": {f"Handle{number}": handle for number in range(101)}})
    connect("cloudformation").create_stack(StackName=unique, TemplateBody=body)
    connect("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )

    def described(cloudformation: Any) -> int:
        return len(cloudformation.describe_stack_resources(StackName=unique)["StackResources"])

    assert (described(plain("cloudformation")), described(connect("cloudformation"))) == (101, 100)
    pages = connect("cloudformation").get_paginator("list_stack_resources").paginate
    assert sum(len(page["StackResourceSummaries"]) for page in pages(StackName=unique)) == 101


def reviewed(cloudformation: Any, stack: str, name: str, **others: Any) -> dict[str, Any]:
    """A change set that creates the stack."""
    parameters = {"ChangeSetType": "CREATE", "TemplateBody": template(), **others}
    answer: dict[str, Any] = cloudformation.create_change_set(
        StackName=stack, ChangeSetName=name, **parameters
    )
    return answer


def test_a_stack_that_two_people_review_is_one_stack(
    connect: Connect, plain: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    first, second = (reviewed(cloudformation, unique, name) for name in ("first", "second"))

    assert first["StackId"] == second["StackId"]
    with pytest.raises(ClientError):
        reviewed(cloudformation, unique, "bad", TemplateBody="{")
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert (stack["StackId"], stack["StackStatus"]) == (first["StackId"], "REVIEW_IN_PROGRESS")
    named = cloudformation.list_change_sets(StackName=unique)["Summaries"]
    assert {one["ChangeSetName"] for one in named} == {"first", "second"}
    assert {one["StackId"] for one in named} == {first["StackId"]}
    by_id = {"StackName": first["StackId"]}
    assert len(cloudformation.list_change_sets(**by_id)["Summaries"]) == 2
    assert plain("cloudformation").list_change_sets(**by_id)["Summaries"] == []
    with pytest.raises(ClientError, match=r"Stack \[nobody\] does not exist"):
        cloudformation.list_change_sets(StackName="nobody")
    described = cloudformation.describe_change_set(ChangeSetName=second["Id"])
    assert described["StackId"] == first["StackId"]
    assert reviewed(plain("cloudformation"), unique, "third")["StackId"] != first["StackId"]


def test_executing_a_change_set_removes_the_others_and_no_second_one_is_executed(
    connect: Connect, unique: str
) -> None:
    cloudformation = connect("cloudformation")
    first, second = (reviewed(cloudformation, unique, name) for name in ("first", "second"))
    cloudformation.execute_change_set(ChangeSetName=first["Id"])
    for name in (second["Id"], "second"):
        with pytest.raises(ClientError, match="does not exist") as gone:
            cloudformation.execute_change_set(ChangeSetName=name, StackName=unique)
        assert gone.value.response["Error"]["Code"] == "ChangeSetNotFound"
    with pytest.raises(ClientError, match=r"current execution status of \[EXECUTE_") as twice:
        cloudformation.execute_change_set(ChangeSetName=first["Id"])
    assert twice.value.response["Error"]["Code"] == "InvalidChangeSetStatus"
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert stack["StackId"] == first["StackId"]


def test_a_change_set_without_changes_cannot_be_executed(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    cloudformation.create_stack(StackName=unique, TemplateBody=template())
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )
    cloudformation.create_change_set(
        StackName=unique, ChangeSetName="same", TemplateBody=template()
    )
    with pytest.raises(ClientError, match=r"cannot be executed in its current status of \[FAILED"):
        cloudformation.execute_change_set(StackName=unique, ChangeSetName="same")


def test_deleting_by_its_id_deletes_a_stack_that_lives(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    first = reviewed(cloudformation, unique, "first")
    reviewed(cloudformation, unique, "second")
    cloudformation.execute_change_set(ChangeSetName=first["Id"])
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )
    cloudformation.delete_stack(StackName=first["StackId"])
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=first["StackId"], WaiterConfig={"Delay": 1}
    )


def test_a_stack_whose_export_is_in_use_gets_its_status_back(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{unique}"}}
    output = {"Value": "x", "Export": {"Name": f"{unique}-x"}}
    exporting = {"Resources": {"Group": group}, "Outputs": {"X": output}}
    using = {
        "Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}},
        "Outputs": {"Y": {"Value": {"Fn::ImportValue": f"{unique}-x"}}},
    }
    for name, body in ((unique, exporting), (f"{unique}-user", using)):
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 9}
        )

    cloudformation.delete_stack(StackName=unique, ClientRequestToken="mine")

    reason = f"Export {unique}-x cannot be deleted as it is in use by {unique}-user"
    [stack] = cloudformation.describe_stacks(StackName=unique)["Stacks"]
    assert (stack["StackStatus"], stack["StackStatusReason"]) == ("CREATE_COMPLETE", reason)
    last, begun, *_ = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    assert (last["ResourceStatus"], last["ResourceStatusReason"]) == ("CREATE_COMPLETE", reason)
    assert begun["ResourceStatus"] == "DELETE_IN_PROGRESS"
    assert begun["ResourceStatusReason"] == "User Initiated"
    assert {one.get("ClientRequestToken") for one in (last, begun)} == {"mine"}


def test_every_event_carries_the_token_of_its_operation(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")
    made = reviewed(cloudformation, unique, "first")
    cloudformation.execute_change_set(ChangeSetName=made["Id"], ClientRequestToken="mine-1")
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=unique, WaiterConfig={"Delay": 1}
    )
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    tokens = {e.get("ClientRequestToken") for e in events}
    assert {e["ResourceStatus"] for e in events if "ClientRequestToken" not in e} == {
        "REVIEW_IN_PROGRESS"
    }
    assert tokens == {"mine-1", None}


def test_whether_a_new_launch_type_replaces_a_service_depends_on_what_comes_with_it() -> None:
    target = {"Attribute": "Properties", "Name": "LaunchType"}
    change = {
        "ResourceType": "AWS::ECS::Service",
        "Replacement": "Conditional",
        "Details": [{"Target": target}],
    }
    changed = change_sets.decided(change)
    assert changed["Replacement"] == "Conditional"
    assert changed["Details"][0]["Target"]["RequiresRecreation"] == "Conditionally"
