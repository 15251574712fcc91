"""Show secrets: their references, never their values."""

from collections.abc import Sequence

from opsctl.cli.screens.console import Console
from opsctl.cli.screens.screen import Screen
from opsctl.secrets.put import Stored
from opsctl.secrets.uses import Finding, Use


class SecretsScreen(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, item: object) -> bool:
        if not isinstance(item, Stored):
            return False
        use, console = item.use, self._console
        console.emit("secret_set", name=use.path, reference=use.reference, replaced=item.replaced)
        console.say(f"{'replaced' if item.replaced else 'stored'} `{use.reference}`")
        console.say(f"{use.read_by} reads it at the next: {console.hint(item.next)}")
        return True

    def list(self, uses: Sequence[Use]) -> None:
        for use in uses:
            self._console.emit(
                "secret", name=use.path, reference=use.reference, read_by=use.read_by
            )
        if not self._console.json:
            rows = [(use.path, use.reference, use.read_by) for use in uses]
            self._console.table(("SECRET", "REFERENCE", "READ BY"), rows)

    def findings(self, findings: Sequence[Finding]) -> None:
        console = self._console
        for one in findings:
            use, secret = one.use, one.secret
            console.emit(
                "secret",
                name=use.path,
                reference=use.reference,
                read_by=use.read_by,
                state=_word(one),
                problem=one.problem or None,
                hint=console.hint(one.hint) if one.hint else None,
                changed=secret.changed if secret else None,
            )
            if not console.json:
                style = {"ok": "good", "unknown": "warn", "wrong": "bad"}[_word(one)]
                word = console.style(style, f"{_word(one):<7}")
                line = f"{word}  {use.path}  {use.reference}"
                console.data(f"{line}{f'  {one.problem}' if one.problem else ''}")
                if one.hint:
                    console.data(f"         {console.hint(one.hint)}")


def _word(finding: Finding) -> str:
    if not finding.problem:
        return "ok"
    return "unknown" if finding.doubt else "wrong"
