"""ECS task definitions, answered from the simulation."""

from typing import Any

from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import find_definition, invalid, is_name, last
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Refused, Structure

Answer = dict[str, Any]


def _check(request: Structure) -> None:
    """Refuse what ECS refuses; its model only demands a family and a list of containers."""
    if not is_name(request["family"]):
        raise Refused("ClientException", "Family contains invalid characters.")
    containers = request["containerDefinitions"]
    if not containers:
        raise Refused("ClientException", "Container list cannot be empty.")
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                sentence = f"Container.{member} should not be null or empty."
                raise Refused("ClientException", sentence)
        limits = (request, "memory"), (container, "memory"), (container, "memoryReservation")
        if not any(where.get(member) for where, member in limits):
            raise Refused(
                "ClientException",
                f"Invalid setting for container '{container['name']}'. At least one of 'memory' "
                "or 'memoryReservation' must be specified.",
            )


def register_task_definition(simulation: Simulation, request: Structure) -> Answer:
    _check(request)
    simulation.world()
    document = {**request, "registeredAt": simulation.wall(simulation.now())}
    definition = simulation.engine.register(document)
    answer = answers.task_definition(simulation, definition.arn)
    return {"taskDefinition": answer, "tags": request.get("tags", [])}


def describe_task_definition(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    arn = find_definition(world, request["taskDefinition"])
    answer = {"taskDefinition": answers.task_definition(simulation, arn)}
    if "TAGS" in (request.get("include") or ()):
        answer["tags"] = world.definitions[arn].document.get("tags", [])
    return answer


def deregister_task_definition(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    if ":" not in last(request["taskDefinition"]):
        raise invalid("The task definition must have a revision.")
    arn = find_definition(world, request["taskDefinition"])
    world.inactive.add(arn)
    return {"taskDefinition": answers.task_definition(simulation, arn)}


ANSWERS = {
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "DeregisterTaskDefinition": deregister_task_definition,
}
