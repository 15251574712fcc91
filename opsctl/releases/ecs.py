"""`ecs up` as a release: a change of the stack that rolls tasks stands in the history, too."""

from dataclasses import replace
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure, look_at
from opsctl.releases import closing, difference, facts
from opsctl.releases.record import Record
from opsctl.rollout import ecs
from opsctl.stacks.changes import Plan

if TYPE_CHECKING:
    from opsctl.aws import Clients


def up(clients: "Clients", config: Config, wishes: ecs.Wishes = ecs.NONE) -> Procedure[Outcome]:
    told = _Told(clients, config)
    procedure = ecs.up(clients, config, wishes, told=told)
    return (yield from told.record.kept(procedure))


class _Told:
    """Opens a release for a change that rolls tasks, and closes it with the stack's own end."""

    def __init__(self, clients: "Clients", config: Config) -> None:
        self._clients, self._config = clients, config
        self.record = Record(clients, config.system)

    def begin(self, plan: Plan) -> Procedure[None]:
        if not rolls(plan):
            return
        now = yield from look_at(facts.LOOK)
        known = yield from closing.close_open(self._clients, now)
        live = facts.live(now, known)
        release = facts.of_image(facts.planned(self._config, now), live.image, known)
        reasons = tuple(one.text for one in difference.between(live, release) if one.rolls)
        changed = reasons or tuple(one.logical_id for one in plan.changes)
        yield from self.record.begin(replace(release, changed=changed), now, plan.change_set)

    def end(self, outcome: Outcome) -> Procedure[None]:
        yield from self.record.end(outcome)


def rolls(plan: Plan) -> bool:
    """Whether tasks are started anew: another task definition, of a service that has tasks."""
    definitions = [one for one in plan.changes if one.resource_type == "AWS::ECS::TaskDefinition"]
    # Before the first release there is no definition that could change.
    return plan.kind == "UPDATE" and any(one.action == "Modify" for one in definitions)
