"""Snapshots of caches: they take time, and hold what the cache held when they began."""

from collections.abc import Callable

from opsctl_sandbox.ministack import caches
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Call, Forward, Operations, Refused, Structure


async def test_failover(call: Call, forward: Forward) -> Structure:
    group, shard = (str(call.parameters[key]) for key in ("ReplicationGroupId", "NodeGroupId"))
    if not caches.exists(cluster="", group=group):
        text = f"Replication Group {group} not found."
        raise Refused("ReplicationGroupNotFoundFault", text, status=404)
    if not caches.has_node_group(group, shard):
        text = f"Node group {shard} of {group} could not be found"
        raise Refused("NodeGroupNotFoundFault", text, status=404)
    record = caches.fail_over(group, shard)
    if record is None:
        text = f"Node group {shard} of {group} has no replica to fail over to"
        raise Refused("InvalidParameterValue", text)
    shown = ("ReplicationGroupId", "Description", "Status", "MemberClusters", "NodeGroups")
    return {"ReplicationGroup": {key: record[key] for key in shown}}


def operations(simulation: Simulation, saved: Callable[[int], bytes | None]) -> Operations:
    """`saved` returns everything that the server on a port holds."""

    async def create(call: Call, forward: Forward) -> Structure:
        request = call.parameters
        cluster, group = request.get("CacheClusterId", ""), request.get("ReplicationGroupId", "")
        if not caches.exists(cluster=cluster, group=group):
            kind = "CacheClusterNotFound" if cluster else "ReplicationGroupNotFoundFault"
            raise Refused(kind, f"{cluster or group} was not found", status=404)
        if group and caches.in_cluster(group):
            sentence = "the sandbox takes no snapshot of Redis in cluster mode"
            raise Refused("InvalidParameterCombination", sentence)
        answer = await forward(request)
        name = request["SnapshotName"]
        port = caches.source(name)
        world = simulation.world()
        ready = world.now + world.about(world.timings.snapshot)
        caches.begin_snapshot(name, saved(port) if port else None, ready)
        return {"Snapshot": {**answer["Snapshot"], "SnapshotStatus": "creating"}}

    async def describe(call: Call, forward: Forward) -> Structure:
        caches.finish_snapshots(simulation.world().now)
        answer = await forward(call.parameters)
        name = call.parameters.get("SnapshotName")
        if name and not answer.get("Snapshots"):
            raise Refused("SnapshotNotFoundFault", f"{name} was not found", status=404)
        return answer

    return {
        ("elasticache", "TestFailover"): test_failover,
        ("elasticache", "CreateSnapshot"): create,
        ("elasticache", "DescribeSnapshots"): describe,
    }
