"""The second half of `update-tasks`: is there room, the change set, the watch, the outcome."""

import time
import uuid
from collections.abc import Iterable
from enum import StrEnum
from functools import partial

from opsctl.cli import release, stack, watching
from opsctl.cli.interrupt import Choice, ask
from opsctl.cli.options import Invocation
from opsctl.errors import Detached, OpsError, RolledBack, StackFailed
from opsctl.rollout import follow, reach, room, stop
from opsctl.rollout.follow import RolloutEvent, Watch
from opsctl.rollout.outcome import Outcome
from opsctl.rollout.room import Forecast, Wish
from opsctl.snapshot import service as observe
from opsctl.snapshot import stacks as state
from opsctl.snapshot.stacks import StackState
from opsctl.stacks import plan as planning
from opsctl.stacks.changes import ChangeSet
from opsctl.stacks.definition import Stack

# A rollout may change these and nothing else; anything more is the work of `ecs up`.
_OURS = {"AWS::ECS::TaskDefinition", "AWS::ECS::Service"}


class Strategy(StrEnum):
    ROLLING = "rolling"
    STOP = "stop"


class Roll:
    """One image on its way into one service."""

    def __init__(
        self,
        invocation: Invocation,
        found: StackState,
        wanted: release.Wanted,
        strategy: Strategy,
        patience: float,
    ) -> None:
        self.invocation = invocation
        self.console = invocation.console
        self.found = found
        self.wanted = wanted
        self.image = wanted.reference or ""
        self.strategy = strategy
        self.patience = patience
        config = invocation.config.ecs
        self.where = (config.cluster_name, config.service_name)
        self.changes = {
            key: value
            for key, value in (
                ("Image", wanted.reference or "to be built"),
                ("DesiredCount", str(config.desired_count)),
            )
            if found.parameters.get(key) != value
        }
        self.wish = self._wish()

    def is_steady(self) -> bool:
        watch = watching.start(self.invocation, self.image)
        list(watch.look())
        verdict = watch.verdict()
        return verdict is not None and verdict.kind == "deployed"

    def require_room(self) -> Forecast:
        """The arithmetic, before any change. Raises OpsError when not one task could start."""
        ecs = self.invocation.clients.ecs
        instances = observe.instances(ecs, *self.where)
        compute = self.invocation.config.compute
        found = room.forecast(
            instances, self.wish, desired=compute.desired, maximum=compute.maximum
        )
        self.console.emit(
            "forecast",
            room=found.room,
            waves=list(found.waves),
            lack=found.lack,
            choices=list(found.choices),
        )
        if found.can_roll:
            waves = len(found.waves)
            self.console.say(
                f"{self.wish.desired} tasks, room for {found.room} more now: "
                f"{waves} wave{'s' if waves != 1 else ''}"
            )
        elif compute.capacity_provider:
            self.console.warn(f"not enough {found.lack} now; the capacity provider adds instances")
        else:
            raise _cannot_start(found, self.wish, observe.registered(ecs, self.where[0]))
        return found

    def show_plan(self) -> None:
        if self.wanted.reference is None:
            self.console.say("the plan of the stack follows once the image is known")
            return
        change_set = self._plan()
        stack.show_change_set(self.console, change_set)
        planning.discard(self.invocation.clients.cloudformation, change_set)

    def run(self, *, yes: bool, force: bool) -> Outcome:
        if self.changes:
            return self._change(yes=yes)
        watch = watching.start(self.invocation, self.image, forced=force)
        watching.look(self.console, watch)
        primary = watch.last.primary
        if force:
            self.console.say("nothing changed; a new deployment of the same image is forced")
        elif primary is not None and not watch.goal.is_ours(primary):
            self.console.warn(
                f"the service runs {primary.revision}, not what its stack says: "
                "somebody changed it by other means"
            )
            watch = watching.start(self.invocation, self.image, forced=True)
        else:
            self.console.say("the service has this image already: following it until it is healthy")
            return self._verify(watch)
        self._agree(yes=yes)
        self._force()
        return self._verify(watch)

    def _force(self) -> None:
        clients = self.invocation.clients
        known = state.resource(clients.cloudformation, self.found.name, "TaskDefinition")
        stop.force(clients.ecs, *self.where, known)

    def _change(self, *, yes: bool) -> Outcome:
        """Give the stack the image by a change set of the task definition and service alone."""
        change_set = self._plan()
        stack.show_change_set(self.console, change_set)
        try:
            self._refuse_more(change_set)
            self._agree(yes=yes)
        except BaseException:
            planning.discard(self.invocation.clients.cloudformation, change_set)
            raise
        watch = watching.start(self.invocation, self.image)
        sleep = partial(self._look_and_sleep, watch)
        try:
            stack.execute(self.invocation, change_set, sleep=sleep)
        except (RolledBack, StackFailed) as error:
            told = watching.blamed(self.console, watch, error)
            if isinstance(told, StackFailed):
                raise told from error
            return Outcome("rolled-back", told.message)
        return self._verify(watch)

    def _agree(self, *, yes: bool) -> None:
        if not self.console.confirm(f"roll `{self.where[1]}`?", yes=yes):
            raise Detached("nothing was rolled")

    def _verify(self, watch: Watch) -> Outcome:
        outcome = None
        while outcome is None:
            try:
                for event in follow.follow(
                    watch,
                    sleep=time.sleep,
                    now=time.monotonic,
                    timeout=self.patience,
                    act=partial(self._waves, watch),
                ):
                    watching.show(self.console, event)
                    outcome = event.outcome
            except KeyboardInterrupt:
                if ask(self.console, "the tasks are being rolled") is not Choice.WAIT:
                    raise Detached(
                        "left the rollout running", hint="opsctl update-tasks follows it again"
                    ) from None
        return self._asked_through_load_balancer() if outcome.kind == "deployed" else outcome

    def _look_and_sleep(self, watch: Watch, seconds: float) -> None:
        watching.look(self.console, watch)
        for event in self._waves(watch):
            watching.show(self.console, event)
        time.sleep(seconds)

    def _waves(self, watch: Watch) -> Iterable[RolloutEvent]:
        if self.strategy is Strategy.ROLLING:
            return ()
        return stop.wave(self.invocation.clients.ecs, *self.where, watch, self.wish)

    def _asked_through_load_balancer(self) -> Outcome:
        address = reach.address(self.invocation.clients.elbv2, self._service())
        if address is None:
            return Outcome("deployed")
        answered = reach.reach(address, sleep=time.sleep)
        self.console.emit("reached", address=str(address), answer=answered.text)
        self.console.say(f"through the load balancer: {answered.text}")
        return Outcome("deployed-unhealthy", answered.text) if answered.bad else Outcome("deployed")

    def _plan(self) -> ChangeSet:
        kept: dict[str, str | None] = dict.fromkeys(self.found.parameters)
        wanted = Stack(
            name=self.found.name,
            kind="ecs",
            template="",
            parameters=kept | self.changes,
            capabilities=("CAPABILITY_NAMED_IAM",),
            tags=self.found.tags,
        )
        return planning.plan(
            self.invocation.clients,
            wanted,
            self.found,
            bucket=None,
            sleep=time.sleep,
            token=uuid.uuid4().hex,
        )

    def _refuse_more(self, change_set: ChangeSet) -> None:
        others = [each.logical_id for each in change_set.changes if each.resource_type not in _OURS]
        if others:
            raise OpsError(
                f"this would change more than the tasks: {', '.join(others)}",
                hint="opsctl ecs up first, then opsctl update-tasks",
            )

    def _wish(self) -> Wish:
        config = self.invocation.config.ecs
        size = observe.task_size(self.invocation.clients.ecs, self._service()["taskDefinition"])
        return Wish(
            desired=config.desired_count,
            minimum_percent=config.minimum_healthy_percent,
            maximum_percent=config.maximum_percent,
            task=size,
            old_task=size,
        )

    def _service(self) -> observe.Described:
        return observe.describe(self.invocation.clients.ecs, *self.where)


def _cannot_start(found: Forecast, wish: Wish, registered: int) -> OpsError:
    started = sum(found.waves)
    if found.lack == "instances":
        why = "none has joined the cluster"
        if registered:
            why = f"{registered} are registered, none of them ACTIVE with a connected agent"
        return OpsError(
            f"cannot start: no instance takes tasks: {why}", hint="opsctl logs tail ecs agent"
        )
    what = "not one task fits" if not started else f"only {started} of {wish.desired} tasks fit"
    choices = "; ".join(found.choices) or "a larger `compute.instance_type`"
    return OpsError(
        f"cannot start: {what} (not enough {found.lack})", hint=f"choose one: {choices}"
    )
