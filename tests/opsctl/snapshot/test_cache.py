from opsctl.snapshot import cache
from opsctl.snapshot.cache import CacheNode
from tests.opsctl.snapshot.conftest import Stub


def test_a_cluster_has_its_node_and_what_waits_for_the_maintenance_window(stub: Stub) -> None:
    elasticache, stubber = stub("elasticache")
    cluster = {
        "CacheClusterId": "web-redis",
        "CacheClusterStatus": "available",
        "Engine": "redis",
        "EngineVersion": "7.1.0",
        "PendingModifiedValues": {"CacheNodeType": "cache.t4g.small"},
        "CacheNodes": [
            {
                "CacheNodeId": "0001",
                "CacheNodeStatus": "available",
                "CustomerAvailabilityZone": "us-east-1a",
                "Endpoint": {"Address": "x", "Port": 6379},
            }
        ],
    }
    stubber.add_response("describe_cache_clusters", {"CacheClusters": [cluster]})
    read = cache.cluster(elasticache, "web-redis")
    assert read is not None
    assert (read.status, read.endpoint, read.pending) == ("available", "x:6379", ("CacheNodeType",))
    assert read.nodes == (CacheNode("web-redis", "0001", "available", "us-east-1a"),)


def test_a_replication_group_names_its_members_with_their_roles(stub: Stub) -> None:
    elasticache, stubber = stub("elasticache")
    members = [
        {"CacheClusterId": f"web-redis-00{n}", "CacheNodeId": "0001", "CurrentRole": role}
        for n, role in ((1, "replica"), (2, "primary"))
    ]
    shard = {
        "Status": "available",
        "PrimaryEndpoint": {"Address": "p", "Port": 6379},
        "NodeGroupMembers": members,
    }
    group = {"ReplicationGroupId": "web-redis", "Status": "available", "NodeGroups": [shard]}
    stubber.add_response("describe_replication_groups", {"ReplicationGroups": [group]})
    # A group has no version of its own.
    member = {
        "EngineVersion": "7.1.0",
        "PendingModifiedValues": {"CacheNodeType": "cache.t4g.small"},
    }
    stubber.add_response(
        "describe_cache_clusters",
        {"CacheClusters": [member]},
        {"CacheClusterId": "web-redis-001", "ShowCacheNodeInfo": True},
    )
    read = cache.replication_group(elasticache, "web-redis")
    assert read is not None and read.endpoint == "p:6379"
    assert (read.version, read.pending) == ("7.1.0", ("CacheNodeType",))
    assert [(node.id, node.role) for node in read.nodes] == [
        ("web-redis-001", "replica"),
        ("web-redis-002", "primary"),
    ]


def test_a_cache_that_is_not_there_is_none(stub: Stub) -> None:
    elasticache, stubber = stub("elasticache")
    stubber.add_client_error("describe_cache_clusters", "CacheClusterNotFound")
    stubber.add_client_error("describe_replication_groups", "ReplicationGroupNotFoundFault")
    assert cache.cluster(elasticache, "x") is None
    assert cache.replication_group(elasticache, "x") is None


def test_a_cache_without_an_answer_of_aws_is_none(stub: Stub) -> None:
    elasticache, stubber = stub("elasticache")
    stubber.add_response("describe_cache_clusters", {"CacheClusters": []})
    stubber.add_response("describe_replication_groups", {"ReplicationGroups": []})
    assert cache.cluster(elasticache, "x") is None
    assert cache.replication_group(elasticache, "x") is None


def test_snapshots_are_newest_first(stub: Stub) -> None:
    elasticache, stubber = stub("elasticache")
    old, new = ("2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z")
    listed = [
        {"SnapshotName": "a", "SnapshotStatus": "available", "SnapshotSource": "manual"}
        | {"NodeSnapshots": [{"SnapshotCreateTime": old}]},
        {"SnapshotName": "b", "SnapshotStatus": "creating"}
        | {"NodeSnapshots": [{"SnapshotCreateTime": new}]},
    ]
    stubber.add_response("describe_snapshots", {"Snapshots": listed}, {"CacheClusterId": "web"})
    made = cache.backups(elasticache, "web", replicated=False)
    assert [one.name for one in made] == ["b", "a"]
