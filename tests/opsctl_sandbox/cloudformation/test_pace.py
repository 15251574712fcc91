"""Which instances a change of a stack's Auto Scaling group replaces."""

import asyncio
from dataclasses import replace
from typing import Any

from opsctl_sandbox.cloudformation.pace import Pace
from opsctl_sandbox.cluster.engine import Engine
from opsctl_sandbox.cluster.values import GroupSpec
from opsctl_sandbox.simulation import Simulation, real_time

ROLLING: dict[str, Any] = {"Type": "x", "UpdatePolicy": {"AutoScalingRollingUpdate": {}}}


def test_only_an_update_whose_own_policy_asks_for_it_replaces_instances() -> None:
    simulation = Simulation(Engine(1), speed=100_000.0, clock=real_time)
    pace = Pace(simulation)
    spec = GroupSpec("asg", "c", 1, 0, 2, ("us-east-1a",), launch="lt:1")
    simulation.engine.create_group(spec)

    async def launches(version: int, definition: dict[str, Any]) -> set[str]:
        simulation.world()
        simulation.engine.update_group(replace(spec, launch=f"lt:{version}"))
        await pace.settle("AWS::AutoScaling::AutoScalingGroup", "asg", definition, created=False)
        instances = simulation.world().instances.values()
        return {each.launch for each in instances if each.state == "running"}

    async def play() -> None:
        await simulation.sleep(600.0)
        assert await launches(2, ROLLING) == {"lt:2"}
        assert await launches(3, {}) == {"lt:3"}, "a rollback goes on by the update's policy"
        assert await launches(4, {"Type": "x"}) == {"lt:3"}
        assert await launches(5, {}) == {"lt:3"}, "nor does its rollback replace any"

    asyncio.run(play())
