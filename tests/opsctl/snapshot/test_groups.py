from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from opsctl.snapshot import groups

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient

Stubbed = tuple["AutoScalingClient", Stubber]


@pytest.fixture
def stubbed() -> Iterator[Stubbed]:
    client = boto3.client(
        "autoscaling", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield client, stub
    client.close()


def test_the_newest_refusal_is_told(stubbed: Stubbed) -> None:
    client, stub = stubbed
    told = {"ActivityId": "a", "AutoScalingGroupName": "g", "Cause": "c", "StartTime": 0}
    activities = [
        {**told, "StatusCode": "Successful"},
        {**told, "StatusCode": "Failed", "StatusMessage": "no capacity"},
        {**told, "StatusCode": "Failed", "StatusMessage": "older"},
    ]
    stub.add_response("describe_scaling_activities", {"Activities": activities})

    assert groups.refusal(client, "g") == "no capacity"


def test_who_may_not_ask_is_told_the_rest(stubbed: Stubbed) -> None:
    client, stub = stubbed
    stub.add_client_error("describe_scaling_activities", "AccessDenied")

    assert groups.refusal(client, "g") == ""
