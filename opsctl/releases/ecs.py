"""`ecs up` as a release: a change of the stack that rolls tasks stands in the history, too."""

from dataclasses import replace
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure, look_at
from opsctl.releases import closing, difference, facts
from opsctl.releases.record import Record
from opsctl.rollout import ecs
from opsctl.stacks import definition
from opsctl.stacks.changes import Plan

if TYPE_CHECKING:
    from opsctl.aws import Clients


def up(
    clients: "Clients", config: Config, *, new_image: bool = False, imports: bool = False
) -> Procedure[Outcome]:
    record = Record(clients, config.system)

    def begin(plan: Plan) -> Procedure[None]:
        if not rolls(plan):
            return
        now = yield from look_at(facts.LOOK)
        known = yield from closing.close_open(clients, now)
        live = facts.live(now, known)
        release = facts.of_image(facts.planned(config, now), live.image, known)
        changed = tuple(
            change.text for change in difference.between(live, release) if change.rolls
        ) or tuple(one.logical_id for one in plan.changes)
        yield from record.begin(replace(release, changed=changed), now, plan.change_set)

    return (
        yield from record.kept(
            ecs.up(clients, config, new_image=new_image, imports=imports, begin=begin)
        )
    )


def rolls(plan: Plan) -> bool:
    """Whether tasks are started anew: another task definition, of a service that has tasks."""
    released = plan.stack.parameters.get("Image") not in (None, definition.UNRELEASED)
    if plan.kind != "UPDATE" or not released:
        return False
    return any(one.resource_type == "AWS::ECS::TaskDefinition" for one in plan.changes)
