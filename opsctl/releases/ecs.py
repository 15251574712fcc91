"""Run `ecs up` as a release, so that a stack change that rolls tasks is in the history, too."""

from dataclasses import replace
from typing import TYPE_CHECKING

from opsctl.config.model import Config
from opsctl.outcome import Outcome
from opsctl.procedure import Procedure, look_at
from opsctl.releases import closing, difference, facts
from opsctl.releases.record import Record
from opsctl.rollout import ecs, roll
from opsctl.rollout.watch import Watch
from opsctl.stacks import join
from opsctl.stacks.changes import Plan
from opsctl.stacks.operation import Operation

if TYPE_CHECKING:
    from opsctl.aws import Clients


def up(
    clients: "Clients", config: Config, options: ecs.Options = ecs.DEFAULTS
) -> Procedure[Outcome]:
    observer = _ReleaseObserver(clients, config)
    procedure = ecs.up(clients, config, options, observer=observer)
    return (yield from observer.record.kept(procedure))


class _ReleaseObserver:
    """Opens a release for a change that rolls tasks, follows them, and closes the release."""

    def __init__(self, clients: "Clients", config: Config) -> None:
        self._clients, self._config = clients, config
        self.record = Record(clients, config.system)
        self._watch: Watch | None = None

    def planned(self, plan: Plan) -> Procedure[None]:
        if rolls(plan):
            facts.require_secrets(self._config, (yield from look_at(facts.LOOK)))

    def begin(self, plan: Plan) -> Procedure[None]:
        if not rolls(plan):
            return
        now = yield from look_at(facts.LOOK)
        known = yield from closing.close_open(self._clients, now)
        live = facts.live(now, known)
        release = facts.of_image(facts.planned(self._config, now), live.image, known)
        reasons = tuple(one.text for one in difference.between(live, release) if one.rolls)
        changed = reasons or tuple(one.logical_id for one in plan.changes)
        self._watch = yield from roll.before()
        yield from self.record.begin(replace(release, changed=changed), now, plan.change_set)

    def follow(self, operation: Operation) -> Procedure[Outcome]:
        if self._watch is None:
            return (yield from join.followed(self._clients, operation))
        return (yield from roll.with_stack(self._clients, operation, self._watch))

    def end(self, outcome: Outcome) -> Procedure[None]:
        yield from self.record.end(outcome)


def rolls(plan: Plan) -> bool:
    """Return whether the plan starts new tasks, because it changes an existing task definition."""
    definitions = [one for one in plan.changes if one.resource_type == "AWS::ECS::TaskDefinition"]
    # Before the first release the stack has no task definition that could change.
    return plan.kind == "UPDATE" and any(one.action == "Modify" for one in definitions)
