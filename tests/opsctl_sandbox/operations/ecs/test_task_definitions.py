"""Task definitions over HTTP: what ECS still does with one that was deregistered."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect
from tests.opsctl_sandbox.operations.ecs.test_tasks import instance, register


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_deregistered_revision_serves_on_and_nothing_new_may_name_it(
    connect: Connect, unique: str
) -> None:
    instance(connect, unique)
    ecs = connect("ecs")
    definition = register(ecs, unique)
    here: dict[str, Any] = {"cluster": unique, "service": unique}
    new = {"cluster": unique, "taskDefinition": definition}
    ecs.create_service(serviceName=unique, desiredCount=1, **new)
    ecs.deregister_task_definition(taskDefinition=definition)

    described = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert described["status"] == "INACTIVE"
    words = "TaskDefinition is inactive"
    assert refusal(ecs.run_task, **new) == ("InvalidParameterException", words)
    assert refusal(ecs.create_service, serviceName="b", **new) == ("ClientException", words)
    same = {**here, "taskDefinition": definition}
    assert refusal(ecs.update_service, **same) == ("ClientException", words)

    assert ecs.update_service(**here, desiredCount=2)["service"]["desiredCount"] == 2
    ecs.update_service(**here, taskDefinition=register(ecs, unique))
