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
    wanted = last(name)
    return next((t for t in world.tasks.values() if t.id == wanted and t.cluster == cluster), None)


def describe_tasks(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    names = several(asked, "tasks", "Tasks", 100)
    found = [(name, find_task(world, cluster, name)) for name in names]
    return {
        "tasks": [answers.task(simulation, t) for _, t in found if t],
        "failures": [
            missing(world.arn("ecs", f"task/{cluster}/{last(name)}")) for name, t in found if not t
        ],
    }


def stop_task(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    task = find_task(world, cluster_name(world, asked), asked["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    simulation.engine.stop_task(task.arn, asked.get("reason", ""))
    return {"task": answers.task(simulation, task)}


def run_task(simulation: Simulation, asked: Structure) -> Answer:
    world = simulation.world()
    cluster = cluster_name(world, asked)
    arn = find_definition(world, asked["taskDefinition"])
    begun: list[Answer] = []
    failures: list[Answer] = []
    for _ in range(number(asked, "count", 1, 1, 10)):
        task = simulation.engine.run_task(
            cluster,
            arn,
            overrides=asked.get("overrides", {}),
            started_by=asked.get("startedBy", ""),
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
