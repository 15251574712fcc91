"""opsctl/permissions/actions.json: what AWS's own lists say of the actions that opsctl needs.

The resource schemas say what CloudFormation does with the caller's rights, the service
authorization reference on which resources each action acts; cfn-lint ships both.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from opsctl.aws import iam
from opsctl.permissions import calls as ours
from scripts import calls

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "opsctl" / "permissions" / "actions.json"
# What the schemas ask for features that no template here uses.
_UNUSED = re.compile(
    r"firehose:.*|vpc-lattice:.*|lambda:.*|managed-fleets:.*|cognito-idp:.*|s3:.*|ssm:Get\*"
    r"|logs:.*(LogDelivery|LogDeliveries|IndexPolic|DataProtectionPolicy|ResourcePolic).*"
    r"|logs:(PutBearerTokenAuthentication|PutLogGroupDeletionProtection|CreateLogStream)"
    r"|logs:(PutLogEvents|DeleteResourcePolicy)|sns:.*DataProtectionPolicy"
    r"|ec2:Get\*|.*IpamPool.*|.*IpPools|.*CapacityReservation"
    r"|ecs:PutAccountSetting.*|application-autoscaling:.*ScheduledAction.*"
    r"|autoscaling:.*(TrafficSources|InstanceRefresh|NotificationConfiguration)"
    r"|autoscaling:.*LoadBalancer.*"
)


def text() -> str:
    """The file, one action a line, so that a change can be read."""
    templates = {name: _handlers(name) for name in _types()}
    own = calls.every()
    actions = {
        action for handlers in templates.values() for one in handlers.values() for action in one
    }
    actions |= {action for call in own if (action := iam.action(call))} | set(ours.DOCKER)
    made = {
        "calls": {call: iam.action(call) for call in own},
        "templates": templates,
        "resources": {action: _resources(action) for action in sorted(actions)},
    }
    return _dumped(made) + "\n"


def _dumped(made: Mapping[str, Any]) -> str:
    """A list on a line, so that a change of one action is a change of one line."""
    whole = json.dumps(made, indent=1)
    return re.sub(r"\[\n\s+([^\[\]{}]*?)\n\s+\]", _joined, whole)


def _joined(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\n\s+", " ", match[1]) + "]"


def _types() -> list[str]:
    """Every resource type that a template can have."""
    texts = [path.read_text() for path in (ROOT / "templates").rglob("*.j2")]
    types = set(re.findall(r"Type: (AWS::\w+::\w+)$", "\n".join(texts), re.MULTILINE))
    return sorted(types | {"AWS::EC2::LaunchTemplate", "AWS::AutoScaling::LaunchConfiguration"})


def _handlers(resource_type: str) -> dict[str, list[str]]:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    tags = schema.get("tagging", {}).get("permissions", [])
    return {
        name: _used([*one.get("permissions", ()), *(tags if name != "read" else ())])
        for name, one in sorted(schema.get("handlers", {}).items())
        if name != "list"
    }


def _used(actions: Iterable[str]) -> list[str]:
    """Without what no template needs, and without the patterns that take in what is listed."""
    kept = {action for action in actions if not _UNUSED.fullmatch(action)}
    return sorted(kept)


@cache
def _reference() -> Mapping[str, Any]:
    import cfnlint

    folder = Path(str(cfnlint.__file__)).parent / "data" / "AdditionalSpecs"
    reference: dict[str, Any] = json.loads((folder / "Policies.json").read_text())
    return reference


def _resources(action: str) -> list[str]:
    service, _, name = action.partition(":")
    known = _reference()[service]["Actions"].get(name.lower())
    if known is None and "*" not in name:
        raise LookupError(f"AWS knows no action {action}")
    return sorted(one.lower().rstrip("/") for one in (known or {}).get("Resources", ()))
