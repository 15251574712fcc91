"""Names in the parameters of somebody else's call that only the running system knows."""

from collections.abc import Callable, Mapping
from typing import Any

# The name of an AWS service -> its client.
Clients = Callable[[str], Any]


def filled(parameters: Any, system: str, clients: Clients) -> Any:
    """Replace every text that begins with `$` by what it names.

    `$ecs.TargetGroup` is the physical id of that resource of the stack; `$task`, `$instance` (of
    EC2) and `$target` (with its port) are the first of the service. Raises LookupError for what is
    not there.
    """
    if isinstance(parameters, Mapping):
        return {key: filled(value, system, clients) for key, value in parameters.items()}
    if isinstance(parameters, list):
        return [filled(value, system, clients) for value in parameters]
    if not isinstance(parameters, str) or not parameters.startswith("$"):
        return parameters
    name = parameters[1:]
    stack, _, logical_id = name.partition(".")
    if logical_id:
        return _resource(clients, f"{system}-{stack}", logical_id)
    if name not in _FIRST:
        raise LookupError(
            f"`{parameters}` names nothing; $STACK.RESOURCE, ${', $'.join(_FIRST)} do"
        )
    return _FIRST[name](clients, system)


def _resource(clients: Clients, stack: str, logical_id: str) -> str:
    described = clients("cloudformation").describe_stack_resource(
        StackName=stack, LogicalResourceId=logical_id
    )
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


def _task(clients: Clients, system: str) -> str:
    return str(clients("ecs").list_tasks(cluster=system)["taskArns"][0])


def _instance(clients: Clients, system: str) -> str:
    ecs = clients("ecs")
    arns = ecs.list_container_instances(cluster=system)["containerInstanceArns"][:1]
    described = ecs.describe_container_instances(cluster=system, containerInstances=arns)
    return str(described["containerInstances"][0]["ec2InstanceId"])


def _target(clients: Clients, system: str) -> Mapping[str, Any]:
    group = _resource(clients, f"{system}-ecs", "TargetGroup")
    described = clients("elbv2").describe_target_health(TargetGroupArn=group)
    target = described["TargetHealthDescriptions"][0]["Target"]
    return {key: target[key] for key in ("Id", "Port")}


_FIRST: Mapping[str, Callable[[Clients, str], Any]] = {
    "task": _task,
    "instance": _instance,
    "target": _target,
}
