"""Why EC2 refuses to launch an instance: its different wordings, what they mean, what helps."""

import re

from opsctl.cause.telling import JOIN_LOGS

# Part of EC2's refusal -> what it means, and what helps. The first that matches is used.
_UP = "then run: opsctl ecs up"
_TYPE = f"another `compute.instance_type` or zone, {_UP}"
_AGAIN = "to make again what is missing: opsctl ecs up --revert-drift"
_QUOTA = f"ask for a higher quota of the account, {_UP}"
_MEANINGS = (
    (r"launch template", "the launch template cannot be used", _AGAIN),
    (r"Max ?spot|Spot.* count", "a quota of the account for Spot is used up", _QUOTA),
    (r"\bSpot", "no Spot capacity at this price", _TYPE),
    (
        r"InsufficientInstanceCapacity|sufficient .*capacity",
        "EC2 has no capacity for the type",
        _TYPE,
    ),
    (
        r"Request ?limit ?exceeded|Throttl|Rate exceeded",
        "AWS throttles it",
        "it passes by itself; to see: opsctl status",
    ),
    (
        r"VcpuLimitExceeded|vCPU|InstanceLimitExceeded|quota|limit|maximum number",
        "a quota of the account is used up",
        _QUOTA,
    ),
    (
        r"being validated|PendingVerification|\bblocked\b|not recognized as a valid account",
        "the account may not launch instances at present",
        f"ask AWS Support, {_UP}",
    ),
    (
        r"architecture",
        "the image is for another processor than the type",
        f"`compute.architecture` and `compute.instance_type` must agree, {_UP}",
    ),
    (
        r"InvalidAMIID|image id|\bAMI\b|ami-\w+",
        "the image of the launch template is not there",
        "to take the newest image: opsctl ecs up --new-ami",
    ),
    (
        r"InvalidKeyPair|key pair",
        "the key pair is not there",
        f"make it, or correct `compute.key_pair`, {_UP}",
    ),
    (
        r"instance profile|iamInstanceProfile|PassRole",
        "the instance profile cannot be used",
        _AGAIN,
    ),
    (
        r"InsufficientFreeAddresses|free addresses|enough free",
        "a subnet has no free address",
        f"other `compute.subnets`, {_UP}",
    ),
    (r"security group|InvalidGroup", "a security group is not there", _AGAIN),
    (r"target groups? not found|load balancer", "the target group is not there", _AGAIN),
    (r"subnet", "a subnet cannot be used", f"other `compute.subnets`, {_UP}"),
    (r"Lifecycle Action", "a lifecycle hook gave the instance up", JOIN_LOGS),
    (
        r"Unsupported|not supported|no longer supported|not eligible|InstanceType\b",
        "the type is not offered in this zone or to this account",
        _TYPE,
    ),
    (
        r"device name",
        "the volume's device cannot be used",
        f"correct `compute.volume.device`, {_UP}",
    ),
    (
        r"not authorized|UnauthorizedOperation|AccessDenied|encoded authorization|Access denied",
        "the roles lack a permission that EC2 needs",
        "to see what differs from the roles of the stack: opsctl ecs plan",
    ),
    (
        r"KMS|encrypt|ClientInternalError|Client\.InternalError",
        "the volume's key cannot be used",
        f"let Auto Scaling use the key of `compute.volume`, {_UP}",
    ),
)
_OTHERWISE = ("EC2 refuses it", _TYPE)


def refusal(text: str) -> tuple[str, str]:
    """Return what the refusal means, and the next command."""
    meanings = (
        (words, helps)
        for pattern, words, helps in _MEANINGS
        if re.search(pattern, text, re.IGNORECASE)
    )
    return next(meanings, _OTHERWISE)
