"""A fresh sandbox has what the stacks take for granted."""

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect


def test_the_default_vpc_has_subnets_in_two_zones(connect: Connect) -> None:
    ec2 = connect("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    chosen = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=chosen)["Subnets"]

    assert len({subnet["AvailabilityZone"] for subnet in subnets}) >= 2


def test_the_default_vpc_has_a_way_out(connect: Connect) -> None:
    [table] = connect("ec2").describe_route_tables()["RouteTables"]

    assert {route["GatewayId"] for route in table["Routes"]} == {"local", "igw-00000001"}


def test_a_repository_is_pushed_to_where_the_sandbox_answers(
    connect: Connect, sandbox: Sandbox, unique: str
) -> None:
    made = connect("ecr").create_repository(repositoryName=unique)["repository"]

    assert made["repositoryUri"] == f"127.0.0.1:{sandbox.port}/{unique}"


def test_the_secret_of_the_example_config_is_there(connect: Connect) -> None:
    answer = connect("ssm").get_parameter(Name="/example/refresh_token", WithDecryption=True)

    assert answer["Parameter"]["Type"] == "SecureString"
    assert answer["Parameter"]["Value"]
