"""Lifecycle hooks of Auto Scaling groups: what an instance waits for before it is terminated.

Only terminating ones: a hook on launches is refused.
"""

from typing import Any

from opsctl_sandbox.cluster import instances
from opsctl_sandbox.cluster.values import Group, Hook, Instance
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Refused, Structure

Answer = dict[str, Any]
_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


def no_group(name: str) -> Refused:
    return Refused(
        "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
    )


def _group(simulation: Simulation, request: Structure) -> Group:
    name = request["AutoScalingGroupName"]
    group = simulation.world().groups.get(name)
    if group is None:
        raise no_group(name)
    return group


async def put(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    request = call.parameters
    group = _group(simulation, request)
    name = request["LifecycleHookName"]
    known = group.hooks.get(name)
    document = {**(known.document if known else {}), **request}
    if document.get("LifecycleTransition") != _TERMINATING:
        raise Refused(
            "ValidationError", f"the sandbox has lifecycle hooks for {_TERMINATING} alone"
        )
    timeout = float(document.get("HeartbeatTimeout", 3600))
    simulation.engine.put_hook(group.spec.name, Hook(name, timeout, document))
    return {}


async def describe(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    group = _group(simulation, call.parameters)
    names = call.parameters.get("LifecycleHookNames") or group.hooks
    hooks = [_described(group, group.hooks[name]) for name in names if name in group.hooks]
    return {"LifecycleHooks": hooks}


def _described(group: Group, hook: Hook) -> Answer:
    managed = hook.name == instances.MANAGED_DRAINING
    answer: Answer = {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group.spec.name,
        "LifecycleTransition": _TERMINATING,
        "HeartbeatTimeout": int(hook.timeout),
        "GlobalTimeout": 172800,
        "DefaultResult": hook.document.get("DefaultResult", "CONTINUE" if managed else "ABANDON"),
    }
    kept = ("NotificationTargetARN", "RoleARN", "NotificationMetadata")
    return answer | {name: hook.document[name] for name in kept if name in hook.document}


async def delete(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    group = _group(simulation, call.parameters)
    simulation.engine.delete_hook(group.spec.name, call.parameters["LifecycleHookName"])
    return {}


async def complete(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    """Complete the action. CONTINUE and ABANDON both end an instance that is being terminated."""
    instance, hook = _waiting(simulation, call.parameters)
    simulation.engine.complete_hook(instance.id, hook)
    return {}


async def heartbeat(simulation: Simulation, call: Call, forward: Forward) -> Structure:
    instance, hook = _waiting(simulation, call.parameters)
    timeout = _group(simulation, call.parameters).hooks[hook].timeout
    instance.waits_for[hook] = simulation.world().now + timeout
    return {}


def _waiting(simulation: Simulation, request: Structure) -> tuple[Instance, str]:
    _group(simulation, request)
    identifier, hook = request.get("InstanceId", ""), request["LifecycleHookName"]
    instance = simulation.world().instances.get(identifier)
    if instance is None or hook not in instance.waits_for:
        raise Refused(
            "ValidationError", f"No active Lifecycle Action found with instance ID {identifier}"
        )
    return instance, hook


OPERATIONS = {
    "PutLifecycleHook": put,
    "DescribeLifecycleHooks": describe,
    "DeleteLifecycleHook": delete,
    "CompleteLifecycleAction": complete,
    "RecordLifecycleActionHeartbeat": heartbeat,
}
