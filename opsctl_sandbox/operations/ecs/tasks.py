"""ECS tasks, answered from the simulation."""

from typing import Any

from opsctl_sandbox.cluster.values import Task
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import (
    cluster_name,
    find_definition,
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
        "tasks": [answers.task(simulation, t) for _, t in pairs if t],
        "failures": [
            missing(world.arn("ecs", f"task/{cluster}/{last(name)}")) for name, t in pairs if not t
        ],
    }


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
    arn = find_definition(world, request["taskDefinition"])
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
            begun.append(answers.task(simulation, task))
    return {"tasks": begun, "failures": failures}


ANSWERS = {
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "RunTask": run_task,
}
