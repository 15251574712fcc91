"""CloudFormation makes what its caller may make, or the role that the caller names."""

import json
from typing import Any

import pytest

from opsctl_sandbox.process.home import Sandbox
from opsctl_sandbox.wire.signature import Key
from tests.opsctl_sandbox.clients import Connect, client
from tests.opsctl_sandbox.fleet import until

_TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


def document(*actions: str, resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def somebody(sandbox: Sandbox, connect: Connect, name: str) -> Any:
    """The CloudFormation of a user who may call it, pass roles, and do nothing else."""
    iam = connect("iam")
    iam.create_user(UserName=name)
    allowed = document("cloudformation:*", "iam:PassRole")
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=allowed)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return client(sandbox, "cloudformation", Key(made["AccessKeyId"], made["SecretAccessKey"], ""))


def end(cloudformation: Any, stack: str) -> str:
    def status() -> str:
        now: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return "" if now.endswith("_IN_PROGRESS") else now

    return str(until(status))


def test_what_the_caller_may_not_do_fails_its_resource(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    cloudformation = somebody(sandbox, connect, unique)
    cloudformation.create_stack(StackName=unique, TemplateBody=_TEMPLATE)

    assert end(cloudformation, unique) == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    assert f"user/{unique} is not authorized to perform: sns:CreateTopic" in reasons
    assert "HandlerErrorCode: AccessDenied" in reasons


def test_a_role_that_the_caller_names_may_do_it_instead(
    sandbox: Sandbox, connect: Connect, unique: str
) -> None:
    iam, cloudformation = connect("iam"), somebody(sandbox, connect, unique)
    role = iam.create_role(RoleName=unique, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    allowed = document("sns:CreateTopic")
    iam.put_role_policy(RoleName=unique, PolicyName="p", PolicyDocument=allowed)

    change_set = cloudformation.create_change_set(
        StackName=unique,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=_TEMPLATE,
        RoleARN=role,
    )["Id"]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    assert end(cloudformation, unique) == "CREATE_COMPLETE"

    cloudformation.delete_stack(StackName=unique, RoleARN=role)
    assert end(cloudformation, unique) == "DELETE_FAILED", "it may make a topic, not delete one"


@pytest.mark.parametrize(("prefix", "ends"), [("", "CREATE_COMPLETE"), ("x-", "ROLLBACK_COMPLETE")])
def test_the_policy_must_name_the_resource_also_one_whose_name_is_generated(
    sandbox: Sandbox, connect: Connect, unique: str, prefix: str, ends: str
) -> None:
    iam, cloudformation = connect("iam"), somebody(sandbox, connect, unique)
    topics = f"arn:aws:sns:us-east-1:*:{prefix}{unique}-Topic-*"
    allowed = document("sns:CreateTopic", "sns:DeleteTopic", resource=topics)
    iam.put_user_policy(UserName=unique, PolicyName="topics", PolicyDocument=allowed)
    cloudformation.create_stack(StackName=unique, TemplateBody=_TEMPLATE)
    assert end(cloudformation, unique) == ends
    if not prefix:
        return
    events = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
    reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
    assert f"sns:CreateTopic on resource: arn:aws:sns:us-east-1:123456789012:{unique}" in reasons
