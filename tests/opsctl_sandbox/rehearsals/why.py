"""What `opsctl why` says of a rehearsal: while it fails, afterwards, and from what was kept."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opsctl_sandbox.process import environment, lifecycle
from opsctl_sandbox.process.home import Home
from opsctl_sandbox.rehearsals import rehearsal
from opsctl_sandbox.rehearsals.rehearsal import Rehearsal, RehearsalEvent

ROOT = Path(__file__).parents[3]
# The first line of a screen that says that something goes wrong.
_TROUBLE = re.compile(r"^! |_FAILED|unhealthy|ROLLBACK_IN_PROGRESS")
_JOINED = re.compile("joining what is running")


@dataclass
class Played:
    """The events, and the causes that `why` gave: by moment, first cause first."""

    events: list[RehearsalEvent] = field(default_factory=list)
    causes: dict[str, list[str]] = field(default_factory=dict)
    screens: dict[str, str] = field(default_factory=dict)


def play(one: Rehearsal, folder: Path, elsewhere: Path) -> Played:
    """Once, with `why` at four moments."""
    played = Played()
    trouble = _JOINED if one.cause == "someone-else-is-deploying" else _TROUBLE
    for event in rehearsal.run(one, folder, os.environ, json=True):
        played.events.append(event)
        if event.kind == "screen" and trouble.search(event.text) and not played.causes:
            _ask(played, "during", folder, _env(folder))
        if event.kind == "result":
            _ask(played, "after", folder, _env(folder))
            _ask(played, "saved", folder, _env(folder), "--save", str(elsewhere / "bundle.jsonl"))
    recordings = sorted((folder / ".opsctl" / "recordings").glob("*.jsonl"))
    nothing = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(elsewhere)}
    if recordings:
        _ask(played, "recording", elsewhere, nothing, "--from", str(recordings[-1]))
    _ask(played, "bundle", elsewhere, nothing, "--from", "bundle.jsonl")
    return played


def _env(folder: Path) -> Mapping[str, str]:
    sandbox = lifecycle.running(Home(folder))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPSCTL_"))}
    return {**kept, **environment.variables(sandbox), "PYTHONPATH": str(ROOT)}


def _ask(played: Played, moment: str, folder: Path, env: Mapping[str, str], *options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "opsctl", "--json", "why", *options],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    told = [one for one in objects if one["type"] == "why"]
    played.causes[moment] = told[0]["causes"] if told else [f"error: {done.stderr}"]
    played.screens[moment] = "\n".join(
        f"{one['rank']} {one['confidence']} {one['id']}: {one['sentence']} -> {one['next']}"
        for one in objects
        if one["type"] == "cause"
    )
