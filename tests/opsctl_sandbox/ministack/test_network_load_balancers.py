"""Network load balancers: their zones, and the protection against deletion."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.opsctl_sandbox.clients import Connect


@pytest.fixture
def balancer(connect: Connect, unique: str) -> Any:
    subnets = ["subnet-00000001", "subnet-00000002"]
    made = connect("elbv2").create_load_balancer(Name=unique, Type="network", Subnets=subnets)
    return made["LoadBalancers"][0]


def test_each_subnet_is_in_its_own_zone(
    connect: Connect, plain: Connect, balancer: Any, unique: str
) -> None:
    def zones(elbv2: Any) -> list[str]:
        [found] = elbv2.describe_load_balancers(Names=[unique])["LoadBalancers"]
        return sorted(one["ZoneName"] for one in found["AvailabilityZones"])

    assert zones(plain("elbv2")) == ["us-east-1a", "us-east-1a"]
    assert zones(connect("elbv2")) == ["us-east-1a", "us-east-1b"]


def test_ids_have_sixteen_hexadecimal_digits(connect: Connect, balancer: Any, unique: str) -> None:
    made = connect("elbv2").create_target_group(Name=unique, Protocol="TCP", Port=80, VpcId="vpc-1")
    for arn in (balancer["LoadBalancerArn"], made["TargetGroups"][0]["TargetGroupArn"]):
        assert re.fullmatch(r"[0-9a-f]{16}", arn.rpartition("/")[2])


def test_a_protected_one_is_not_deleted(connect: Connect, balancer: Any) -> None:
    elbv2, arn = connect("elbv2"), balancer["LoadBalancerArn"]

    def protect(value: str) -> None:
        attribute = {"Key": "deletion_protection.enabled", "Value": value}
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])

    protect("true")
    with pytest.raises(ClientError, match="cannot be deleted because deletion protection"):
        elbv2.delete_load_balancer(LoadBalancerArn=arn)
    protect("false")
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        elbv2.describe_load_balancers(LoadBalancerArns=[arn])


def test_its_listeners_go_with_it(connect: Connect, balancer: Any, unique: str) -> None:
    elbv2, arn = connect("elbv2"), balancer["LoadBalancerArn"]
    group = elbv2.create_target_group(Name=unique, Protocol="TCP", Port=80, VpcId="vpc-00000001")
    target_group = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    made = elbv2.create_listener(
        LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=forward
    )["Listeners"][0]

    elbv2.delete_load_balancer(LoadBalancerArn=arn)

    with pytest.raises(elbv2.exceptions.ListenerNotFoundException):
        elbv2.describe_listeners(ListenerArns=[made["ListenerArn"]])
    [left] = elbv2.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"]
    assert left["LoadBalancerArns"] == []


def test_its_listener_and_the_rule_have_net_in_their_arns(
    connect: Connect, balancer: Any, unique: str
) -> None:
    elbv2, arn = connect("elbv2"), balancer["LoadBalancerArn"]
    [made] = elbv2.create_target_group(Name=unique, Protocol="TCP", Port=80)["TargetGroups"]
    action = {"Type": "forward", "TargetGroupArn": made["TargetGroupArn"]}
    [listener] = elbv2.create_listener(
        LoadBalancerArn=arn, Port=80, Protocol="TCP", DefaultActions=[action]
    )["Listeners"]
    name = arn.rpartition(":loadbalancer/")[2]
    assert f":listener/{name}/" in listener["ListenerArn"]
    [rule] = elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    assert f":listener-rule/{name}/" in rule["RuleArn"]
    [described] = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    assert described["ListenerArn"] == listener["ListenerArn"]
    elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    assert elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"] == []


def test_a_tcp_target_group_has_its_own_attributes_whoever_set_them(
    connect: Connect, plain: Connect, unique: str
) -> None:
    elbv2 = connect("elbv2")
    [made] = elbv2.create_target_group(Name=unique, Protocol="TCP", Port=80)["TargetGroups"]
    key = "deregistration_delay.timeout_seconds"
    arn = {"TargetGroupArn": made["TargetGroupArn"]}
    elbv2.modify_target_group_attributes(**arn, Attributes=[{"Key": key, "Value": "60"}])

    def values(client: Any) -> dict[str, str]:
        described = client.describe_target_group_attributes(**arn)["Attributes"]
        return {one["Key"]: one["Value"] for one in described}

    assert values(plain("elbv2"))["stickiness.type"] == "lb_cookie"
    expected = {key: "60", "stickiness.type": "source_ip", "preserve_client_ip.enabled": "true"}
    assert expected.items() <= values(connect("elbv2")).items()
    described = elbv2.describe_target_groups(Names=[unique])["TargetGroups"][0]
    assert not described.keys() & {"HealthCheckPath", "Matcher"}


def test_it_has_the_attributes_of_its_kind(connect: Connect, plain: Connect, balancer: Any) -> None:
    def names(client: Any) -> set[str]:
        arn = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
        return {one["Key"] for one in client.describe_load_balancer_attributes(**arn)["Attributes"]}

    assert "dns_record.client_routing_policy" in names(connect("elbv2")) - names(plain("elbv2"))
