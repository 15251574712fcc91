"""Tags of the simulation's clusters, task definitions and services."""

from dataclasses import replace
from typing import Any

from opsctl_sandbox.cluster.values import Document
from opsctl_sandbox.cluster.world import World
from opsctl_sandbox.operations.ecs import answers
from opsctl_sandbox.operations.ecs.requests import invalid
from opsctl_sandbox.simulation import Simulation
from opsctl_sandbox.wire.calls import Structure

Answer = dict[str, Any]


def _document(world: World, arn: str) -> Document:
    if arn in world.definitions:
        return world.definitions[arn].document
    for name, document in world.clusters.items():
        if answers.cluster_arn(world, name) == arn:
            return document
    for service in world.services.values():
        if service.arn == arn:
            return service.spec.document
    raise invalid("The specified resource was not found.")


def retag(world: World, arn: str, tags: list[Answer]) -> None:
    document = {**_document(world, arn), "tags": tags}
    if arn in world.definitions:
        world.definitions[arn] = replace(world.definitions[arn], document=document)
    for name in world.clusters:
        if answers.cluster_arn(world, name) == arn:
            world.clusters[name] = document
    for service in world.services.values():
        if service.arn == arn:
            service.spec = replace(service.spec, document=document)


def _tags(world: World, arn: str) -> list[Answer]:
    return list(_document(world, arn).get("tags") or ())


def list_tags(simulation: Simulation, request: Structure) -> Answer:
    return {"tags": _tags(simulation.world(), request["resourceArn"])}


def tag(simulation: Simulation, request: Structure) -> Answer:
    world, arn = simulation.world(), request["resourceArn"]
    keys = {one["key"] for one in request["tags"]}
    kept = [one for one in _tags(world, arn) if one["key"] not in keys]
    retag(world, arn, [*kept, *request["tags"]])
    return {}


def untag(simulation: Simulation, request: Structure) -> Answer:
    world, arn = simulation.world(), request["resourceArn"]
    retag(world, arn, [one for one in _tags(world, arn) if one["key"] not in request["tagKeys"]])
    return {}


ANSWERS = {"ListTagsForResource": list_tags, "TagResource": tag, "UntagResource": untag}
