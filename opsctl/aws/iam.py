"""IAM's names: the action of a call, and the action that a refusal names."""

import re

# boto3's word for a service -> IAM's, where it is another.
_PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
# S3's actions are named for what they act on. AWS asks nobody's permission for the last two:
# the first is free for all, the second is a right of the role that is assumed.
_ACTIONS = {
    "s3 HeadBucket": "s3:ListBucket",
    "s3 PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "sts GetCallerIdentity": "",
    "sts AssumeRole": "",
}
_NAMED = re.compile(r"perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>(?!\*)\S+))?")


def action(call: str) -> str:
    """IAM's action of a call (`elbv2 DescribeListeners`); '' for one that needs none."""
    if call in _ACTIONS:
        return _ACTIONS[call]
    service, operation = call.split()
    return f"{_PREFIXES.get(service, service)}:{operation}"


def denied(text: str) -> tuple[str, str]:
    """The action that AWS's refusal names, and ` on RESOURCE`; each '' where it names none."""
    match = _NAMED.search(text)
    if match is None:
        return "", ""
    return match["action"], f" on {match['resource'].rstrip('.')}" if match["resource"] else ""


def lacking(text: str, service: str, operation: str) -> str:
    """The action to allow after this refusal of a call: the one that it names, else the call's.

    `service` is '' where it is not known.
    """
    named, _ = denied(text)
    if named or not service:
        return named or operation
    return action(f"{service} {operation}") or f"{service}:{operation}"
