"""Calls that name what does not exist, or bring too much, are refused; ministack takes them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from opsctl_sandbox.wire import buckets
from opsctl_sandbox.wire.calls import Refused
from opsctl_sandbox.wire.codec import Named
from opsctl_sandbox.wire.http import Request
from tests.opsctl_sandbox.clients import Connect

TAG = {"ResourceId": "nope", "ResourceType": "auto-scaling-group", "Key": "k"}
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/x/0123456789abcdef"

LISTENER = BALANCER.replace("loadbalancer", "listener") + "/0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/nope"
ACTION = {"ActionNames": ["ecs:ListClusters"]}


@pytest.mark.parametrize(
    ("service", "operation", "given", "code"),
    [
        ("autoscaling", "create_or_update_tags", {"Tags": [TAG]}, "ValidationError"),
        ("autoscaling", "delete_tags", {"Tags": [TAG]}, "ValidationError"),
        ("elbv2", "describe_listeners", {"LoadBalancerArn": BALANCER}, "LoadBalancerNotFound"),
        ("ec2", "describe_images", {"ImageIds": ["ami-0"]}, "InvalidAMIID.NotFound"),
        ("ec2", "describe_images", {"ImageIds": ["nope"]}, "InvalidAMIID.Malformed"),
        (
            *("ec2", "describe_route_tables"),
            {"RouteTableIds": ["rtb-0"]},
            "InvalidRouteTableID.NotFound",
        ),
        ("elbv2", "describe_target_groups", {"LoadBalancerArn": BALANCER}, "LoadBalancerNotFound"),
        ("elbv2", "describe_listeners", {"ListenerArns": [LISTENER]}, "ListenerNotFound"),
        ("iam", "simulate_principal_policy", {**ACTION, "PolicySourceArn": ROLE}, "NoSuchEntity"),
        ("logs", "stop_query", {"queryId": "nope"}, "ResourceNotFoundException"),
        ("ssm", "get_parameters_by_path", {"Path": "nope"}, "ValidationException"),
        (
            "ssm",
            "put_parameter",
            {"Name": "/long", "Value": "x" * 4097, "Type": "String"},
            "ValidationException",
        ),
    ],
)
def test_it_is_refused(
    connect: Connect,
    plain: Connect,
    service: str,
    operation: str,
    given: dict[str, Any],
    code: str,
) -> None:
    getattr(plain(service), operation)(**given)
    with pytest.raises(ClientError) as refused:
        getattr(connect(service), operation)(**given)
    assert refused.value.response["Error"]["Code"] == code


def test_a_long_value_fits_the_advanced_tier_and_a_parameter_that_has_it(
    connect: Connect, unique: str
) -> None:
    ssm = connect("ssm")
    given = {"Name": f"/{unique}", "Value": "x" * 4097, "Type": "String"}
    ssm.put_parameter(Tier="Advanced", **given)
    assert ssm.put_parameter(Overwrite=True, **given)["Tier"] == "Advanced"


@pytest.mark.parametrize(
    ("region", "given", "code"),
    [
        ("us-east-1", {"LocationConstraint": "us-east-1"}, "InvalidLocationConstraint"),
        ("eu-west-1", {}, "IllegalLocationConstraintException"),
        ("eu-west-1", {"LocationConstraint": "eu-west-2"}, "IllegalLocationConstraintException"),
        ("eu-west-1", {"LocationConstraint": "eu-west-1"}, ""),
        ("us-east-1", {"LocationConstraint": "eu-west-1"}, ""),
    ],
)
def test_a_bucket_is_made_where_its_endpoint_is(
    region: str, given: dict[str, str], code: str
) -> None:
    body = "".join(f"<{name}>{value}</{name}>" for name, value in given.items()).encode()
    named = Named("s3", "PUT", "rest-xml", region, "key")
    try:
        buckets.check(named, Request("PUT", "/bucket", "", {}, body))
    except Refused as refused:
        assert refused.code == code
    else:
        assert not code


def test_a_bucket_of_another_owner_than_expected_is_refused(connect: Connect, unique: str) -> None:
    s3 = connect("s3")
    s3.create_bucket(Bucket=unique)
    s3.head_bucket(Bucket=unique, ExpectedBucketOwner="123456789012")
    for call, given in (
        (s3.head_bucket, {}),
        (s3.put_object, {"Key": "template", "Body": b""}),
        (s3.put_public_access_block, {"PublicAccessBlockConfiguration": {}}),
    ):
        with pytest.raises(ClientError) as refused:
            call(Bucket=unique, ExpectedBucketOwner="999999999999", **given)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError) as missing:
        s3.head_bucket(Bucket=f"{unique}-nope", ExpectedBucketOwner="999999999999")
    assert missing.value.response["Error"]["Code"] == "404"


def test_what_iam_does_not_have_is_named_in_its_words(connect: Connect, unique: str) -> None:
    iam = connect("iam")
    with pytest.raises(ClientError, match=f"The role with name {unique} cannot be found"):
        iam.get_role(RoleName=unique)
    with pytest.raises(ClientError, match=f"Instance Profile {unique} cannot be found"):
        iam.get_instance_profile(InstanceProfileName=unique)


def test_a_query_needs_a_group_and_a_time_when_it_existed(connect: Connect, unique: str) -> None:
    logs = connect("logs")
    query = {"queryString": "fields @message", "startTime": 1, "endTime": 2}
    with pytest.raises(ClientError, match=f"Log group '{unique}' does not exist for account ID"):
        logs.start_query(logGroupName=unique, **query)
    logs.create_log_group(logGroupName=unique)
    with pytest.raises(ClientError, match="before the log groups creation time"):
        logs.start_query(logGroupNames=[unique], **query)
