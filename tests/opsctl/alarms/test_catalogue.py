import re
from pathlib import Path

import pytest

from opsctl.alarms import catalogue as alarms
from opsctl.alarms.catalogue import Alarm
from opsctl.config import document, load
from opsctl.config.model import Config
from opsctl.errors import ConfigError

ROOT = Path(__file__).parents[3]


def config(*sets: str) -> Config:
    text = (
        "name: example\nnetwork: {vpc: vpc-00000001, subnets: [subnet-0000000a, subnet-0000000b]}\n"
    )
    file = document.parse(text, "opsctl.yaml")
    return load.link(file, environment=None, environ={}, overrides=sets).config


def alarm_called(name: str, *sets: str) -> Alarm:
    [alarm] = [each for each in alarms.catalogue(config(*sets)) if each.name == name]
    return alarm


def test_names_are_distinguished() -> None:
    names = [alarm.name for alarm in alarms.catalogue(config())]
    assert len(names) == len(set(names))
    assert "cluster-cpu-reservation" in names


@pytest.mark.parametrize(
    ("node_type", "metric", "threshold"),
    [
        ("cache.t4g.micro", "CPUUtilization", 45.0),
        ("cache.r4.large", "CPUUtilization", 45.0),
        ("cache.m7g.xlarge", "EngineCPUUtilization", 90.0),
    ],
)
def test_the_threshold_of_the_cache_follows_its_cores(
    node_type: str, metric: str, threshold: float
) -> None:
    alarm = alarm_called("cache-cpu", f"db.node_type={node_type}")
    assert (alarm.metric, alarm.threshold) == (metric, threshold)


def test_no_healthy_host_is_the_worst_and_gives_no_data() -> None:
    alarm = alarm_called("healthy-hosts")
    assert (alarm.statistic, alarm.threshold, alarm.missing) == ("Maximum", 8, "breaching")


def test_the_least_number_of_healthy_hosts_is_what_a_rollout_keeps() -> None:
    assert alarm_called("healthy-hosts", "ecs.minimum_healthy_percent=50").threshold == 4


def test_a_replication_group_is_watched_at_its_first_node() -> None:
    alarm = alarm_called("cache-memory", "db.kind=replication_group")
    assert ("CacheClusterId", "example-redis-001") in alarm.dimensions


def test_a_service_without_tasks_has_no_alarm_for_too_few() -> None:
    names = {alarm.name for alarm in alarms.catalogue(config("ecs.desired_count=0"))}
    assert "running-tasks" not in names


def test_a_service_that_wants_no_task_has_no_alarm_that_no_task_answers() -> None:
    names = {alarm.name for alarm in alarms.catalogue(config("ecs.desired_count=0"))}
    assert "healthy-hosts" not in names


def test_alarms_on_use_and_reservation_do_not_ring_while_nothing_runs() -> None:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    for name in ("service-cpu", "service-memory", "cluster-cpu-reservation"):
        assert alarm_called(name).missing == "notBreaching"


def test_every_member_of_a_replication_group_is_watched_and_for_its_lag() -> None:
    # After a failover the first one is a replica, too.
    sets = ("db.kind=replication_group", "db.nodes=2")
    names = {alarm.name for alarm in alarms.catalogue(config(*sets))}
    members = ("001", "002")
    assert {f"cache-{what}-{of}" for what in ("cpu", "replication-lag") for of in members} <= names
    alone = {alarm.name for alarm in alarms.catalogue(config("db.kind=replication_group"))}
    assert not [name for name in alone if "lag" in name]


def test_members_of_shards_have_the_names_that_elasticache_gives_them() -> None:
    sets = ("db.kind=replication_group", "db.shards=2", "db.nodes=2")
    alarm = alarm_called("cache-memory-0002-001", *sets)
    assert ("CacheClusterId", "example-redis-0002-001") in alarm.dimensions
    assert alarm.logical_id == "CacheMemory0002001"


def test_agents_that_are_idle_for_half_an_hour_are_not_silent() -> None:
    # https://github.com/aws/amazon-ecs-agent: acs/session, 15 minutes and a jitter up to 30
    alarm = alarm_called("agent-silent")
    assert alarm.period * alarm.points >= 60 * 60


def test_without_cross_zone_each_zone_has_its_own_alarms() -> None:
    built = alarms.catalogue(config("load_balancer.cross_zone=false"), ("us-east-1a", "us-east-1b"))
    by_name = {alarm.name: alarm for alarm in built}
    assert "healthy-hosts" not in by_name
    alarm = by_name["healthy-hosts-us-east-1b"]
    assert ("AvailabilityZone", "us-east-1b") in alarm.dimensions
    assert (alarm.threshold, alarm.logical_id) == (1, "HealthyHostsUsEast1B")


def test_a_scaled_service_has_an_alarm_at_its_maximum() -> None:
    sets = ("ecs.scaling={minimum: 2, maximum: 6, cpu_percent: 60}",)
    alarm = alarm_called("scaled-out", *sets)
    assert (alarm.comparison, alarm.threshold, alarm.missing) == (">=", 6, "notBreaching")
    assert alarm_called("running-tasks", *sets).threshold == 2
    assert "scaled-out" not in {alarm.name for alarm in alarms.catalogue(config())}


def test_names_that_roll_back_get_the_systems_prefix() -> None:
    written = ["healthy-hosts", "example-service-cpu"]
    names = alarms.full_names(config(), written)
    assert names == ["example-healthy-hosts", "example-service-cpu"]


def test_a_name_that_rolls_back_and_is_unknown_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match="names no alarm of this system: `helthy-hosts`"
    ) as caught:
        alarms.full_names(config(), ["helthy-hosts"])
    assert caught.value.hint and "healthy-hosts" in caught.value.hint


def test_every_alarm_says_why_a_gap_means_what_it_is_taken_for_and_what_to_run() -> None:
    for alarm in alarms.catalogue(config()):
        assert alarm.because and alarm.then.startswith("opsctl "), alarm.name


def test_names_that_a_count_of_0_leaves_out_are_no_typo() -> None:
    names = ["healthy-hosts", "service-cpu"]
    full = alarms.full_names(config("ecs.desired_count=0"), names)
    assert full == ["example-service-cpu"]


def test_without_cross_zone_an_alarm_of_a_zone_may_roll_back() -> None:
    full = alarms.full_names(config("load_balancer.cross_zone=false"), ["healthy-hosts-us-east-1a"])
    assert full == ["example-healthy-hosts-us-east-1a"]


def test_the_page_has_every_alarm_and_names_those_that_a_roll_mutes() -> None:
    page = (ROOT / "docs/alarms.md").read_text(encoding="utf-8")
    table = page.partition("## The catalogue")[2].partition("\n- ")[0]
    scaled = "ecs.scaling={minimum: 2, maximum: 6, cpu_percent: 60}"
    made = [
        *alarms.catalogue(config(scaled)),
        *alarms.catalogue(config("db.kind=replication_group", "db.nodes=2")),
    ]
    names = {alarm.name.removesuffix(f"-{alarm.of}") for alarm in made}
    assert names == {name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
                     for name in re.findall(r"`([^`]+)`", cell)}  # fmt: skip
    [muted] = re.findall(r"new tasks run beside the old ones: ([^.]*)", page)
    assert set(re.findall(r"`([^`]+)`", muted)) == {one.name for one in made if one.of_roll}
