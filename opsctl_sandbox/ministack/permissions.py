"""What the policies of a user or a role allow, by action: resources and conditions are not looked
at, so a policy that is too narrow there still passes here.
"""

from ministack.core import iam_evaluator

# Signing name -> IAM's prefix, where it is another.
_PREFIXES = {"monitoring": "cloudwatch"}
# S3's actions are named for what they act on.
_S3 = {
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def refusal(principal: str, service: str, operation: str) -> str:
    """AWS's sentence when nothing allows the call to this user or session; else empty."""
    if service == "sts":
        # Nobody needs a permission to ask who it is; a role's trust is not looked at.
        return ""
    name = _S3.get(operation, operation) if service == "s3" else operation
    action = f"{_PREFIXES.get(service, service)}:{name}"
    statements = [one for policy in _policies(principal) for one in policy]
    matching = [
        one
        for one in statements
        if iam_evaluator._action_matches(action, one.actions, one.not_actions)
    ]
    who = f"User: {principal} is not authorized to perform: {action} on resource: *"
    if any(one.effect == "Deny" and "*" in one.resources for one in matching):
        return f"{who} with an explicit deny in an identity-based policy"
    if any(one.effect == "Allow" for one in matching):
        return ""
    return f"{who} because no identity-based policy allows the {action} action"


def _policies(principal: str) -> list[list[iam_evaluator.ParsedStatement]]:
    """`arn:aws:iam::1:user/NAME` or `arn:aws:sts::1:assumed-role/NAME/SESSION`."""
    account, _, path = principal.split(":", 4)[4].partition(":")
    kind, *names = path.split("/")
    policies: list[list[iam_evaluator.ParsedStatement]]
    if kind == "assumed-role":
        policies = iam_evaluator._gather_role_policies(names[0], account)
    else:
        policies = iam_evaluator._gather_user_policies(names[-1], account)
    return policies
