import pytest

from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.catalogue import CATALOGUE, GROUPS, Targets

EVERYTHING = Targets(
    {
        "ClusterName": "web",
        "ServiceName": "web",
        "LoadBalancer": "net/web/1",
        "TargetGroup": "targetgroup/web/2",
        "CacheClusterId": "web-redis",
        "CacheNodeId": "0001",
        "AutoScalingGroupName": "web-asg",
    },
    {"app": "/web/app", "stdout": "/web/stdout"},
    zones=("us-east-1a", "us-east-1b"),
)


def test_every_metric_of_the_description_is_there() -> None:
    names = {(metric.namespace, metric.name) for metric in CATALOGUE}
    assert names >= {
        ("AWS/ECS", "MemoryReservation"),
        ("AWS/ECS", "CPUReservation"),
        ("AWS/ECS", "MemoryUtilization"),
        ("AWS/ECS", "CPUUtilization"),
        ("AWS/NetworkELB", "UnHealthyHostCount"),
        ("AWS/NetworkELB", "HealthyHostCount"),
        ("AWS/ElastiCache", "EngineCPUUtilization"),
        ("AWS/Logs", "IncomingLogEvents"),
        ("AWS/Logs", "IncomingBytes"),
    }
    assert {metric.group for metric in CATALOGUE} == set(GROUPS)


def test_host_counts_are_asked_for_as_a_whole_and_by_zone() -> None:
    asked = [
        (query.about, dict(query.dimensions).get("AvailabilityZone"))
        for query in catalogue.queries(["lb"], EVERYTHING)
        if query.metric.name == "UnHealthyHostCount"
    ]
    assert asked == [
        ("", None),
        ("us-east-1a", "us-east-1a"),
        ("us-east-1b", "us-east-1b"),
    ]


def test_each_log_group_is_a_row_of_its_own() -> None:
    found = [q.dimensions["LogGroupName"] for q in catalogue.queries(["logs"], EVERYTHING)]
    assert found == ["/web/app", "/web/stdout"] * 2


def test_what_does_not_exist_is_not_asked_for() -> None:
    bare = Targets({"ClusterName": "web", "ServiceName": "web"}, {})
    groups = {query.metric.group for query in catalogue.queries(list(GROUPS), bare)}
    assert groups == {"cluster", "service"}


def test_lag_of_replicas_is_asked_for_where_there_are_replicas() -> None:
    names = {query.metric.name for query in catalogue.queries(["cache"], EVERYTHING)}
    assert "ReplicationLag" not in names


def test_a_wrong_group_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no group of metrics `clstr`") as caught:
        catalogue.chosen(["clstr"])
    assert caught.value.hint == "opsctl metrics cluster"
    assert catalogue.chosen([]) == catalogue.chosen(["all"]) == list(GROUPS)
