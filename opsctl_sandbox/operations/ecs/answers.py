"""Write the simulation's nouns as ECS answers: clusters, task definitions, services, tasks,
container instances. Values in, structures out.
"""

from typing import Any

from opsctl_sandbox.cluster import deployments, instance_types, placement, services
from opsctl_sandbox.cluster.values import Container, Deployment, Instance, Service, Task
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.simulation import Simulation

Answer = dict[str, Any]
_LAUNCH_TYPE = "EC2"


def cluster_arn(world: World, name: str) -> str:
    return world.arn("ecs", f"cluster/{name}")


def cluster(simulation: Simulation, name: str) -> Answer:
    world = simulation.world()
    document = world.clusters[name]
    living = [t for t in world.tasks.values() if t.cluster == name and t.status != "STOPPED"]
    active = [
        s for s in world.services.values() if s.spec.cluster == name and s.status != "INACTIVE"
    ]
    running = sum(t.status == "RUNNING" for t in living)
    pending = sum(t.status in ("PENDING", "ACTIVATING") for t in living)
    return {
        "clusterArn": cluster_arn(world, name),
        "clusterName": name,
        "status": document.get("status", "ACTIVE"),
        "registeredContainerInstancesCount": len(placement.container_instances(world, name)),
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": len(active),
        "statistics": [
            {"name": "runningEC2TasksCount", "value": str(running)},
            {"name": "pendingEC2TasksCount", "value": str(pending)},
            {"name": "activeEC2ServiceCount", "value": str(len(active))},
        ],
        "tags": document.get("tags", []),
        "settings": document.get("settings", []),
        "capacityProviders": document.get("capacityProviders", []),
        "defaultCapacityProviderStrategy": document.get("defaultCapacityProviderStrategy", []),
    }


def task_definition(simulation: Simulation, arn: str) -> Answer:
    """Return the registered document whole: ulimits, secrets, health checks and all."""
    world = simulation.world()
    definition = world.definitions[arn]
    document = {k: v for k, v in definition.document.items() if k != "tags"}
    return {
        "volumes": [],
        "placementConstraints": [],
        "networkMode": "bridge",
        **document,
        "taskDefinitionArn": arn,
        "revision": definition.revision,
        "status": "INACTIVE" if arn in world.inactive else "ACTIVE",
        "compatibilities": document.get("requiresCompatibilities", ["EXTERNAL", "EC2"]),
    }


def service(simulation: Simulation, value: Service) -> Answer:
    world, spec = simulation.world(), value.spec
    living = [t for t in services.all_tasks(world, value) if t.status != "STOPPED"]
    document = {k: v for k, v in spec.document.items() if k in _KEPT}
    return {
        **document,
        "serviceArn": value.arn,
        "serviceName": spec.name,
        "clusterArn": cluster_arn(world, spec.cluster),
        "status": value.status,
        "desiredCount": spec.desired if value.status == "ACTIVE" else 0,
        "runningCount": _running(living),
        "pendingCount": _pending(living),
        "taskDefinition": spec.task_definition,
        "deploymentConfiguration": deployment_configuration(value),
        "deployments": [deployment(simulation, value, d) for d in value.deployments],
        "events": [
            {"id": e.id, "createdAt": simulation.wall(e.at), "message": e.message}
            for e in value.events
        ],
        "createdAt": simulation.wall(value.created),
        "schedulingStrategy": "REPLICA",
        "roleArn": document.get("role", _service_linked_role(world)),
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "propagateTags": document.get("propagateTags", "NONE"),
        "healthCheckGracePeriodSeconds": int(spec.grace),
    }


def deployment_configuration(value: Service) -> Answer:
    spec = value.spec
    given = spec.document.get("deploymentConfiguration", {})
    breaker = given.get("deploymentCircuitBreaker", {})
    return {
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        **given,
        "minimumHealthyPercent": spec.minimum_percent,
        "maximumPercent": spec.maximum_percent,
        "deploymentCircuitBreaker": {**breaker, "enable": spec.breaker, "rollback": spec.rollback},
    }


_KEPT = (
    "loadBalancers",
    "placementStrategy",
    "placementConstraints",
    "launchType",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "availabilityZoneRebalancing",
    "networkConfiguration",
    "role",
    "propagateTags",
    "enableExecuteCommand",
    "tags",
)


def _launched(value: Service) -> Answer:
    """Return the launch type or the capacity provider strategy: a service has one of them."""
    strategy = value.spec.document.get("capacityProviderStrategy")
    if strategy:
        return {"capacityProviderStrategy": strategy}
    return {"launchType": value.spec.document.get("launchType", _LAUNCH_TYPE)}


def _service_linked_role(world: World) -> str:
    role = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    return f"arn:aws:iam::{world.account}:{role}"


def _running(tasks: list[Task]) -> int:
    return sum(t.status in ("RUNNING", "DEACTIVATING", "STOPPING") for t in tasks)


def _pending(tasks: list[Task]) -> int:
    return sum(t.status in ("PROVISIONING", "PENDING", "ACTIVATING") for t in tasks)


def deployment(simulation: Simulation, owner: Service, value: Deployment) -> Answer:
    mine = deployments.of(simulation.world(), owner, value)
    return {
        "id": value.id,
        "status": value.status,
        "taskDefinition": value.task_definition,
        "desiredCount": value.desired if value.status == "PRIMARY" else 0,
        "runningCount": _running(mine),
        "pendingCount": _pending(mine),
        "failedTasks": value.failed_tasks,
        "createdAt": simulation.wall(value.created),
        "updatedAt": simulation.wall(value.updated),
        **_launched(owner),
        "rolloutState": value.rollout,
        "rolloutStateReason": value.rollout_reason,
    }


def task(simulation: Simulation, value: Task) -> Answer:
    world = simulation.world()
    instance = world.instances.get(value.instance)
    times = {
        "createdAt": value.created,
        "pullStartedAt": value.pull_started,
        "pullStoppedAt": value.pull_stopped,
        "startedAt": value.started,
        "stoppingAt": value.stopping,
        "stoppedAt": value.stopped,
        "executionStoppedAt": value.stopped,
    }
    answer: Answer = {
        "taskArn": value.arn,
        "clusterArn": cluster_arn(world, value.cluster),
        "taskDefinitionArn": value.definition.arn,
        "containerInstanceArn": instance.arn if instance else "",
        "availabilityZone": instance.zone if instance else "",
        "lastStatus": value.status,
        "desiredStatus": value.desired,
        "launchType": _LAUNCH_TYPE,
        "cpu": str(value.definition.cpu),
        "memory": str(value.definition.memory),
        "group": value.group,
        "startedBy": value.started_by,
        "containers": [_container(value, c) for c in value.containers],
        "connectivity": "CONNECTED" if instance and instance.agent_connected else "DISCONNECTED",
        "healthStatus": _health(value),
        "overrides": value.overrides or {"containerOverrides": []},
        "attachments": [],
        "tags": [],
        "version": 1,
    }
    if value.stop_code:
        answer |= {"stopCode": value.stop_code, "stoppedReason": value.stopped_reason}
    return answer | {k: simulation.wall(at) for k, at in times.items() if at is not None}


def _health(value: Task) -> str:
    if not any(c.get("healthCheck") for c in value.definition.containers):
        return "UNKNOWN"
    return "HEALTHY" if value.status == "RUNNING" else "UNKNOWN"


def _container(value: Task, container: Container) -> Answer:
    answer: Answer = {
        "containerArn": value.arn.replace(":task/", ":container/") + f"/{container.name}",
        "taskArn": value.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.status,
        "healthStatus": _health(value),
        "networkInterfaces": [],
        "networkBindings": [
            {"bindIP": "0.0.0.0", "containerPort": inside, "hostPort": host, "protocol": "tcp"}
            for inside, host in container.host_ports
        ],
    }
    if container.exit_code is not None:
        answer["exitCode"] = container.exit_code
    if container.reason:
        answer["reason"] = container.reason
    if container.digest:
        answer["imageDigest"] = container.digest
    return answer


def container_instance(simulation: Simulation, value: Instance) -> Answer:
    world = simulation.world()
    left = placement.room(world, value)
    held = placement.occupants(world, value.id)
    reserved = placement.RESERVED_PORTS
    return {
        "containerInstanceArn": value.arn,
        "ec2InstanceId": value.id,
        "status": "DRAINING" if value.draining else "ACTIVE",
        "agentConnected": value.agent_connected,
        "runningTasksCount": sum(t.status == "RUNNING" for t in held),
        "pendingTasksCount": _pending(held),
        "registeredAt": simulation.wall(value.joined_at or 0.0),
        "versionInfo": {"agentVersion": "1.108.3", "dockerVersion": "DockerVersion: 25.0.18"},
        "registeredResources": _resources(value.cpu, value.memory, reserved),
        "remainingResources": _resources(left.cpu, left.memory, left.ports),
        "attributes": [
            {"name": "ecs.availability-zone", "value": value.zone},
            {"name": "ecs.instance-type", "value": value.instance_type},
            {"name": "ecs.os-type", "value": "linux"},
            {
                "name": "ecs.cpu-architecture",
                "value": instance_types.architecture(value.instance_type),
            },
            {"name": "ecs.ami-id", "value": value.image},
            {"name": "ecs.subnet-id", "value": value.subnet},
            *({"name": name, "value": text} for name, text in value.script.attributes),
        ],
        "attachments": [],
        "tags": [],
    }


def _resources(cpu: int, memory: int, ports: frozenset[int]) -> list[Answer]:
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        {
            "name": "PORTS",
            "type": "STRINGSET",
            "stringSetValue": [str(p) for p in sorted(ports)],
        },
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ]
