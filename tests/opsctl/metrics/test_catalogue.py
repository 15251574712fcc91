import pytest

from opsctl.errors import ConfigError
from opsctl.metrics import catalogue
from opsctl.metrics.catalogue import CATALOGUE, GROUPS, Node, Targets

EVERYTHING = Targets(
    {
        "ClusterName": "web",
        "ServiceName": "web",
        "LoadBalancer": "net/web/1",
        "TargetGroup": "targetgroup/web/2",
        "AutoScalingGroupName": "web-asg",
    },
    {"app": "/web/app", "stdout": "/web/stdout"},
    zones=("us-east-1a", "us-east-1b"),
    nodes=(Node("web-redis"),),
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
        ("AWS/ElastiCache", "HashBasedCmdsLatency"),
    }
    assert {metric.group for metric in CATALOGUE} == set(GROUPS)


def test_host_counts_are_asked_for_as_a_whole_and_by_zone() -> None:
    rows = [
        (query.about, dict(query.dimensions).get("AvailabilityZone"))
        for query in catalogue.queries(["lb"], EVERYTHING)
        if query.metric.name == "UnHealthyHostCount"
    ]
    assert rows == [
        ("", None),
        ("us-east-1a", "us-east-1a"),
        ("us-east-1b", "us-east-1b"),
    ]


def test_each_log_group_is_a_row_of_its_own() -> None:
    groups = [q.dimensions["LogGroupName"] for q in catalogue.queries(["logs"], EVERYTHING)]
    assert groups == ["/web/app", "/web/stdout"] * 2


def test_what_does_not_exist_is_not_asked_for() -> None:
    bare = Targets({"ClusterName": "web", "ServiceName": "web"}, {})
    groups = {query.metric.group for query in catalogue.queries(list(GROUPS), bare)}
    assert groups == {"cluster", "service"}


def test_every_node_of_the_cache_has_its_rows_and_replicas_their_lag() -> None:
    names = {query.metric.name for query in catalogue.queries(["cache"], EVERYTHING)}
    assert "ReplicationLag" not in names
    nodes = (Node("web-redis-001", role="replica"), Node("web-redis-002", role="primary"))
    rows = list(catalogue.queries(["cache"], Targets({}, {}, nodes=nodes)))
    of_memory = [q for q in rows if q.metric.name == "DatabaseMemoryUsagePercentage"]
    assert [query.about for query in of_memory] == ["001 replica", "002 primary"]
    lags = [q.dimensions for q in rows if q.metric.name == "ReplicationLag"]
    assert lags == [{"CacheClusterId": "web-redis-001", "CacheNodeId": "0001"}]


def test_a_wrong_group_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no group of metrics `clstr`") as caught:
        catalogue.chosen(["clstr"])
    assert caught.value.hint == "opsctl metrics cluster"
    assert catalogue.chosen([]) == catalogue.chosen(["all"]) == list(GROUPS)


def test_nodes_of_several_shards_are_told_apart() -> None:
    nodes = tuple(Node(f"web-redis-{shard:04}-001") for shard in (1, 2))
    chosen = catalogue.queries(["cache"], Targets({}, {}, nodes=nodes))
    assert {one.about for one in chosen} == {"0001-001", "0002-001"}
