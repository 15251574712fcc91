"""Show instances that are replaced."""

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.rollout.instances import InstancePlan, Step


class InstancesScreen(Screen):
    def __init__(self, console: Console, *, data: bool = False) -> None:
        self._console = console
        self._print = console.data if data and not console.json else console.say

    def show(self, item: object) -> bool:
        if isinstance(item, InstancePlan):
            self._plan(item)
        elif isinstance(item, Step):
            self._console.emit(
                "instance_step", action=item.action, instance=item.instance or None, text=item.text
            )
            mark = self._console.style("bad", "! ") if item.action == "failed" else "  "
            self._console.say(f"{mark}{item.text}")
        else:
            return False
        return True

    def _plan(self, plan: InstancePlan) -> None:
        self._console.emit(
            "instance_plan",
            replacements=[{"instance": one.instance, "why": one.why} for one in plan.replacements],
            size=plan.size,
            grow=plan.grow,
            usual_seconds=plan.usually,
        )
        count = len(plan.replacements)
        if not count:
            under_way = "every instance is new, or leaves already; what was interrupted goes on"
            self._print(under_way if plan.under_way else "no instance has to be replaced")
            return
        minutes = int(plan.usually.total_seconds() // 60)
        first = "a new one joins" if plan.grow else "tasks move to the others"
        word = "instance is" if count == 1 else "instances are"
        self._print(
            f"{count} {word} replaced, one after another (~{minutes} min); "
            f"{first} before an old one goes:"
        )
        for one in plan.replacements:
            self._print(f"  ! {one.instance}  {one.why}")
