"""Caches have servers of their own, and snapshots hold what they held."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from redis import Redis, RedisCluster

from opsctl_sandbox.process.home import Sandbox
from tests.opsctl_sandbox.clients import Connect
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
