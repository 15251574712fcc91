"""The policy simulator looks at every resource and at conditions."""

import json
from typing import Any

from tests.opsctl_sandbox.clients import Connect

ROLE = "arn:aws:iam::123456789012:role"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"{ROLE}/web-*",
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}},
        },
        {"Effect": "Deny", "Action": "iam:PassRole", "Resource": f"{ROLE}/web-boss"},
    ],
}


def test_the_policy_simulator_knows_conditions_and_all_resources(
    connect: Connect, plain: Connect, unique: str
) -> None:
    iam = connect("iam")
    user = iam.create_user(UserName=unique)["User"]["Arn"]
    iam.put_user_policy(UserName=unique, PolicyName="p", PolicyDocument=json.dumps(POLICY))

    def decision(client: Any, names: list[str], service: str = "ecs.amazonaws.com") -> str:
        answer = client.simulate_principal_policy(
            PolicySourceArn=user,
            ActionNames=["iam:PassRole"],
            ResourceArns=[f"{ROLE}/{name}" for name in names],
            ContextEntries=[
                {
                    "ContextKeyName": "iam:PassedToService",
                    "ContextKeyValues": [service],
                    "ContextKeyType": "string",
                }
            ],
        )
        [result] = answer["EvaluationResults"]
        return str(result["EvalDecision"])

    assert decision(plain("iam"), ["web-a"]) == "implicitDeny"
    assert decision(iam, ["web-a"]) == "allowed"
    assert decision(iam, ["web-a"], "ec2.amazonaws.com") == "implicitDeny"
    assert decision(iam, ["web-a", "other"]) == "implicitDeny"
    assert decision(iam, ["web-a", "web-boss"]) == "explicitDeny"
