"""What `opsctl why` says about a rehearsal: during the failure, afterwards, and from files."""

import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl_sandbox.rehearsals.workspace import Workspace

Moment = Literal["during", "after", "recording", "bundle"]
IN_WORDS: dict[Moment, str] = {
    "during": "while it fails",
    "after": "afterwards",
    "recording": "from the recording",
    "bundle": "from a bundle, elsewhere",
}
# The first line of a screen that shows trouble.
_TROUBLE = re.compile(r"^! |_FAILED|unhealthy|ROLLBACK_IN_PROGRESS")
_JOINED = re.compile("joining what is running")


@dataclass(frozen=True)
class Answer:
    """The causes' ids in order, and the first one's sentence. `over` are those that have passed."""

    moment: Moment
    causes: Sequence[str]
    sentence: str
    over: Collection[str] = ()

    def __str__(self) -> str:
        first = self.causes[0] if self.causes else "nothing wrong"
        return f"opsctl why, {IN_WORDS[self.moment]}: {first}" + (
            f": {self.sentence}" if self.sentence else ""
        )


def speaks_of_trouble(line: str, cause: str) -> bool:
    pattern = _JOINED if cause == "someone-else-is-deploying" else _TROUBLE
    return bool(pattern.search(line))


def during(workspace: Workspace) -> Answer:
    return _ask(workspace, "during", workspace.directory)


def recordings(workspace: Workspace) -> list[Path]:
    return sorted((workspace.directory / ".opsctl" / "recordings").glob("*.jsonl"))


def afterwards(workspace: Workspace, earlier: Collection[Path]) -> Iterator[Answer]:
    """Ask `why` about the live system, then from its files, without a config and without AWS.

    A command that changes nothing leaves no recording in addition to the `earlier` ones.
    """
    with tempfile.TemporaryDirectory(prefix="opsctl-elsewhere-") as folder:
        elsewhere = Path(folder)
        bundle = elsewhere / "bundle.jsonl"
        yield _ask(workspace, "after", workspace.directory, "--save", str(bundle))
        if new := [path for path in recordings(workspace) if path not in earlier]:
            yield _ask(workspace, "recording", elsewhere, "--from", str(new[0]))
        yield _ask(workspace, "bundle", elsewhere, "--from", bundle.name)


def differences(answers: Sequence[Answer], cause: str) -> list[str]:
    """Return where `why` does not put the cause first; an empty cause is not compared."""
    if not cause:
        return []
    return [f"{one} (and not {cause})" for one in answers if not _as_expected(one, cause)]


def _as_expected(answer: Answer, cause: str) -> bool:
    if cause != "none":
        return tuple(answer.causes[:1]) == (cause,)
    # Something may have gone wrong for a while: in the end it must be over.
    return answer.moment == "during" or set(answer.causes) <= set(answer.over)


def _ask(workspace: Workspace, moment: Moment, folder: Path, *options: str) -> Answer:
    here = folder == workspace.directory
    command = workspace.opsctl(["why", *options], json=True, elsewhere=None if here else folder)
    screen = list(command.screen())
    objects = command.end()[1]
    answers = [one for one in objects if one["type"] == "why"]
    sentences = [one["sentence"] for one in objects if one["type"] == "cause"]
    if not answers:
        return Answer(moment, ["no answer"], " ".join(screen))
    over = [one["id"] for one in objects if one["type"] == "cause" and one["over"]]
    return Answer(moment, answers[0]["causes"], sentences[0] if sentences else "", over)
