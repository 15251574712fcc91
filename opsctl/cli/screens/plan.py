"""Show what a change of a stack would do."""

from opsctl.cli.screens.console import Console, printable
from opsctl.cli.screens.screen import Screen
from opsctl.plural import counted
from opsctl.stacks import differences
from opsctl.stacks.changes import Change, Plan

_MOST = 10  # values of one property
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-", "Import": ">", "SyncWithActual": "="}


class PlanScreen(Screen):
    """With `data` the plan goes to stdout, because `plan` and `--dry-run` asked for it."""

    def __init__(self, console: Console, *, data: bool = False) -> None:
        self._console = console
        self._print = console.data if data and not console.json else console.say

    def show(self, item: object) -> bool:
        if not isinstance(item, Plan):
            return False
        name = item.stack.name
        self._console.emit(
            "plan", stack=name, kind=item.kind, changes=list(map(_fields, item.changes))
        )
        if item.is_empty:
            self._print(f"`{name}`: no changes")
            return True
        count = len(item.changes)
        what = "outputs only" if item.only_outputs else counted(count, "change")
        words = f"{item.kind.lower()}, {what}"
        self._print(f"plan for `{name}` ({words}):")
        for change in item.changes:
            self._change(change)
        return True

    def _change(self, change: Change) -> None:
        sign = "!" if change.replaces or change.may_replace else _SIGNS.get(change.action, "?")
        style = "bad" if sign in "!-" else "good" if sign == "+" else "warn"
        effect = f"  {change.effect}" if change.effect else ""
        kind = self._console.style("faint", change.resource_type)
        self._print(f"  {self._console.style(style, sign)} {change.logical_id}  {kind}{effect}")
        # A property that can replace its resource does not if the resource is only modified.
        forces = "forces" if change.replaces else "may force" if change.may_replace else ""
        for one in change.properties:
            word = f" ({forces} replacement)" if forces and one.recreates else ""
            different = differences.between(one.name, one.before, one.after)
            for value in different[:_MOST]:
                text = printable(f"{value.name}: {value.before} -> {value.after}")
                self._print(f"      {text}{word}")
            if len(different) > _MOST:
                self._print(f"      {one.name}: {len(different) - _MOST} values more differ")
            if not different:
                self._print(f"      {one.name}{word}")


def _fields(change: Change) -> dict[str, object]:
    return {
        "action": change.action,
        "logical_id": change.logical_id,
        "resource_type": change.resource_type,
        "replacement": change.replacement,
        "replaces": change.replaces or change.may_replace,
        "effect": change.effect,
        "loss": change.loss or None,
        "drift": change.drift or None,
        "properties": [one.name for one in change.properties],
    }
