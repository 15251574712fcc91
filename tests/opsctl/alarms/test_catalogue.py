import pytest

from opsctl.alarms import catalogue as alarms
from opsctl.alarms.catalogue import Alarm
from opsctl.config import document, load
from opsctl.config.model import Config


def config(*sets: str) -> Config:
    text = "name: example\nnetwork: {vpc: v, subnets: [a, b]}\n"
    file = document.parse(text, "opsctl.yaml")
    return load.link(file, environment=None, environ={}, overrides=sets).config


def found(name: str, *sets: str) -> Alarm:
    [alarm] = [each for each in alarms.catalogue(config(*sets)) if each.name == name]
    return alarm


def test_names_are_told_apart() -> None:
    names = [alarm.name for alarm in alarms.catalogue(config())]
    assert len(names) == len(set(names))
    assert "cluster-cpu-reservation" in names


@pytest.mark.parametrize(
    ("node_type", "metric", "threshold"),
    [
        ("cache.t4g.micro", "CPUUtilization", 45.0),
        ("cache.m7g.medium", "CPUUtilization", 90.0),
        ("cache.m7g.xlarge", "EngineCPUUtilization", 90.0),
    ],
)
def test_the_threshold_of_the_cache_follows_its_cores(
    node_type: str, metric: str, threshold: float
) -> None:
    alarm = found("cache-cpu", f"db.node_type={node_type}")
    assert (alarm.metric, alarm.threshold) == (metric, threshold)


def test_no_healthy_host_is_the_worst_and_gives_no_data() -> None:
    alarm = found("healthy-hosts")
    assert (alarm.statistic, alarm.threshold, alarm.missing) == ("Maximum", 8, "breaching")


def test_the_least_number_of_healthy_hosts_is_what_a_rollout_keeps() -> None:
    assert found("healthy-hosts", "ecs.minimum_healthy_percent=50").threshold == 4


def test_a_replication_group_is_watched_at_its_first_node() -> None:
    alarm = found("cache-memory", "db.kind=replication_group")
    assert ("CacheClusterId", "example-redis-001") in alarm.dimensions


def test_a_service_without_tasks_has_no_alarm_for_too_few() -> None:
    names = {alarm.name for alarm in alarms.catalogue(config("ecs.desired_count=0"))}
    assert "running-tasks" not in names
