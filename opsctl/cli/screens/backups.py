"""Show snapshots of the cache."""

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.snapshot.cache import Backup


class BackupsScreen(Screen):
    """With `data` they go to stdout, because the command asked for them."""

    def __init__(self, console: Console, *, data: bool = False) -> None:
        self._console = console
        self._print = console.data if data and not console.json else console.say

    def show(self, item: object) -> bool:
        if not isinstance(item, Backup):
            return False
        self._console.emit(
            "backup",
            name=item.name,
            status=item.status,
            source=item.source,
            created=item.created,
        )
        created = f"  {item.created:%Y-%m-%d %H:%M:%SZ}" if item.created else ""
        self._print(f"{item.name}  {item.status}  {item.source}{created}")
        return True
