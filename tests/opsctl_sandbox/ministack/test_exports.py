"""What a stack may export, given what others export and import."""

import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.opsctl_sandbox.clients import Connect


def exporting(**exports: str) -> str:
    outputs = {
        f"O{number}": {"Value": value, "Export": {"Name": name}}
        for number, (name, value) in enumerate(exports.items())
    }
    return json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs})


def importing(name: str) -> str:
    output = {"Y": {"Value": {"Fn::ImportValue": name}}}
    return json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": output})


def test_an_export_is_unique_and_stays_while_it_is_imported(connect: Connect, unique: str) -> None:
    cloudformation = connect("cloudformation")

    def ends(stack: str, waiter: str) -> None:
        cloudformation.get_waiter(waiter).wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )

    def create(stack: str, body: str) -> None:
        cloudformation.create_stack(StackName=stack, TemplateBody=body)
        ends(stack, "stack_create_complete")

    def update(body: str, waiter: str) -> None:
        cloudformation.update_stack(StackName=unique, TemplateBody=body)
        ends(unique, waiter)

    def reasons(stack: str) -> Any:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return {event.get("ResourceStatusReason") for event in events}

    used, free, user, rival = (f"{unique}{end}" for end in ("x", "y", "user", "rival"))
    create(unique, exporting(**{used: "1", free: "1"}))
    create(user, importing(used))

    with pytest.raises(WaiterError, match="ROLLBACK"):
        create(rival, exporting(**{free: "2"}))
    assert f"Export with name {free} is already exported by stack {unique}" in reasons(rival)

    update(exporting(**{used: "2"}), "stack_rollback_complete")
    assert f"Export {used} cannot be updated as it is in use by {user}" in reasons(unique)

    update(exporting(**{free: "1"}), "stack_rollback_complete")
    assert f"Export {used} cannot be deleted as it is in use by {user}" in reasons(unique)

    update(exporting(**{used: "1"}), "stack_update_complete")
    create(f"{rival}2", exporting(**{free: "2"}))
