from dataclasses import replace

from opsctl.metrics.catalogue import Node
from opsctl.metrics.targets import targets
from opsctl.snapshot.cache import Cache, CacheNode
from opsctl.snapshot.subnets import Subnet
from tests.opsctl.snapshots import config, stack, stacks

OUTPUTS = {
    "LoadBalancerFullName": "net/web/1",
    "TargetGroupFullName": "targetgroup/web/1",
    "AutoScalingGroupName": "web-asg",
}
NOW = replace(
    stacks(stack("ecs", "CREATE_COMPLETE", outputs=OUTPUTS)),
    subnets=(Subnet("subnet-00000001", "vpc", "b"), Subnet("subnet-00000002", "vpc", "a")),
)


def test_names_that_aws_makes_come_from_the_stacks_and_the_others_from_the_config() -> None:
    targets_now = targets(NOW, config())
    assert targets_now.dimensions["LoadBalancer"] == "net/web/1"
    assert targets_now.dimensions["ClusterName"] == "web"
    assert targets_now.nodes == [Node("web-redis")]
    assert targets_now.log_groups["agent"] == "/web/agent"
    assert targets_now.zones == ["a", "b"]


def test_without_a_load_balancer_there_is_no_zone_to_ask_about() -> None:
    assert targets(stacks(), config()).zones == ()


def test_the_nodes_of_a_replication_group_are_its_members_with_their_roles_of_now() -> None:
    members = (CacheNode("c-001", "0001", role="replica"), CacheNode("c-002", role="primary"))
    now = replace(NOW, cache=Cache("c", "replication_group", "available", nodes=members))
    group = config("db.kind=replication_group", "db.nodes=2")
    assert targets(now, group).nodes == [
        Node("c-001", role="replica"),
        Node("c-002", role="primary"),
    ]
    assert targets(NOW, group).nodes == [Node("web-redis-001")]


def test_before_a_rename_is_applied_the_figures_are_those_of_the_service_that_runs() -> None:
    outputs = {**OUTPUTS, "ClusterName": "web", "ServiceName": "web"}
    now = stacks(stack("ecs", "CREATE_COMPLETE", outputs=outputs))
    dimensions = targets(now, config("ecs.service_name=other")).dimensions
    assert (dimensions["ClusterName"], dimensions["ServiceName"]) == ("web", "web")
