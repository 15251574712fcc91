"""Caches have servers of their own, and snapshots hold what they held."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from redis import Redis, RedisCluster

from opsctl_sandbox.process import lifecycle
from opsctl_sandbox.process.home import Home, Sandbox, Settings
from tests.opsctl_sandbox.clients import Connect, connected, start
from tests.opsctl_sandbox.fleet import until


@pytest.fixture
def elasticache(connect: Connect, sandbox: Sandbox) -> Any:
    if not sandbox.redis:
        pytest.skip("no redis-server on this machine")
    return connect("elasticache")


def cache(elasticache: Any, name: str, **options: Any) -> Redis:
    elasticache.create_cache_cluster(CacheClusterId=name, Engine="redis", **options)
    [found] = elasticache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)[
        "CacheClusters"
    ]
    return Redis(port=found["CacheNodes"][0]["Endpoint"]["Port"], decode_responses=True)


def status(elasticache: Any, name: str) -> str:
    [snapshot] = elasticache.describe_snapshots(SnapshotName=name)["Snapshots"]
    return str(snapshot["SnapshotStatus"])


def members(elasticache: Any, group: str) -> tuple[Any, list[str]]:
    """Return the group as described, and the names of its members by shard."""
    described = elasticache.describe_replication_groups(ReplicationGroupId=group)
    [shown] = described["ReplicationGroups"]
    shards = shown["NodeGroups"]
    return shown, [one["CacheClusterId"] for shard in shards for one in shard["NodeGroupMembers"]]


def test_a_cache_begins_with_what_a_snapshot_holds_and_another_one_with_nothing(
    elasticache: Any, unique: str
) -> None:
    first = cache(elasticache, f"{unique}-a")
    first.hset("entity", "name", "value")
    elasticache.create_snapshot(SnapshotName=unique, CacheClusterId=f"{unique}-a")
    first.hset("entity", "name", "later")
    assert status(elasticache, unique) == "creating"
    with pytest.raises(ClientError, match="SnapshotNotFoundFault"):
        cache(elasticache, f"{unique}-b", SnapshotName=unique)
    until(lambda: status(elasticache, unique) == "available")

    assert cache(elasticache, f"{unique}-b").dbsize() == 0
    assert cache(elasticache, f"{unique}-c", SnapshotName=unique).hgetall("entity") == {
        "name": "value"
    }


def test_a_cache_that_is_deleted_takes_its_data_along(elasticache: Any, unique: str) -> None:
    cache(elasticache, unique).set("key", "value")
    elasticache.delete_cache_cluster(CacheClusterId=unique)
    assert cache(elasticache, unique).dbsize() == 0


def test_an_engine_goes_to_no_older_version(elasticache: Any, unique: str) -> None:
    cache(elasticache, unique, EngineVersion="7.0")
    elasticache.modify_cache_cluster(CacheClusterId=unique, EngineVersion="7.1")
    with pytest.raises(ClientError, match="InvalidParameterCombination.*downgraded to 6.2"):
        elasticache.modify_cache_cluster(CacheClusterId=unique, EngineVersion="6.2")


def test_the_members_of_a_group_have_its_name_and_a_number(elasticache: Any, unique: str) -> None:
    made = elasticache.create_replication_group(
        ReplicationGroupId=unique, ReplicationGroupDescription="x", NumCacheClusters=2
    )
    assert made["ReplicationGroup"]["ReplicationGroupId"] == unique
    [group] = elasticache.describe_replication_groups(ReplicationGroupId=unique)[
        "ReplicationGroups"
    ]
    assert group["MemberClusters"] == [f"{unique}-001", f"{unique}-002"]
    found = elasticache.describe_cache_clusters(CacheClusterId=f"{unique}-002")["CacheClusters"]
    assert found[0]["ReplicationGroupId"] == unique


def test_shards_are_nodes_of_a_real_cluster(elasticache: Any, unique: str) -> None:
    group = {"ReplicationGroupId": unique}
    made = elasticache.create_replication_group(
        **group, ReplicationGroupDescription="x", NumNodeGroups=3, ReplicasPerNodeGroup=1
    )["ReplicationGroup"]
    assert made["MemberClusters"][:2] == [f"{unique}-0001-001", f"{unique}-0001-002"]
    port = made["ConfigurationEndpoint"]["Port"]
    with Redis(port=port) as first:
        until(lambda: first.cluster("info")["cluster_state"] == "ok")
        until(lambda: len(first.cluster("slots")) == 3)
    with RedisCluster("127.0.0.1", port) as cluster:
        for key in "abcdefgh":
            cluster.set(key, key)
        ports = {one["PrimaryEndpoint"]["Port"] for one in made["NodeGroups"]}
        assert {node.port for node in cluster.get_primaries()} == ports
        assert cluster.dbsize(target_nodes="primaries") == 8
    with pytest.raises(ClientError, match="no snapshot of Redis in cluster mode"):
        elasticache.create_snapshot(SnapshotName=unique, **group)
    elasticache.delete_replication_group(**group)


def test_a_replica_that_comes_is_a_cache_cluster_like_the_others(
    elasticache: Any, unique: str
) -> None:
    named = {"ReplicationGroupId": unique, "ApplyImmediately": True}
    elasticache.create_replication_group(
        ReplicationGroupId=unique, ReplicationGroupDescription="x", NumCacheClusters=1
    )
    elasticache.increase_replica_count(**named, NewReplicaCount=1)
    [group] = elasticache.describe_replication_groups(ReplicationGroupId=unique)[
        "ReplicationGroups"
    ]
    [shard] = group["NodeGroups"]
    members = [one["CacheClusterId"] for one in shard["NodeGroupMembers"]]
    assert members == group["MemberClusters"] == [f"{unique}-001", f"{unique}-002"]
    assert elasticache.describe_cache_clusters(CacheClusterId=members[1])["CacheClusters"]


def test_a_failover_makes_a_replica_the_primary(elasticache: Any, unique: str) -> None:
    named = {"ReplicationGroupId": unique}
    elasticache.create_replication_group(
        **named, ReplicationGroupDescription="x", NumCacheClusters=2, AutomaticFailoverEnabled=True
    )
    elasticache.test_failover(**named, NodeGroupId="0001")
    [group] = elasticache.describe_replication_groups(**named)["ReplicationGroups"]
    [shard] = group["NodeGroups"]
    roles = {one["CacheClusterId"]: one["CurrentRole"] for one in shard["NodeGroupMembers"]}
    assert roles == {f"{unique}-001": "replica", f"{unique}-002": "primary"}
    with pytest.raises(ClientError, match="NodeGroupNotFoundFault"):
        elasticache.test_failover(**named, NodeGroupId="0002")


def test_a_replica_that_comes_later_is_a_member_like_the_others(
    elasticache: Any, unique: str
) -> None:
    named = {"ReplicationGroupId": unique}
    elasticache.create_replication_group(
        **named, ReplicationGroupDescription="x", NumCacheClusters=2
    )
    elasticache.increase_replica_count(**named, NewReplicaCount=2, ApplyImmediately=True)
    group, names = members(elasticache, unique)
    assert names == group["MemberClusters"] == [f"{unique}-00{number}" for number in (1, 2, 3)]
    [shard] = group["NodeGroups"]
    assert {one["ReadEndpoint"]["Port"] for one in shard["NodeGroupMembers"]} == {
        shard["PrimaryEndpoint"]["Port"]
    }
    assert elasticache.describe_cache_clusters(CacheClusterId=f"{unique}-003")["CacheClusters"]


def test_the_primary_stays_when_replicas_go(elasticache: Any, unique: str) -> None:
    named = {"ReplicationGroupId": unique}
    elasticache.create_replication_group(
        **named, ReplicationGroupDescription="x", NumCacheClusters=3
    )
    elasticache.test_failover(**named, NodeGroupId="0001")
    elasticache.decrease_replica_count(**named, NewReplicaCount=1, ApplyImmediately=True)
    assert members(elasticache, unique)[1] == [f"{unique}-001", f"{unique}-002"]
    elasticache.decrease_replica_count(**named, NewReplicaCount=0, ApplyImmediately=True)
    group, names = members(elasticache, unique)
    assert names == group["MemberClusters"] == [f"{unique}-002"]
    assert group["NodeGroups"][0]["NodeGroupMembers"][0]["CurrentRole"] == "primary"
    with pytest.raises(ClientError, match="not found"):
        elasticache.describe_cache_clusters(CacheClusterId=f"{unique}-001")
    elasticache.increase_replica_count(**named, NewReplicaCount=1, ApplyImmediately=True)
    assert len(set(members(elasticache, unique)[1])) == 2


def test_failover_needs_a_replica_and_tls_is_not_switched_in_one_step(
    elasticache: Any, unique: str
) -> None:
    named = {"ReplicationGroupId": unique}
    elasticache.create_replication_group(**named, ReplicationGroupDescription="x")
    with pytest.raises(ClientError, match="at least one read replica to enable autofailover"):
        elasticache.modify_replication_group(**named, AutomaticFailoverEnabled=True)
    with pytest.raises(ClientError, match="TransitEncryptionMode must be preferred"):
        elasticache.modify_replication_group(**named, TransitEncryptionEnabled=True)
    elasticache.increase_replica_count(**named, NewReplicaCount=1, ApplyImmediately=True)
    elasticache.modify_replication_group(**named, AutomaticFailoverEnabled=True)
    with pytest.raises(ClientError, match="at least 1 replica"):
        elasticache.decrease_replica_count(**named, NewReplicaCount=0, ApplyImmediately=True)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Connect]:
    """A sandbox in which ten minutes of ElastiCache take half a second."""
    home = Home(tmp_path)
    with connected(start(home, Settings(tasks="none", speed=1200))) as connect:
        yield connect
    list(lifecycle.down(home))


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs a redis-server")
def test_a_cache_with_the_policy_snapshot_is_saved_before_it_is_deleted(
    quick: Connect, unique: str
) -> None:
    cloudformation, elasticache = quick("cloudformation"), quick("elasticache")
    properties = {
        "ClusterName": unique,
        "Engine": "redis",
        "NumCacheNodes": 1,
        "CacheNodeType": "cache.t4g.micro",
    }
    cache = {
        "Type": "AWS::ElastiCache::CacheCluster",
        "DeletionPolicy": "Snapshot",
        "Properties": properties,
    }
    body = json.dumps({"Resources": {"Cache": cache}})
    cloudformation.create_stack(StackName=unique, TemplateBody=body)
    waits = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig=waits)
    [made] = elasticache.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
    with Redis(port=made["CacheNodes"][0]["Endpoint"]["Port"]) as redis:
        redis.set("key", "value")
    cloudformation.delete_stack(StackName=unique)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=unique, WaiterConfig=waits)
    [snapshot] = elasticache.describe_snapshots()["Snapshots"]
    assert snapshot["SnapshotName"].startswith(f"{unique}-snapshot-cache-")
    again = elasticache.create_cache_cluster(
        CacheClusterId="again", SnapshotName=snapshot["SnapshotName"], **{"Engine": "redis"}
    )
    endpoint = again["CacheCluster"]["CacheNodes"][0]["Endpoint"]
    with Redis(port=endpoint["Port"]) as redis:
        assert redis.get("key") == b"value"


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs a redis-server")
def test_a_stack_adds_and_removes_shards_in_place(quick: Connect, unique: str) -> None:
    cloudformation, elasticache = quick("cloudformation"), quick("elasticache")

    def to(shards: int, operation: str) -> None:
        properties = {
            "ReplicationGroupId": unique,
            "ReplicationGroupDescription": "x",
            "NumNodeGroups": shards,
            "ReplicasPerNodeGroup": 1,
            "CacheNodeType": "cache.t4g.micro",
        }
        group = {
            "Type": "AWS::ElastiCache::ReplicationGroup",
            "UpdatePolicy": {"UseOnlineResharding": True},
            "DeletionPolicy": "Snapshot",
            "Properties": properties,
        }
        body = json.dumps({"Resources": {"Group": group}})
        getattr(cloudformation, f"{operation}_stack")(StackName=unique, TemplateBody=body)
        waiter = cloudformation.get_waiter(f"stack_{operation}_complete")
        try:
            waiter.wait(StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        except WaiterError:
            told = cloudformation.describe_stack_events(StackName=unique)["StackEvents"]
            raise AssertionError([event.get("ResourceStatusReason") for event in told]) from None

    def group() -> Any:
        described = elasticache.describe_replication_groups(ReplicationGroupId=unique)
        return described["ReplicationGroups"][0]

    to(3, "create")
    before = group()["NodeGroups"]
    with RedisCluster("127.0.0.1", before[0]["PrimaryEndpoint"]["Port"]) as cluster:
        for number in range(50):
            cluster.set(str(number), number)
    for shards in (4, 2):
        to(shards, "update")
        after = group()
        assert len(after["NodeGroups"]) == shards
        assert len(after["MemberClusters"]) == 2 * shards
    assert after["NodeGroups"][0] == before[0]
    with RedisCluster("127.0.0.1", before[0]["PrimaryEndpoint"]["Port"]) as cluster:
        assert [cluster.get(str(number)) for number in range(50)] == [b"%d" % n for n in range(50)]
        assert len(cluster.get_primaries()) == 2

    cloudformation.delete_stack(StackName=unique)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    [snapshot] = elasticache.describe_snapshots()["Snapshots"]
    with pytest.raises(ClientError, match="holds no data"):
        cache(elasticache, "again", SnapshotName=snapshot["SnapshotName"])


def test_the_members_of_a_group_have_its_version(elasticache: Any, unique: str) -> None:
    elasticache.create_replication_group(
        ReplicationGroupId=unique, ReplicationGroupDescription="x", EngineVersion="7.0"
    )
    elasticache.modify_replication_group(ReplicationGroupId=unique, EngineVersion="7.1")
    found = elasticache.describe_cache_clusters(CacheClusterId=f"{unique}-001")["CacheClusters"]
    assert found[0]["EngineVersion"] == "7.1"


def test_what_the_sandbox_cannot_do_is_refused_in_words(elasticache: Any, unique: str) -> None:
    with pytest.raises(ClientError, match="Redis in cluster mode with 3 shards or more"):
        elasticache.create_replication_group(
            ReplicationGroupId=unique, ReplicationGroupDescription="x", ClusterMode="enabled"
        )
    with pytest.raises(ClientError, match="CacheClusterNotFound"):
        elasticache.create_snapshot(SnapshotName=unique, CacheClusterId="ghost")
