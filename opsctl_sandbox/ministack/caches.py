"""ElastiCache's records: the servers behind caches, and their snapshots.

ministack would start containers wherever it finds an engine; here the host provides servers.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ministack.services import elasticache

TYPES = ("AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup")
Record = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
_FEWEST = 3
_NO_CLUSTER = (
    f"the sandbox has Redis in cluster mode with {_FEWEST} shards or more, and without a snapshot"
)
_SNAPSHOT = "_snapshot"  # key in a snapshot's record: what it holds
_OF_CLUSTER = "_of_cluster"  # another one: whether it is of shards, whose data it does not hold
_NOT_HELD = "the sandbox's snapshot of Redis in cluster mode holds no data"


Ports = Sequence[int]
_servers: dict[str, Any] = {}


class Open(Protocol):
    def __call__(self, holding: bytes | None, *, in_cluster: bool) -> int: ...


def install(
    open_: Open,
    join: Callable[[Sequence[int]], None],
    move: Callable[[Ports, Ports], None],
    saved: Callable[[int], bytes | None],
) -> None:
    """Install.

    `open_` starts a server with a snapshot's content, or empty, and returns its port; `join` makes
    the servers on these ports one cluster; `move` gives the slots of some servers to others;
    `saved` returns everything that a server holds.
    """
    _servers.update(open=open_, move=move, saved=saved)
    begin_with: list[tuple[bytes | None, bool]] = []

    def spawn(*args: Any, **named: Any) -> tuple[str, int, None]:
        holding, in_cluster = begin_with[-1] if begin_with else (None, False)
        return "127.0.0.1", open_(holding, in_cluster=in_cluster), None

    def wrapped(create: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
        def made(parameters: Any) -> Answer:
            name = elasticache._p(parameters, "SnapshotName")
            snapshot = elasticache._snapshots.get(name) if name else None
            if name and (snapshot is None or snapshot["SnapshotStatus"] != "available"):
                text = f"Snapshot {name} does not exist or is not available"
                refused: Answer = elasticache._error("SnapshotNotFoundFault", text, 404)
                return refused
            if snapshot and snapshot.get(_OF_CLUSTER):
                refused = elasticache._error("InvalidParameterCombination", _NOT_HELD, 400)
                return refused
            in_cluster = _in_cluster(parameters)
            if in_cluster and (snapshot or _shards(parameters) < _FEWEST):
                refused = elasticache._error("InvalidParameterCombination", _NO_CLUSTER, 400)
                return refused
            begin_with.append((snapshot.get(_SNAPSHOT) if snapshot else None, in_cluster))
            try:
                answer = create(parameters)
            finally:
                begin_with.pop()
            group = elasticache._p(parameters, "ReplicationGroupId")
            if in_cluster:
                join(_primaries(group))
            else:
                _name_members(group)
            return answer

        return made

    assert callable(elasticache._get_docker) and callable(elasticache._spawn_redis_container)
    elasticache._get_docker = lambda: None
    elasticache._spawn_redis_container = spawn
    for name in ("_create_cache_cluster", "_create_replication_group"):
        setattr(elasticache, name, wrapped(getattr(elasticache, name)))
    for name in ("_modify_cache_cluster", "_modify_replication_group"):
        setattr(elasticache, name, _upgrading(getattr(elasticache, name)))
    for name, action in (
        ("_increase_replica_count", "IncreaseReplicaCount"),
        ("_decrease_replica_count", "DecreaseReplicaCount"),
    ):
        changed = _with_members(action, getattr(elasticache, name))
        setattr(elasticache, name, changed)
    elasticache._decrease_replica_count = _keeping_one(elasticache._decrease_replica_count)


def _upgrading(modify: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """An engine goes to a newer version only: `EngineVersion` of ModifyCacheCluster."""

    def modified(parameters: Any) -> Answer:
        wanted = elasticache._p(parameters, "EngineVersion")
        clusters, groups = elasticache._clusters, elasticache._replication_groups
        record = (
            clusters.get(elasticache._p(parameters, "CacheClusterId") or "")
            or groups.get(elasticache._p(parameters, "ReplicationGroupId") or "")
            or {}
        )
        has = str(record.get("EngineVersion") or "")
        if wanted and has and _numbers(wanted) < _numbers(has)[: len(_numbers(wanted))]:
            text = f"The engine version {has} cannot be downgraded to {wanted}"
            refused: Answer = elasticache._error("InvalidParameterCombination", text, 400)
            return refused
        if sentence := _impossible(record, parameters):
            refused = elasticache._error("InvalidParameterCombination", sentence, 400)
            return refused
        answer = modify(parameters)
        # Its members have the version, which DescribeReplicationGroups does not show.
        for member in record.get("MemberClusters", ()):
            if cluster := clusters.get(member):
                clusters[member] = cluster | {
                    key: record[key] for key in ("EngineVersion", "CacheNodeType") if key in record
                }
        return answer

    return modified


def _impossible(group: Record, parameters: Any) -> str:
    """Return why a replication group cannot be changed so, or ''. The codes are ours.

    Sources: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/383;
    ModifyReplicationGroup, TransitEncryptionMode.
    """
    if "NodeGroups" not in group:
        return ""
    wants = elasticache._p(parameters, "AutomaticFailoverEnabled") or ""
    members = [one for shard in group["NodeGroups"] for one in shard["NodeGroupMembers"]]
    if wants.lower() == "true" and len(members) < 2:
        return "Replication group must have at least one read replica to enable autofailover."
    tls = elasticache._p(parameters, "TransitEncryptionEnabled")
    mode = elasticache._p(parameters, "TransitEncryptionMode")
    if tls and (tls.lower() == "true") != group["TransitEncryptionEnabled"] and not mode:
        return "To switch transit encryption, TransitEncryptionMode must be preferred first."
    return ""


def _keeping_one(decrease: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """With failover the last replica stays: https://github.com/hashicorp/terraform/issues/24244"""

    def decreased(parameters: Any) -> Answer:
        group = elasticache._replication_groups.get(
            elasticache._p(parameters, "ReplicationGroupId")
        )
        none = (elasticache._p(parameters, "NewReplicaCount") or "") == "0"
        if (
            group
            and none
            and group["AutomaticFailover"] == "enabled"
            and not group["ClusterEnabled"]
        ):
            text = "Must have at least 1 replica when cluster mode is disabled with auto failover."
            refused: Answer = elasticache._error("InvalidParameterValue", text, 400)
            return refused
        return decrease(parameters)

    return decreased


def _with_members(action: str, change: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """Replicas that come are members and clusters like the others; the primary never goes."""

    def changed(parameters: Any) -> Answer:
        name = elasticache._p(parameters, "ReplicationGroupId")
        group = elasticache._replication_groups.get(name)
        for shard in group["NodeGroups"] if group else ():
            shard["NodeGroupMembers"].sort(key=lambda one: one["CurrentRole"] != "primary")
        answer = change(parameters)
        if group is None or answer[0] != 200:
            return answer
        before = list(group["MemberClusters"])
        for shard in group["NodeGroups"]:
            _complete(name, shard, in_cluster=bool(group["ClusterEnabled"]))
        _list_members(group)
        for gone in set(before) - set(group["MemberClusters"]):
            elasticache._clusters.pop(gone, None)
        shown = f"<ReplicationGroup>{elasticache._rg_xml(group)}</ReplicationGroup>"
        body = f"<{action}Result>{shown}</{action}Result>"
        made: Answer = elasticache._xml(200, f"{action}Response", body)
        return made

    return changed


def _complete(group: str, shard: Record, *, in_cluster: bool) -> None:
    """Give the new members of a shard the first free numbers, its endpoint, and their clusters."""
    prefix = f"{group}-{shard['NodeGroupId']}" if in_cluster else group
    primary, *replicas = shard["NodeGroupMembers"]
    # The new ones come last, and only they have no reader endpoint of this shard yet.
    endpoint = shard["PrimaryEndpoint"]
    new = [one for one in replicas if one["ReadEndpoint"] != endpoint]
    taken = {one["CacheClusterId"] for one in (primary, *replicas) if one not in new}
    free = (f"{prefix}-{number:03d}" for number in range(1, len(replicas) + 2))
    for member, name in zip(new, (one for one in free if one not in taken), strict=False):
        member |= {"CacheClusterId": name, "ReadEndpoint": endpoint}
        _add_cluster(name, primary["CacheClusterId"], endpoint)
    shard["NodeGroupMembers"].sort(key=lambda one: str(one["CacheClusterId"]))


def _add_cluster(name: str, like: str, endpoint: Record) -> None:
    """Record the cluster of a new member, made like another one."""
    cluster = elasticache._clusters[like]
    elasticache._clusters[name] = cluster | {
        "CacheClusterId": name,
        "CacheClusterArn": elasticache._arn_cluster(name),
        "CacheNodes": [{**node, "Endpoint": endpoint} for node in cluster["CacheNodes"]],
        "_endpoint": endpoint,
    }


def _list_members(group: Record) -> None:
    group["MemberClusters"] = [
        member["CacheClusterId"]
        for shard in group["NodeGroups"]
        for member in shard["NodeGroupMembers"]
    ]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _in_cluster(parameters: Any) -> bool:
    mode = elasticache._p(parameters, "ClusterMode") or "disabled"
    return _shards(parameters) > 1 or mode != "disabled"


def _shards(parameters: Any) -> int:
    return int(elasticache._p(parameters, "NumNodeGroups") or 1)


def _primaries(group: str) -> list[int]:
    record = elasticache._replication_groups.get(group) or {}
    return [int(one["PrimaryEndpoint"]["Port"]) for one in record.get("NodeGroups", ())]


def _name_members(group: str) -> None:
    """Rename members to `NAME-001` if there is one node group; ministack uses `NAME-0001-001`."""
    record = elasticache._replication_groups.get(group) if group else None
    if record is None:
        return
    for node in record["NodeGroups"][0]["NodeGroupMembers"]:
        before = node["CacheClusterId"]
        after = node["CacheClusterId"] = f"{group}-{before.rpartition('-')[2]}"
        cluster = elasticache._clusters.get(before)
        if before != after and cluster is not None:
            del elasticache._clusters[before]
            arn = elasticache._arn_cluster(after)
            elasticache._tags[arn] = elasticache._tags.pop(cluster["CacheClusterArn"], [])
            elasticache._clusters[after] = cluster | {
                "CacheClusterId": after,
                "CacheClusterArn": arn,
            }
    _list_members(record)


def ports() -> Mapping[str, int]:
    """Return cache cluster -> port. A replication group's members have the group's port."""
    known = elasticache._clusters._data.items()
    return {str(scoped[-1]): int(record["_endpoint"]["Port"]) for scoped, record in known}


def reshards(kind: str, definition: Record, old: Record, new: Record) -> bool:
    """Return whether AWS would add or remove shards in place."""
    policy = definition.get("UpdatePolicy") or {}
    counts = {str(one.get("NumNodeGroups", "")) for one in (old, new)}
    return kind == TYPES[1] and bool(policy.get("UseOnlineResharding")) and len(counts) > 1


def reshard(group: str, count: int) -> None:
    """Add or remove shards of a cluster: its slots move with their keys, which stay readable."""
    record = elasticache._replication_groups[group]
    shards = record["NodeGroups"]
    before = _primaries(group)
    if count == len(shards):
        return
    for number in range(len(shards) + 1, count + 1):
        shards.append(_shard(group, number, shards[0], _servers["open"](None, in_cluster=True)))
    _servers["move"](before, _primaries(group)[:count])
    for gone in shards[count:]:
        for member in gone["NodeGroupMembers"]:
            del elasticache._clusters[member["CacheClusterId"]]
    del shards[count:]
    record["_num_node_groups"] = count
    _list_members(record)


def _shard(group: str, number: int, like: Record, port: int) -> Record:
    """Return the record of a new shard, made like another one; its members become clusters."""
    endpoint = {"Address": "127.0.0.1", "Port": port}
    members = []
    for member in like["NodeGroupMembers"]:
        name = f"{group}-{number:04d}-{member['CacheClusterId'].rpartition('-')[2]}"
        members.append({**member, "CacheClusterId": name, "ReadEndpoint": endpoint})
        _add_cluster(name, member["CacheClusterId"], endpoint)
    return {
        **like,
        "NodeGroupId": f"{number:04d}",
        "PrimaryEndpoint": endpoint,
        "ReaderEndpoint": endpoint,
        "NodeGroupMembers": members,
    }


def in_cluster(group: str) -> bool:
    return bool((elasticache._replication_groups.get(group) or {}).get("ClusterEnabled"))


def fail_over(group: str, node_group: str) -> Record | None:
    """Make the first replica the primary. Returns the group's record, or None without a replica."""
    record: Record = elasticache._replication_groups[group]
    for shard in record["NodeGroups"]:
        if shard["NodeGroupId"] == node_group:
            members = shard["NodeGroupMembers"]
            replica = next((one for one in members if one["CurrentRole"] == "replica"), None)
            if replica is None:
                return None
            for member in members:
                member["CurrentRole"] = "primary" if member is replica else "replica"
            return record
    return None


def has_node_group(group: str, node_group: str) -> bool:
    shards = elasticache._replication_groups[group]["NodeGroups"]
    return any(shard["NodeGroupId"] == node_group for shard in shards)


def source(snapshot: str) -> int | None:
    """Return the port of the server that a snapshot is taken of."""
    record = elasticache._snapshots.get(snapshot) or {}
    cluster = elasticache._clusters.get(record.get("CacheClusterId") or "")
    group = elasticache._replication_groups.get(record.get("ReplicationGroupId") or "")
    endpoint = cluster["_endpoint"] if cluster else None
    if group:
        endpoint = group["NodeGroups"][0]["PrimaryEndpoint"]
    return int(endpoint["Port"]) if endpoint else None


def exists(*, cluster: str, group: str) -> bool:
    return bool(
        (cluster and elasticache._clusters.get(cluster))
        or (group and elasticache._replication_groups.get(group))
    )


def live(name: str) -> Mapping[str, Any]:
    """Return the properties that a cluster or group with this name has now."""
    record = elasticache._clusters.get(name) or elasticache._replication_groups.get(name) or {}
    return {key: record[key] for key in ("CacheNodeType", "NumCacheNodes") if key in record}


def begin_snapshot(name: str, holding: bytes | None, ready: float) -> None:
    """Mark the snapshot as creating until `ready`, in simulated seconds."""
    record: Record = elasticache._snapshots[name]
    record |= {"SnapshotStatus": "creating", "_ready": ready, _SNAPSHOT: holding}


def final_snapshot(kind: str, cache: str, stack: str, logical_id: str) -> None:
    """Save what a cache holds before CloudFormation deletes it with the policy `Snapshot`."""
    name = f"{stack}-snapshot-{logical_id}-{secrets.token_hex(6)}".lower()
    source_of = "CacheClusterId" if kind == TYPES[0] else "ReplicationGroupId"
    elasticache._create_snapshot({"SnapshotName": name, source_of: cache})
    clustered = in_cluster(cache)
    port = None if clustered else source(name)
    held = _servers["saved"](port) if port else None
    elasticache._snapshots[name] |= {_SNAPSHOT: held, _OF_CLUSTER: clustered}


def finish_snapshots(now: float) -> None:
    for record in elasticache._snapshots._data.values():
        if record["SnapshotStatus"] == "creating" and record.get("_ready", 0.0) <= now:
            record["SnapshotStatus"] = "available"
