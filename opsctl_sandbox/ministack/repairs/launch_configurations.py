"""Launch configurations as they are: what the template gives is kept and described."""

from collections.abc import Callable
from typing import Any

from ministack.services import autoscaling
from ministack.services.cloudformation import provisioners

from opsctl_sandbox.wire.calls import Call, Forward, Structure

_TYPE = "AWS::AutoScaling::LaunchConfiguration"
_KEPT = (
    "AssociatePublicIpAddress",
    "BlockDeviceMappings",
    "EbsOptimized",
    "IamInstanceProfile",
    "KeyName",
    "MetadataOptions",
    "UserData",
)
Made = tuple[str, dict[str, Any]]


def install() -> None:
    """Let stacks keep the properties that ministack's handler drops."""
    plain: Callable[..., Made] = provisioners._RESOURCE_HANDLERS[_TYPE]["create"]

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Made:
        name, attributes = plain(logical_id, properties, stack)
        kept = {key: properties[key] for key in _KEPT if key in properties}
        autoscaling._launch_configs[name].update(kept)
        return name, attributes

    provisioners._RESOURCE_HANDLERS[_TYPE]["create"] = create


async def describe(call: Call, ministack: Forward) -> Structure:
    answer = await ministack(call.parameters)
    return {
        **answer,
        "LaunchConfigurations": [
            {**one, **_kept(call, one["LaunchConfigurationName"])}
            for one in answer.get("LaunchConfigurations", ())
        ],
    }


def _kept(call: Call, name: str) -> dict[str, Any]:
    for scoped, record in autoscaling._launch_configs._data.items():
        if scoped[-1] == name and call.account in scoped:
            return {key: record[key] for key in _KEPT if record.get(key)}
    return {}
