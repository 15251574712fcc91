"""ECS clusters, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster import placement
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import cluster_name, last, missing
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def create_cluster(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    name = request.get("clusterName") or "default"
    world.clusters[name] = {**world.clusters.get(name, {}), **request, "status": "ACTIVE"}
    return {"cluster": answers.cluster(simulation, name)}


def describe_clusters(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    names = [last(c) for c in request.get("clusters") or ["default"]]
    include = request.get("include") or ()
    described = [answers.cluster(simulation, n) for n in names if n in world.clusters]
    for cluster in described:
        for member in ("tags", "settings", "statistics"):
            if member.upper() not in include:
                cluster[member] = []
    return {
        "clusters": described,
        "failures": [
            missing(answers.cluster_arn(world, n)) for n in names if n not in world.clusters
        ],
    }


def delete_cluster(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    name = cluster_name(world, request)
    if any(s.spec.cluster == name and s.status != "INACTIVE" for s in world.services.values()):
        raise Refused(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        )
    if placement.container_instances(world, name):
        raise Refused(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    answer = answers.cluster(simulation, name) | {"status": "INACTIVE"}
    del world.clusters[name]
    return {"cluster": answer}


ANSWERS = {
    "CreateCluster": create_cluster,
    "DescribeClusters": describe_clusters,
    "DeleteCluster": delete_cluster,
}
