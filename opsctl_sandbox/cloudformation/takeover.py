"""Give ministack's CloudFormation time, failures, and the resources of the simulation."""

from collections.abc import Container

from opsctl_sandbox.cloudformation.capacity_providers import CapacityProviders
from opsctl_sandbox.cloudformation.operation import StackOperation
from opsctl_sandbox.cloudformation.pace import Pace
from opsctl_sandbox.cloudformation.resources import Resources
from opsctl_sandbox.cloudformation.scaling import Scaling
from opsctl_sandbox.ministack import imports, rollbacks, stacks
from opsctl_sandbox.ministack.resource_types import ResourceTypes
from opsctl_sandbox.ministack.stacks import Request
from opsctl_sandbox.simulation import Simulation


def install(simulation: Simulation, types: ResourceTypes, images: Container[str]) -> None:
    """Install for the life of this process. `images` are Amazon's machine images, by their ids."""
    pace = Pace(simulation)

    async def run(request: Request) -> None:
        await StackOperation(request, pace, images).run()

    rollbacks.take_over()
    stacks.take_over(run, pace)
    imports.take_over(pace)
    for kinds in (Resources(simulation, types), CapacityProviders(simulation), Scaling(simulation)):
        for resource_type, handler in kinds.handlers().items():
            types.replace(resource_type, handler)
