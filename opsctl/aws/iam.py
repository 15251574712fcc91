"""IAM's names: the action of a call, and the action that a refusal names."""

import re

# boto3's name of a service -> IAM's, if it differs.
_PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
# S3's actions are named after what they act on. The last two need no permission: everybody may call
# the first; the assumed role decides about the second.
_ACTIONS = {
    "s3 HeadBucket": "s3:ListBucket",
    "s3 PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "sts GetCallerIdentity": "",
    "sts AssumeRole": "",
}
_NAMED = re.compile(r"perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>(?!\*)\S+))?")


def action(call: str) -> str:
    """Return IAM's action for a call (`elbv2 DescribeListeners`), or '' if it needs none."""
    if call in _ACTIONS:
        return _ACTIONS[call]
    service, operation = call.split()
    return f"{_PREFIXES.get(service, service)}:{operation}"


def denied(text: str) -> tuple[str, str]:
    """Return the action that a refusal names, and ` on RESOURCE`. Each is '' when it names none."""
    match = _NAMED.search(text)
    if match is None:
        return "", ""
    return match["action"], f" on {match['resource'].rstrip('.')}" if match["resource"] else ""


def lacking(text: str, service: str, operation: str) -> str:
    """Return the action to allow after a refusal: the one that it names, or else the call's own.

    `service` is '' where it is not known.
    """
    named, _ = denied(text)
    if named or not service:
        return named or operation
    return action(f"{service} {operation}") or f"{service}:{operation}"
