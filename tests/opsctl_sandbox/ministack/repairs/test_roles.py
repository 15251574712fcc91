"""Roles that do not exist are not assumed."""

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect


def test_a_role_that_does_not_exist_is_not_assumed(connect: Connect, plain: Connect) -> None:
    nobody = {"RoleArn": "arn:aws:iam::123456789012:role/nobody", "RoleSessionName": "people"}
    assert plain("sts").assume_role(**nobody)["Credentials"]
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole") as caught:
        connect("sts").assume_role(**nobody)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
