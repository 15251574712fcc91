"""Show findings: a line for each, its fix below, and a summary."""

from collections import Counter

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.doctor.finding import Finding, Level
from opsctl.outcome import DEGRADED
from opsctl.plural import counted

_STYLES: dict[Level, str] = {
    "ok": "good", "unknown": "faint", "warning": "warn", "blocking": "bad",
}  # fmt: skip


class DoctorScreen(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = Counter[Level]()

    def show(self, item: object) -> bool:
        if not isinstance(item, Finding):
            return False
        self._counts[item.level] += 1
        console = self._console
        fix = console.hint(item.fix)
        console.emit("finding", area=item.area, level=item.level, text=item.text, fix=fix or None)
        if not console.json:
            word = console.style(_STYLES[item.level], f"{item.level:<8}")
            first, *rest = item.text.splitlines()
            console.data(f"{word}  {item.area:<11}  {first}")
            for line in [*rest, *([f"fix: {fix}"] if fix else [])]:
                console.data(f"{'':23}{line}")
        return True

    def end(self) -> int:
        """Print the summary and return the exit code."""
        counts = self._counts
        self._console.emit("doctor", **{level: counts[level] for level in _STYLES})
        unknown = f", {counts['unknown']} unknown" if counts["unknown"] else ""
        warnings = counted(counts["warning"], "warning")
        if counts["blocking"]:
            self._console.say(f"{counts['blocking']} would stop a release, {warnings}{unknown}")
            return 1
        nothing = "nothing that could be checked" if unknown else "nothing"
        self._console.say(f"{nothing} would stop a release, {warnings}{unknown}")
        return DEGRADED if counts["warning"] else 0
