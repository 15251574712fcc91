from opsctl.snapshot import subnets
from tests.opsctl.snapshot.conftest import Stub


def test_a_subnet_has_its_zone_and_its_free_addresses(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    described = [
        {"SubnetId": "subnet-00000002", "AvailabilityZone": "b", "AvailableIpAddressCount": 9},
        {"SubnetId": "subnet-00000001", "AvailabilityZone": "a", "MapPublicIpOnLaunch": True},
    ]
    stubber.add_response("describe_subnets", {"Subnets": described})
    first, second = subnets.read(ec2, ["subnet-00000002", "subnet-00000001"])
    assert (first.id, first.zone, first.public) == ("subnet-00000001", "a", True)
    assert (second.id, second.free_addresses, second.public) == ("subnet-00000002", 9, False)


def test_when_one_is_missing_none_is_returned(stub: Stub) -> None:
    ec2, stubber = stub("ec2")
    stubber.add_client_error("describe_subnets", "InvalidSubnetID.NotFound")
    assert subnets.read(ec2, ["subnet-00000001"]) == ()
