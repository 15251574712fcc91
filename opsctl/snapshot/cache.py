"""Read the cache from ElastiCache: one cluster, or a replication group with its members."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_elasticache.client import ElastiCacheClient
    from mypy_boto3_elasticache.type_defs import (
        CacheClusterTypeDef,
        ReplicationGroupTypeDef,
        SnapshotTypeDef,
    )


@dataclass(frozen=True, slots=True)
class CacheNode:
    """One node.

    `id` is its cache cluster's id; `role` is `primary`, `replica`, or '' when unknown.
    """

    id: str
    node: str = "0001"
    status: str = ""
    zone: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache. `pending` names what changes in the next maintenance window.

    `tls` is None for a single cluster, which has none.
    """

    id: str
    kind: str
    status: str
    engine: str = ""
    version: str = ""
    node_type: str = ""
    endpoint: str = ""
    nodes: tuple[CacheNode, ...] = ()
    pending: tuple[str, ...] = ()
    tls: bool | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A snapshot of the cache. `source` is `manual` or `automated`."""

    name: str
    status: str
    source: str = ""
    created: datetime | None = None


def backups(elasticache: "ElastiCacheClient", name: str, *, replicated: bool) -> tuple[Backup, ...]:
    """Return the snapshots of the cluster or replication group `name`, newest first."""
    of: dict[str, Any] = {"ReplicationGroupId" if replicated else "CacheClusterId": name}
    pages = elasticache.get_paginator("describe_snapshots").paginate(**of)
    made = [_backup(one) for page in pages for one in page["Snapshots"]]
    return tuple(sorted(made, key=lambda one: (str(one.created or ""), one.name), reverse=True))


def _backup(snapshot: "SnapshotTypeDef") -> Backup:
    times = (node.get("SnapshotCreateTime") for node in snapshot.get("NodeSnapshots", ()))
    return Backup(
        snapshot.get("SnapshotName", ""),
        snapshot.get("SnapshotStatus", ""),
        snapshot.get("SnapshotSource", ""),
        next(filter(None, times), None),
    )


def cluster(elasticache: "ElastiCacheClient", name: str) -> Cache | None:
    """Return the single cluster of this name, or None if there is none."""
    try:
        described = elasticache.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
    except elasticache.exceptions.CacheClusterNotFoundFault:
        return None
    return next(map(_cluster, described["CacheClusters"]), None)


def replication_group(elasticache: "ElastiCacheClient", name: str) -> Cache | None:
    """Return the replication group of this name, or None if there is none."""
    try:
        described = elasticache.describe_replication_groups(ReplicationGroupId=name)
    except elasticache.exceptions.ReplicationGroupNotFoundFault:
        return None
    group = next(map(_replication_group, described["ReplicationGroups"]), None)
    if group is None or not group.nodes:
        return group
    # A group tells neither its version nor what waits for the maintenance window; its members do.
    member = cluster(elasticache, group.nodes[0].id)
    if member is None:
        return group
    pending = tuple(dict.fromkeys((*group.pending, *member.pending)))
    return replace(group, version=member.version, pending=pending)


def _cluster(cluster: "CacheClusterTypeDef") -> Cache:
    nodes = cluster.get("CacheNodes", [])
    address = nodes[0].get("Endpoint", {}) if nodes else {}
    name = cluster.get("CacheClusterId", "")
    return Cache(
        id=name,
        kind="cluster",
        status=cluster.get("CacheClusterStatus", ""),
        engine=cluster.get("Engine", ""),
        version=cluster.get("EngineVersion", ""),
        node_type=cluster.get("CacheNodeType", ""),
        endpoint=f"{address.get('Address', '')}:{address.get('Port', '')}" if address else "",
        nodes=tuple(
            CacheNode(
                id=name,
                node=node.get("CacheNodeId", ""),
                status=node.get("CacheNodeStatus", ""),
                zone=node.get("CustomerAvailabilityZone", ""),
            )
            for node in nodes
        ),
        pending=tuple(
            key for key, value in cluster.get("PendingModifiedValues", {}).items() if value
        ),
    )


def _replication_group(group: "ReplicationGroupTypeDef") -> Cache:
    shards = group.get("NodeGroups", [])
    address = group.get("ConfigurationEndpoint") or (
        shards[0].get("PrimaryEndpoint", {}) if shards else {}
    )
    return Cache(
        id=group.get("ReplicationGroupId", ""),
        kind="replication_group",
        status=group.get("Status", ""),
        engine=group.get("Engine", ""),
        node_type=group.get("CacheNodeType", ""),
        endpoint=f"{address.get('Address', '')}:{address.get('Port', '')}" if address else "",
        nodes=tuple(
            CacheNode(
                id=member.get("CacheClusterId", ""),
                node=member.get("CacheNodeId", ""),
                status=shard.get("Status", ""),
                zone=member.get("PreferredAvailabilityZone", ""),
                role=member.get("CurrentRole", ""),
            )
            for shard in shards
            for member in shard.get("NodeGroupMembers", ())
        ),
        pending=tuple(
            key for key, value in group.get("PendingModifiedValues", {}).items() if value
        ),
        tls=group.get("TransitEncryptionEnabled"),
    )
