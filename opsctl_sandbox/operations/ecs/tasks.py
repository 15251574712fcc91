"""ECS tasks, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster.values import Task
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import (
    active_definition,
    cluster_name,
    invalid,
    last,
    missing,
    number,
    several,
)
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Structure

Answer = dict[str, Any]


def find_task(world: World, cluster: str, name: str) -> Task | None:
    identifier = last(name)
    return next(
        (t for t in world.tasks.values() if t.id == identifier and t.cluster == cluster), None
    )


def describe_tasks(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, request)
    names = several(request, "tasks", "Tasks", 100)
    pairs = [(name, find_task(world, cluster, name)) for name in names]
    return {
        "tasks": [_described(simulation, t, request) for _, t in pairs if t],
        "failures": [
            missing(world.arn("ecs", f"task/{cluster}/{last(name)}")) for name, t in pairs if not t
        ],
    }


def _described(simulation: Simulation, task: Task, request: Structure) -> Answer:
    answer = answers.task(simulation, task)
    return answer | ({"tags": _tags(simulation.world(), task)} if _with_tags(request) else {})


def _with_tags(request: Structure) -> bool:
    return "TAGS" in (request.get("include") or ())


def _tags(world: World, task: Task) -> list[Answer]:
    """Its own and those that it gets; what belongs to AWS (`aws:…`) is handed on to no task."""
    service = world.services.get((task.cluster, task.service))
    document = service.spec.document if service else {}
    given = [dict(one) for one in task.tags]
    if document.get("propagateTags") == "SERVICE":
        given += document.get("tags") or []
    elif document.get("propagateTags") == "TASK_DEFINITION":
        given += task.definition.document.get("tags") or []
    tags = [one for one in given if not one["key"].startswith("aws:")]
    if service and document.get("enableECSManagedTags"):
        names = {"aws:ecs:clusterName": task.cluster, "aws:ecs:serviceName": task.service}
        tags += [{"key": key, "value": value} for key, value in names.items()]
    return tags


def stop_task(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    task = find_task(world, cluster_name(world, request), request["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    simulation.engine.stop_task(task.arn, request.get("reason", ""))
    return {"task": answers.task(simulation, task)}


def run_task(simulation: Simulation, request: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, request)
    arn = active_definition(world, request["taskDefinition"], "InvalidParameterException")
    begun: list[Answer] = []
    failures: list[Answer] = []
    for _ in range(number(request, "count", 1, 1, 10)):
        task = simulation.engine.run_task(
            cluster,
            arn,
            overrides=request.get("overrides", {}),
            started_by=request.get("startedBy", ""),
        )
        if isinstance(task, str):
            failures.append({"arn": answers.cluster_arn(world, cluster), "reason": task})
        else:
            task.tags = list(request.get("tags") or ())
            if request.get("propagateTags") == "TASK_DEFINITION":
                task.tags += task.definition.document.get("tags") or []
            begun.append(answers.task(simulation, task))
    return {"tasks": begun, "failures": failures}


ANSWERS = {
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "RunTask": run_task,
}
