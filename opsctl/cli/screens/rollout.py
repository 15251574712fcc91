"""Show a rollout: its plan, what happens to the tasks, how it ended."""

from dataclasses import asdict

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.releases import SAME
from opsctl.cli.screens.screen import Screen
from opsctl.plural import counted
from opsctl.releases.update_tasks import ReleaseResult
from opsctl.rollout.early_stop import CertainFailure
from opsctl.rollout.plan import RollPlan
from opsctl.rollout.reach import Answer
from opsctl.rollout.room import Forecast
from opsctl.rollout.scale import ScalePlan
from opsctl.rollout.watch import (
    Counts,
    RolloutEvent,
    ServiceSaid,
    TargetChanged,
    TasksStopped,
    Wave,
)

_EVENTS = (Counts, ServiceSaid, TargetChanged, TasksStopped, Wave)
# On a terminal the table shows these; elsewhere they are lines.
_ON_THE_BOARD = (Counts, TargetChanged)
_MANY = 20  # tasks


class RolloutScreen(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._desired = 0
        self._unhealthy = 0  # lines about unhealthy targets

    def show(self, item: object) -> bool:
        if isinstance(item, _EVENTS):
            self._event(item)
        elif isinstance(item, RollPlan):
            self._plan(item)
        elif isinstance(item, ScalePlan):
            self._scale(item)
        elif isinstance(item, Answer):
            self._console.emit("reached", url=item.url, status=item.status, answer=item.text)
            self._console.say(f"through the load balancer: {item.sentence}")
        elif isinstance(item, CertainFailure):
            self._certain(item)
        elif isinstance(item, ReleaseResult):
            self._result(item)
        else:
            return False
        return True

    def _scale(self, plan: ScalePlan) -> None:
        self._console.emit(
            "scale", service=plan.service, before=plan.before, after=plan.after, room=plan.room
        )
        room = "" if plan.room is None else f" (room for {plan.room} more now)"
        self._console.say(f"`{plan.service}`: {plan.before} -> {plan.after} tasks{room}")

    def _plan(self, plan: RollPlan) -> None:
        for sentence in plan.repairs:
            self._console.warn(sentence)
        for sentence in plan.findings:
            self._console.say(sentence)
        if plan.forecast is not None:
            self._forecast(plan, plan.forecast)
        if plan.way == "follow":
            self._console.say(
                "the service has this image already: following it until it is healthy"
            )
        elif plan.way == "deployment" and not plan.repairs:
            self._console.say("a new deployment of the same image is forced")

    def _forecast(self, plan: RollPlan, forecast: Forecast) -> None:
        self._console.emit(
            "forecast",
            room=forecast.room,
            waves=list(forecast.waves),
            lack=forecast.lack,
            choices=list(forecast.choices),
        )
        if forecast.can_roll:
            waves = len(forecast.waves)
            self._console.say(
                f"{counted(plan.need.desired, 'task')}, room for {forecast.room} more now: "
                f"{counted(waves, 'wave')}"
            )
        else:
            self._console.warn(f"not enough {forecast.lack} now for every new task")

    def _event(self, event: RolloutEvent) -> None:
        fields = asdict(event)
        if isinstance(event, TasksStopped):
            # One object per task, so that a reader need not know how many come together.
            tasks = fields.pop("tasks")
            objects = [{**fields, "task": task} for task in tasks]
        else:
            objects = [fields]
        for one in objects:
            self._console.emit("rollout", kind=event.kind, bad=event.failed, **_named(event, one))
        if isinstance(event, Counts):
            self._desired = event.desired
        if self._console.terminal and not event.failed and isinstance(event, _ON_THE_BOARD):
            return
        if isinstance(event, TargetChanged) and not self._worth_a_line(event):
            return
        mark = self._console.style("bad", "! ") if event.failed else "  "
        self._console.say(f"{mark}{event.text}")

    def _worth_a_line(self, event: TargetChanged) -> bool:
        """Of many tasks the counts say how many targets are healthy, without a line for each."""
        self._unhealthy += event.failed
        return self._desired <= _MANY or (event.failed and self._unhealthy <= _MANY)

    def _certain(self, failure: CertainFailure) -> None:
        doom = failure.doom
        self._console.emit(
            "certain_failure",
            cause=doom.cause.id,
            sentence=doom.sentence,
            times=doom.times,
            waiting_costs_seconds=round(doom.costs.total_seconds()),
            stops=failure.stops,
        )
        self._console.warn(doom.sentence)

    def _result(self, result: ReleaseResult) -> None:
        outcome, image = result.outcome, result.image
        self._console.emit(
            "release",
            number=result.number or None,
            outcome=outcome.kind,
            reason=outcome.reason,
            image=image.reference or None,
            commit=image.commit,
            seconds=result.seconds,
        )
        if outcome.kind == "no-changes":
            self._console.say(f"nothing to roll; {SAME}")
        elif outcome.kind == "deployed":
            self._console.say(f"deployed: {image.reference}")


def _named(event: RolloutEvent, fields: dict[str, object]) -> dict[str, object]:
    return {"text": event.text, **fields}
