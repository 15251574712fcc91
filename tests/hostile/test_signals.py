"""A command that is ended at any step: nothing is left unsaid, and the same command ends right.

Each case is a process of its own: `db up` of a new system, ended at one of its calls to AWS.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

from tests.hostile.conftest import CANARIES
from tests.hostile.flows import client
from tests.hostile.part import SEED, part

ROOT = Path(__file__).parents[2]
# What each may end a command with: docs/exit-codes.md. A command that was done is done.
CODES: Mapping[signal.Signals, frozenset[int]] = {
    signal.SIGTERM: frozenset({0, 7, 143}),
    signal.SIGHUP: frozenset({0, 7, 129}),
    signal.SIGINT: frozenset({0, 7, 130}),
    signal.SIGKILL: frozenset({0, -9}),
}
STEPS = range(1, 22, 2)  # calls to AWS
WHOLE = list(product(CODES, STEPS))
DRAWN = part(random.Random(SEED).sample(WHOLE, len(WHOLE)), otherwise=2)


def up(folder: Path, *, ended: tuple[signal.Signals, int] | None = None) -> tuple[int, str]:
    """`db up --yes`, ended by the signal at the n-th call; the exit code and what was said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "opsctl", "db", "up", "--yes", "--debug"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said, calls = "", 0
    assert process.stderr is not None
    with process, process.stderr as lines:
        for line in lines:
            said += line
            calls += line.startswith("debug: ")
            if ended is not None and calls == ended[1] and line.startswith("debug: "):
                process.send_signal(ended[0])
        return process.wait(timeout=60), said


def left(variables: Mapping[str, str], name: str) -> list[str]:
    """What of a change that did not happen is still in AWS."""
    cloudformation = client("cloudformation", variables)
    try:
        [stack] = cloudformation.describe_stacks(StackName=f"{name}-db")["Stacks"]
    except cloudformation.exceptions.ClientError:
        return []
    sets = cloudformation.list_change_sets(StackName=f"{name}-db")["Summaries"]
    review = [stack["StackName"]] if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else []
    waiting = [one["ChangeSetName"] for one in sets if one["ExecutionStatus"] == "AVAILABLE"]
    return review + waiting


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("number", "step"), DRAWN, ids=[f"{one.name} at call {step}" for one, step in DRAWN]
)
def test_a_command_that_is_ended_leaves_nothing_unsaid_and_goes_on(
    folder: Callable[[str], Path],
    variables: Mapping[str, str],
    number: signal.Signals,
    step: int,
) -> None:
    name = f"s{uuid4().hex[:8]}"
    made = folder(name)
    code, said = up(made, ended=(number, step))
    assert code in CODES[number], said
    assert "Traceback" not in said
    assert not [value for value in CANARIES.values() if value in said]
    if number is not signal.SIGKILL:
        assert not [one for one in left(variables, name) if one not in said], said
    code, said = up(made)
    assert code == 0, said
    assert not left(variables, name)
    [stack] = client("cloudformation", variables).describe_stacks(StackName=f"{name}-db")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_the_matrix_is_said() -> None:
    sys.__stderr__ and sys.__stderr__.write(
        f"seed {SEED}: {len(DRAWN)} of {len(WHOLE)} cases: {len(CODES)} signals x "
        f"{len(STEPS)} steps\n"
    )
    assert DRAWN
