"""What the account may have: quotas, and instance types by zone."""

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect


def test_a_quota_has_a_default_and_may_have_been_raised(connect: Connect) -> None:
    quotas = connect("service-quotas")
    vcpus = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    assert quotas.get_aws_default_service_quota(**vcpus)["Quota"]["Value"] == 5
    assert quotas.get_service_quota(**vcpus)["Quota"]["Value"] == 256
    [quota] = quotas.list_service_quotas(ServiceCode="vpc")["Quotas"]
    assert (quota["QuotaName"], quota["Value"]) == ("VPC security groups per Region", 2500)
    with pytest.raises(ClientError) as missing:
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")
    assert missing.value.response["Error"]["Code"] == "NoSuchResourceException"


def test_usual_instance_types_are_offered_in_every_zone_and_others_nowhere(
    connect: Connect,
) -> None:
    ec2 = connect("ec2")

    def zones(kind: str) -> set[str]:
        named = [{"Name": "instance-type", "Values": [kind]}]
        answer = ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=named
        )
        return {one["Location"] for one in answer["InstanceTypeOfferings"]}

    assert zones("t3.small") == {"us-east-1a", "us-east-1b", "us-east-1c"}
    assert zones("t3.enormous") == set()
