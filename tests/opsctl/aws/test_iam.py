"""IAM's own names, in every hint that tells what to allow."""

import pytest

from opsctl.aws import faults, iam
from tests.opsctl.aws.test_faults import client_error


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("elbv2 DescribeListeners", "elasticloadbalancing:DescribeListeners"),
        ("s3 HeadBucket", "s3:ListBucket"),
        ("ecs UpdateService", "ecs:UpdateService"),
        ("sts GetCallerIdentity", ""),
    ],
)
def test_a_call_has_iams_own_action(call: str, action: str) -> None:
    assert iam.action(call) == action


@pytest.mark.parametrize(
    ("service", "asked", "code", "said", "action"),
    [
        ("ssm", "DescribeStacks", "AccessDeniedException", "no", "ssm:DescribeStacks"),
        ("elbv2", "DescribeStacks", "AccessDenied", "", "elasticloadbalancing:DescribeStacks"),
        # What it needed is not always what was called, and then AWS says so.
        ("ssm", "DescribeStacks", "AccessDenied", "perform: kms:Decrypt on resource: *",
         "kms:Decrypt"),
        # Credentials are asked for within the call.
        ("ecs", "ListClusters", "AccessDenied", "", "sts:DescribeStacks"),
        ("sns", "DescribeStacks", "AuthorizationError", "", "sns:DescribeStacks"),
    ],
)  # fmt: skip
def test_a_refusal_says_which_action_to_allow(
    service: str, asked: str, code: str, said: str, action: str
) -> None:
    error = client_error(code, 403, said)
    faults.name_service(error, service, asked)
    translated = faults.translate(error)
    assert translated is not None and translated.hint == f"allow this caller `{action}`"
